"""Which names stay on this machine."""

from typing import Final

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts to and from which nothing crosses a network, so that plain HTTP gives nothing away."""
