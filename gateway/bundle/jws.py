"""Signed documents: compact JWS (RFC 7515) with Ed25519 (RFC 9864 §2.2, RFC 8032), and nothing else.

The algorithm is ours and the key is the pinned identity's; the header may confirm both and choose neither.
"""

from collections.abc import Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.errors import BadSignatureError, DecodeError, ExceededSizeError, JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, serialize_compact, validate_compact

from audit.checkpoint import SigningKey
from gateway.bundle.errors import (
    MalformedError,
    OversizeError,
    WrongAlgorithmError,
    WrongSignatureError,
    WrongTypeError,
)

ALGORITHM: Final = "Ed25519"
MAX_HEADER: Final = 256
MAX_PAYLOAD: Final = 256 * 1024
MAX_SIGNATURE: Final = 86  # base64url of the 64 bytes of RFC 8032 §5.1.6
MAX_JWS: Final = MAX_HEADER + MAX_PAYLOAD + MAX_SIGNATURE + 2


class _Registry(JWSRegistry):
    max_header_length = MAX_HEADER
    max_payload_length = MAX_PAYLOAD
    max_signature_length = MAX_SIGNATURE

    def validate_compact_value_size(self, value: bytes) -> None:
        if len(value) > MAX_JWS:
            raise ExceededSizeError


_REGISTRY: Final = _Registry(algorithms=[ALGORITHM])


class _HeldKey(OKPKey):
    """The library's key with the public half alone; what signs is asked where it lives."""

    def __init__(self, held: SigningKey) -> None:
        public = held.public_key()
        super().__init__(public, public)
        self._held = held

    def get_op_key(self, operation: str) -> Any:
        return self._held if operation == "sign" else super().get_op_key(operation)  # type: ignore[call-overload]


def sign_jws(payload: bytes, typ: str, key: SigningKey) -> str:
    """Compact JWS over `payload`; the header is exactly `alg` and `typ`."""
    header = {"alg": ALGORITHM, "typ": typ}
    return serialize_compact(header, payload, _HeldKey(key), registry=_REGISTRY)


def verify_jws(token: str | bytes, typ: str, public: bytes) -> bytes:
    """The payload, once the signature by `public` (32 bytes, Ed25519) over the received bytes holds.

    Raises:
        OversizeError: longer than `MAX_JWS`.
        MalformedError: not three base64url parts with a JSON header.
        WrongAlgorithmError: `alg` is not Ed25519, or the header has anything beside `alg` and `typ`.
        WrongTypeError: `typ` differs.
        WrongSignatureError: the signature does not hold.
    """
    parts = extract_jws(token)
    _check_header(parts.protected, typ)
    require_signature(parts, public)
    return parts.payload


def require_signature(parts: CompactSignature, public: bytes) -> None:
    """Raise WrongSignatureError unless the signature holds under `public` (32 bytes, Ed25519)."""
    key = OKPKey.import_key(Ed25519PublicKey.from_public_bytes(public))
    try:
        good = validate_compact(parts, key, registry=_REGISTRY)
    except (JoseError, ValueError):
        good = False
    if not good:
        raise WrongSignatureError(
            "the signature does not hold under the pinned key",
            place="signed document",
            way_out="Ask the sender to compare fingerprints and send it again",
        )


def signer_of(token: str | bytes, typ: str, publics: Sequence[bytes]) -> bytes:
    """Which of several keys signed; the errors are those of the first.

    Raises:
        VerificationError: as `verify_jws`.
    """
    refused: list[WrongSignatureError] = []
    for public in publics:
        try:
            verify_jws(token, typ, public)
        except WrongSignatureError as error:
            refused.append(error)
        else:
            return public
    raise refused[0]


def verify_any(token: str | bytes, typ: str, publics: Sequence[bytes]) -> bytes:
    """As `verify_jws`, under whichever of several keys holds.

    Raises:
        VerificationError: as `verify_jws`.
    """
    return verify_jws(token, typ, signer_of(token, typ, publics))


def extract_jws(token: str | bytes) -> CompactSignature:
    """The parts of a compact JWS, unverified.

    Raises:
        OversizeError: longer than `MAX_JWS`.
        MalformedError: not three base64url parts with a JSON header.
    """
    try:
        raw = token.encode("ascii") if isinstance(token, str) else token
        return extract_compact(raw, registry=_REGISTRY)
    except ExceededSizeError:
        raise OversizeError("longer than a signed document may be", place="signed document") from None
    except (DecodeError, BadSignatureError, JoseError, ValueError, TypeError, RecursionError):
        raise MalformedError("not a compact JWS", place="signed document") from None


def _check_header(header: object, typ: str) -> None:
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        raise WrongAlgorithmError(
            "the algorithm is not Ed25519", place="signed document", way_out="Sign with Ed25519 (RFC 9864)"
        )
    if not set(header) <= {"alg", "typ"}:
        raise WrongAlgorithmError(
            "the header has parameters beside alg and typ",
            place="signed document",
            way_out="Leave them out: the key is pinned and extensions are not understood",
        )
    if header.get("typ") != typ:
        raise WrongTypeError("the document is of another kind than the one wanted", place="signed document")
