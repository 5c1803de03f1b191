"""Private keys are seen where they live and nowhere else."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("gateway", "policies", "adapters", "audit")
HOME = "adapters/keys/"
PRIVATE = {
    "Ed25519PrivateKey",
    "X25519PrivateKey",
    "RSAPrivateKey",
    "EllipticCurvePrivateKey",
    "from_private_bytes",
    "private_bytes",
    "private_bytes_raw",
    "load_pem_private_key",
    "load_der_private_key",
}
DECLARED = {
    # the one-time key of an exchange is made for it alone, put into the exchange's key store and dies with it
    "gateway/linkage/secret.py": {"X25519PrivateKey", "from_private_bytes"},
    # a proof key is made when an agent starts, lives in its memory and signs nothing but its own requests
    "adapters/transports/wire.py": {"Ed25519PrivateKey", "from_private_bytes"},
    "gateway/bundle/dpop.py": {"Ed25519PrivateKey"},
    # OpenSSL reads the key of a TLS client certificate from a file
    "adapters/agent/client_tls.py": {"EllipticCurvePrivateKey", "private_bytes"},
}


def _names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        name
        for node in ast.walk(tree)
        for name in (
            [node.id]
            if isinstance(node, ast.Name)
            else [node.attr]
            if isinstance(node, ast.Attribute)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }


def test_no_other_module_sees_private_bytes():
    """Outside `adapters/keys` nothing names a private key's class or bytes, but for what is declared here."""
    found = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(HOME) and (seen := _names(path) & PRIVATE):
                found[name] = seen
    assert found == DECLARED
