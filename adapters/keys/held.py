"""One key of a provider, in the shape that checkpoints and signed documents ask for."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.domain.errors import ConfigurationError, NotFoundError, VerificationError
from gateway.key_ports import KeyInfo, KeyProvider, Use

_PROBE: Final = b"flagstone/v1/key-probe"
_BASE_POINT: Final = bytes([9]) + bytes(31)  # RFC 7748 §4.1


class HeldKey:
    """`audit.checkpoint.SigningKey` that asks its provider to sign."""

    __slots__ = ("_info", "_provider")

    def __init__(self, provider: KeyProvider, info: KeyInfo) -> None:
        self._provider = provider
        self._info = info

    def sign(self, data: bytes, /) -> bytes:
        return self._provider.sign(self._info.ref, data)

    def public_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self._info.public)


def check_usable(provider: KeyProvider, info: KeyInfo) -> None:
    """Use a key once, and compare the outcome with its public half: found out at a start, not in a job.

    Raises:
        ConfigurationError: its private half is missing, or another key's.
    """
    try:
        if info.use is Use.SIGN:
            HeldKey(provider, info).public_key().verify(provider.sign(info.ref, _PROBE), _PROBE)
            return
        # X25519 of a private key with the base point is its public key
        if info.use is Use.SEAL or provider.agree(info.ref, _BASE_POINT) == info.public:
            return
    except NotFoundError:
        raise ConfigurationError(
            f"the {info.ref.kind} key is missing", place="keys", way_out="Make or restore the keys"
        ) from None
    except (InvalidSignature, VerificationError):
        pass
    raise ConfigurationError(f"the {info.ref.kind} key's private half is another key's", place="keys")
