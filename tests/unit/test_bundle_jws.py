"""Signed documents: the algorithm is ours and the key is pinned."""

import base64
import hashlib
import hmac
import json

import pytest
from bundle_world import COUNCIL, STRANGER

from gateway.bundle.errors import (
    MalformedError,
    OversizeError,
    WrongAlgorithmError,
    WrongSignatureError,
    WrongTypeError,
)
from gateway.bundle.jws import MAX_JWS, sign_jws, verify_jws

TYP = "flagstone-test+jws"
KEY = COUNCIL.identity.signing


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: object, payload: bytes = b"{}") -> str:
    """A JWS with any header, truly signed by the council over that header."""
    body = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    return f"{body}.{b64(COUNCIL.signing.sign(body.encode()))}"


def test_what_was_signed_comes_back() -> None:
    """A signature by the pinned key returns exactly the payload, from text and from bytes."""
    token = sign_jws(b'{"a":1}', TYP, COUNCIL.signing)
    assert verify_jws(token, TYP, KEY) == verify_jws(token.encode(), TYP, KEY) == b'{"a":1}'


def test_the_header_is_alg_and_typ_alone() -> None:
    """The header says Ed25519 (RFC 9864) and the kind of document, and nothing else."""
    head = sign_jws(b"{}", TYP, COUNCIL.signing).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "Ed25519", "typ": TYP}


@pytest.mark.parametrize(
    "alg", ["none", "HS256", "EdDSA", "ES256", "Ed448", "ed25519", "", 1, None, ["Ed25519"]]
)
def test_no_other_algorithm_is_taken_from_the_header(alg: object) -> None:
    """Whatever `alg` says, only Ed25519 passes."""
    with pytest.raises(WrongAlgorithmError, match="not Ed25519"):
        verify_jws(forge({"alg": alg, "typ": TYP}), TYP, KEY)


def test_the_public_key_is_no_hmac_key() -> None:
    """The classic confusion fails: a MAC made with the public key as its secret."""
    body = f"{b64(json.dumps({'alg': 'HS256', 'typ': TYP}).encode())}.{b64(b'{}')}"
    token = f"{body}.{b64(hmac.digest(KEY, body.encode(), hashlib.sha256))}"
    with pytest.raises(WrongAlgorithmError):
        verify_jws(token, TYP, KEY)


@pytest.mark.parametrize(
    "more",
    [
        {"kid": "1"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(STRANGER.identity.signing)}},
        {"jku": "https://example.org/keys"},
        {"x5c": []},
        {"crit": ["exp"], "exp": 1},
        {"b64": True},
        {"zip": "DEF"},
    ],
)
def test_header_parameters_that_choose_anything_are_refused(more: dict[str, object]) -> None:
    """No key, no extension and no encoding comes from the header."""
    with pytest.raises((WrongAlgorithmError, MalformedError)):
        verify_jws(forge({"alg": "Ed25519", "typ": TYP} | more), TYP, KEY)


def test_an_unencoded_payload_is_refused() -> None:
    """RFC 7797 `b64: false` is never understood."""
    with pytest.raises((WrongAlgorithmError, MalformedError)):
        verify_jws(forge({"alg": "Ed25519", "typ": TYP, "crit": ["b64"], "b64": False}), TYP, KEY)


@pytest.mark.parametrize("typ", ["flagstone-request+jws", "JWT", None])
def test_a_document_of_another_kind_is_refused(typ: object) -> None:
    """`typ` separates the kinds of document, so that none passes as another."""
    with pytest.raises(WrongTypeError):
        verify_jws(forge({"alg": "Ed25519", "typ": typ}), TYP, KEY)
    with pytest.raises(WrongTypeError):
        verify_jws(forge({"alg": "Ed25519"}), TYP, KEY)


def test_another_key_does_not_sign() -> None:
    """A stranger's signature fails under the pinned key."""
    with pytest.raises(WrongSignatureError, match="pinned key"):
        verify_jws(sign_jws(b"{}", TYP, STRANGER.signing), TYP, KEY)


def test_a_missing_signature_fails() -> None:
    """An empty, short or long signature part never passes."""
    body = sign_jws(b"{}", TYP, COUNCIL.signing).rpartition(".")[0]
    for signature in ("", "AAAA", b64(bytes(64))):
        with pytest.raises(WrongSignatureError):
            verify_jws(f"{body}.{signature}", TYP, KEY)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "..",
        "a.b",
        "a.b.c.d",
        "é.b.c",
        "====.e30.AA",
        b"\xff.\xff.\xff",
        forge("x"),
        forge(["alg"]),
        forge(1),
    ],
)
def test_what_is_not_a_jws_is_malformed(token: str | bytes) -> None:
    """Anything but three base64url parts with a JSON object in front is refused by name."""
    with pytest.raises((MalformedError, WrongAlgorithmError)):
        verify_jws(token, TYP, KEY)


def test_a_deeply_nested_header_is_refused() -> None:
    """A header can't exhaust the stack: it is too long before it is too deep."""
    head = b64(b"[" * 5000)
    with pytest.raises(OversizeError):
        verify_jws(f"{head}.e30.AA", TYP, KEY)


@pytest.mark.parametrize(
    "token", ["A" * (MAX_JWS + 1), "e30." + "A" * (MAX_JWS - 5) + ".A", "e30.e30." + "A" * 4000]
)
def test_oversize_is_refused_before_decoding(token: str) -> None:
    """Whole document, payload and signature each have a limit."""
    with pytest.raises(OversizeError):
        verify_jws(token, TYP, KEY)
