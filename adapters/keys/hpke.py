"""Opening HPKE (RFC 9180, base mode, single shot) where the private key may only be asked to agree.

`cryptography` seals and opens, but opening wants the private key itself; here X25519 is a call into the key's
provider, and the rest of §4.1 and §5.1 is HKDF. Tests hold this to what the library seals.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from gateway.domain.errors import VerificationError

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_ENC_BYTES: Final = 32
_VERSION: Final = b"HPKE-v1"
_KEM_ID: Final = b"KEM" + b"\x00\x20"  # DHKEM(X25519, HKDF-SHA256), §7.1
_SUITE_ID: Final = b"HPKE" + b"\x00\x20" + b"\x00\x01" + b"\x00\x02"  # that KEM, HKDF-SHA256, AES-256-GCM
_BASE: Final = b"\x00"


def seal(public: bytes, text: bytes, info: bytes) -> bytes:
    """`text` for the holder of `public` (X25519, 32 bytes): the encapsulated key, then the ciphertext."""
    return _SUITE.encrypt(text, X25519PublicKey.from_public_bytes(public), info=info)


def open_sealed(agree: Callable[[bytes], bytes], public: bytes, sealed: bytes, info: bytes) -> bytes:
    """What was sealed for `public`, whose private half `agree` uses.

    Raises:
        VerificationError: sealed for another key or `info`, or altered.
    """
    enc, text = sealed[:_ENC_BYTES], sealed[_ENC_BYTES:]
    if len(enc) < _ENC_BYTES:
        raise VerificationError("shorter than a sealed secret", place="keys")
    shared = _labelled(_KEM_ID, b"", b"eae_prk", agree(enc), b"shared_secret", enc + public, 32)
    context = (
        _BASE + _extract(_SUITE_ID, b"", b"psk_id_hash", b"") + _extract(_SUITE_ID, b"", b"info_hash", info)
    )
    key = _labelled(_SUITE_ID, shared, b"secret", b"", b"key", context, 32)
    nonce = _labelled(_SUITE_ID, shared, b"secret", b"", b"base_nonce", context, 12)
    try:
        return AESGCM(key).decrypt(nonce, text, b"")
    except (InvalidTag, ValueError):
        raise VerificationError("a sealed secret does not open", place="keys") from None


def _labelled(
    suite: bytes, salt: bytes, label: bytes, secret: bytes, out: bytes, info: bytes, length: int
) -> bytes:
    """LabeledExpand(LabeledExtract(...)), §4."""
    prk = _extract(suite, salt, label, secret)
    labelled = length.to_bytes(2, "big") + _VERSION + suite + out + info
    return HKDFExpand(hashes.SHA256(), length, labelled).derive(prk)


def _extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    """LabeledExtract, §4: HKDF-Extract is HMAC keyed with the salt (RFC 5869 §2.2)."""
    extract = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    extract.update(_VERSION + suite + label + secret)
    return extract.finalize()
