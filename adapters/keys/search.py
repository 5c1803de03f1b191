"""The reviewer's search key in files: HPKE (RFC 9180) with X25519, HKDF-SHA-256 and AES-256-GCM, base mode.

Two files in a folder of their own. The gateway seals with `public.key`; `private.key` opens, and may be kept
elsewhere: where it is missing, nobody can search by subject.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from adapters.keys.folder import SecretFolder
from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError, VerificationError
from gateway.domain.exchange import ExchangeId

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_PUBLIC: Final = "public.key"
_PRIVATE: Final = "private.key"
_KEY_BYTES: Final = 32


def create_search_key(folder: Path) -> None:
    """Make the key pair, once.

    Raises:
        ConflictError: there is one already: what was sealed for it could not be searched any more.
    """
    secrets = SecretFolder(folder)
    secrets.create()
    if _PUBLIC in secrets.names():
        raise ConflictError("there is a search key already", place="search key")
    secrets.destroy(_PRIVATE)  # of a creation that never ended
    private = X25519PrivateKey.generate()
    secrets.put({_PRIVATE: private.private_bytes_raw()})
    # commit point: nothing is sealed before the public half is there
    secrets.put({_PUBLIC: private.public_key().public_bytes_raw()})


class FileSearchSeal:
    """`gateway.review_ports.SearchSeal`."""

    def __init__(self, public: X25519PublicKey) -> None:
        self._public = public

    @classmethod
    def load(cls, folder: Path) -> "FileSearchSeal":
        """Read the public half.

        Raises:
            ConfigurationError: it is missing, open to others or damaged.
        """
        try:
            if folder.exists():
                return cls(X25519PublicKey.from_public_bytes(_raw(SecretFolder(folder), _PUBLIC)))
        except NotFoundError:
            pass
        raise ConfigurationError(
            "the reviewer's search key is missing", place="keys", way_out="Make it: flagstone keys search"
        )

    def seal(self, exchange: ExchangeId, key: bytes) -> bytes:
        return _SUITE.encrypt(key, self._public, info=labels.SEARCH_SEAL + exchange.bytes)


class FileSearchKey:
    """`gateway.review_ports.SearchKey`: the file is read anew for each search."""

    def __init__(self, folder: Path) -> None:
        self._secrets = SecretFolder(folder)

    def opener(self) -> Callable[[ExchangeId, bytes], bytes]:
        return opener_of(X25519PrivateKey.from_private_bytes(_raw(self._secrets, _PRIVATE)))


def opener_of(private: X25519PrivateKey) -> Callable[[ExchangeId, bytes], bytes]:
    """What opens keys sealed for a private key's public half."""

    def opened(exchange: ExchangeId, sealed: bytes) -> bytes:
        try:
            return _SUITE.decrypt(sealed, private, info=labels.SEARCH_SEAL + exchange.bytes)
        except (InvalidTag, ValueError):
            raise VerificationError("a key of search tags does not open", place="subject search") from None

    return opened


def _raw(secrets: SecretFolder, name: str) -> bytes:
    key = secrets.get(name)
    if len(key) != _KEY_BYTES:
        raise ConfigurationError("the search key's file is damaged", place="keys", way_out="Restore it")
    return key
