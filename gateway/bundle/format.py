"""The bundle, one format for both directions: compact JWS, one line feed, ciphertext.

The ciphertext is nonce (12 bytes) || AES-256-GCM output || tag (16 bytes; NIST SP 800-38D).
"""

import hashlib
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.bundle.errors import DecryptionError, MalformedError, OversizeError
from gateway.bundle.jws import MAX_JWS
from gateway.domain.errors import VerificationError

NONCE_BYTES: Final = 12
OVERHEAD: Final = NONCE_BYTES + 16
_SEPARATOR: Final = b"\n"


def bundle_digest(data: bytes) -> bytes:
    """SHA-256 over the whole bundle: what an answer names as its request."""
    return hashlib.sha256(data).digest()


def join(jws: str, ciphertext: bytes) -> bytes:
    return jws.encode("ascii") + _SEPARATOR + ciphertext


def split(data: bytes, max_ciphertext: int) -> tuple[bytes, bytes]:
    """JWS and ciphertext, unverified.

    Raises:
        OversizeError: longer than a bundle with `max_ciphertext` bytes could be.
        MalformedError: no line feed where the JWS must have ended.
    """
    if len(data) > MAX_JWS + len(_SEPARATOR) + max_ciphertext:
        raise OversizeError("longer than this bundle may be", place="bundle", way_out="Send fewer people")
    end = data.find(_SEPARATOR, 0, MAX_JWS + 1)
    if end < 0:
        raise MalformedError("no manifest before the ciphertext", place="bundle")
    return data[:end], data[end + 1 :]


def encrypt(key: bytes, plaintext: bytes, label: bytes, exchange: UUID, nonce: bytes) -> bytes:
    """Nonce and ciphertext under AES-256-GCM, associated with `label` and the exchange's id.

    Raises:
        VerificationError: the nonce is not 12 bytes.
    """
    if len(nonce) != NONCE_BYTES:
        raise VerificationError("the nonce is not 12 bytes", place="sealing")
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated(label, exchange))


def decrypt(key: bytes, ciphertext: bytes, label: bytes, exchange: UUID) -> bytes:
    """The plaintext.

    Raises:
        DecryptionError: another key, another exchange, or altered.
    """
    nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated(label, exchange))
    except (InvalidTag, ValueError):
        raise DecryptionError("it does not open under the key of this exchange", place="bundle") from None


def associated(label: bytes, exchange: UUID) -> bytes:
    """The associated data: a ciphertext of one exchange or direction opens in no other."""
    return label + str(exchange).encode()
