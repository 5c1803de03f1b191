"""Nothing secret is compared in a way that takes longer the more of it is right."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("gateway", "adapters", "audit", "policies")
SECRET = (
    "token",
    "secret",
    "signature",
    "fingerprint",
    "confirmation",
    "mac",
    "password",
    "challenge",
)
"""Last words of names that hold something to be guessed."""

PUBLIC = {
    "gateway/service/ownkeys.py": "our own fingerprint, which is published, beside the one in our own log",
    "gateway/bundle/succession.py": "fingerprints of public keys, in a signed document",
    "gateway/service/successions.py": "a signed document of public keys",
}
"""Files in which a name that sounds like a secret is none, and why."""


def names(node):
    """Every name and attribute within an expression, in small letters."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id.lower()
        elif isinstance(each, ast.Attribute):
            yield each.attr.lower()


def is_secret(node) -> bool:
    return any(word == mark or word.endswith(f"_{mark}") for word in names(node) for mark in SECRET)


def shown(node) -> bool:
    """Constants, None, lengths and types tell nothing of a value."""
    return isinstance(node, ast.Constant | ast.Tuple | ast.Set) or (
        isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"len", "type"}
    )


def suspects(source: str):
    """Lines that compare a secret with `==` or `!=`, against something that isn't constant."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [node.left, *node.comparators]
            if any(map(is_secret, sides)) and not any(map(shown, sides)):
                yield node.lineno


@pytest.mark.parametrize("room", ROOMS)
def test_no_secret_is_compared_by_its_first_difference(room):
    """A token, signature or secret is compared by `hmac.compare_digest`, or looked up by its hash."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / room).rglob("*.py")
        if str(path.relative_to(ROOT)) not in PUBLIC
        for line in suspects(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("if given_token == kept.token: pass", [1]),
        ("x = a\nif secret != b.secret: pass", [2]),
        ("if user.fingerprint == told: pass", [1]),
        ("if token == '': pass", []),
        ("if len(signature) != size: pass", []),
        ("if hmac.compare_digest(token, kept): pass", []),
    ],
)
def test_a_planted_comparison_is_found(source, lines):
    """The search can find something, and leaves alone what tells nothing."""
    assert list(suspects(source)) == lines


def test_tokens_are_looked_up_by_their_hash():
    """A user's token is found by SHA-256: what a database compares can't be guessed by parts."""
    text = (ROOT / "gateway" / "service" / "access.py").read_text()
    assert "by_token(token_hash(bearer))" in text
