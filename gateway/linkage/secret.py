"""The secret of one exchange and every key that grows from it (DESIGN.md §4).

Two X25519 results (RFC 7748 §5) enter one HKDF-SHA-256 (RFC 5869), bound to everything that both sides
must agree on. Whoever steals a static key later still lacks the one-time result.
"""

import base64
import json
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.domain import labels
from gateway.domain.errors import VerificationError
from gateway.linkage.scheme import Scheme

KEY_BYTES: Final = 32
CONTEXT: Final = ("council", "partner", "agreement", "scheme", "exchange", "prekey", "one_time")


def one_time_public(private: bytes) -> bytes:
    """The X25519 public key (32 bytes) of 32 private bytes from the caller's entropy.

    Raises:
        VerificationError: not 32 bytes.
    """
    _check_length(private)
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def x25519(private: bytes, public: bytes) -> bytes:
    """The raw X25519 result (RFC 7748 §6.1), 32 bytes.

    Raises:
        VerificationError: a key is not 32 bytes, or the result is all zero: the peer's key has small order,
            and the "secret" would be known to everybody.
    """
    _check_length(private, public)
    peer = X25519PublicKey.from_public_bytes(public)
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(peer)
    except ValueError:
        raise VerificationError(
            "the other side's key gives no secret",
            place="key agreement",
            way_out="Ask them for a new key and compare fingerprints",
        ) from None


def exchange_context(
    *, council: str, partner: str, agreement: str, scheme: str, exchange: str, prekey: str, one_time: bytes
) -> dict[str, str]:
    """What an exchange secret is bound to.

    `council` and `partner` are identity digests, `agreement` the document's digest, all hex; `exchange` the
    UUID's text; `prekey` an id; `one_time` the gateway's one-time public key.
    """
    return {
        "council": council,
        "partner": partner,
        "agreement": agreement,
        "scheme": scheme,
        "exchange": exchange,
        "prekey": prekey,
        "one_time": base64.b64encode(one_time).decode(),
    }


def exchange_secret(one_time: bytes, static: bytes, context: Mapping[str, str]) -> bytes:
    """HKDF over (one-time x prekey) then (static x static), 32 bytes each, bound to `context`; 32 bytes.

    Raises:
        VerificationError: an input is not 32 bytes, or the context is not exactly `CONTEXT`.
    """
    _check_length(one_time, static)
    if set(context) != set(CONTEXT):
        raise VerificationError("the context is incomplete", place="exchange secret")
    bound = json.dumps(dict(context), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _derive(one_time + static, labels.EXCHANGE_SECRET + b"\0" + bound.encode())


def token_keys(secret: bytes, scheme: Scheme) -> dict[str, bytes]:
    """One key (32 bytes) for each match key's label: tokens of two keys can't be compared."""
    return {label: _token_key(secret, scheme, label) for label in scheme.labels}


def table_keys(secret: bytes, scheme: Scheme, name: str) -> dict[str, bytes]:
    """`token_keys`, and one for the column `name` of a token table."""
    return token_keys(secret, scheme) | {name: _token_key(secret, scheme, name)}


def _token_key(secret: bytes, scheme: Scheme, label: str) -> bytes:
    return _derive(secret, labels.TOKEN_KEY + f"{scheme.version}/{label}".encode())


def confirmation(secret: bytes) -> bytes:
    """Key confirmation (32 bytes), sent in the clear; it says nothing of the other keys (RFC 5869 §3.2)."""
    return _derive(secret, labels.KEY_CONFIRMATION)


def request_key(secret: bytes) -> bytes:
    """AES-256-GCM key of the request's table."""
    return _derive(secret, labels.REQUEST_KEY)


def answer_key(secret: bytes) -> bytes:
    """AES-256-GCM key of the answer's bitmap."""
    return _derive(secret, labels.ANSWER_KEY)


def submission_key(static: bytes) -> bytes:
    """HMAC key of what a council remembers of submissions; `static`: its static X25519 key with itself."""
    return _derive(static, labels.SUBMISSION_KEY)


def address_key(static: bytes) -> bytes:
    """HMAC key of counts by network address; `static`: as of `submission_key`."""
    return _derive(static, labels.ADDRESS_KEY)


def search_tags_key(secret: bytes) -> bytes:
    """AES-256-GCM key of an exchange's search tags; `secret` is sealed to the reviewer's search key."""
    return _derive(secret, labels.SEARCH_TAGS)


def _derive(material: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(material)


def _check_length(*keys: bytes) -> None:
    if any(len(key) != KEY_BYTES for key in keys):
        raise VerificationError("a key is not 32 bytes", place="key agreement")
