"""The append-only log and its offline verifier. Needs the standard library and `cryptography` only.

Formats: docs/log-format.md. An outside auditor runs `python -m audit` with this package alone.
"""
