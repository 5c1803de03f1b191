"""Small secrets in files, sealed for a sealing key where a home has one.

A file says which generation it was sealed for, so that generations can end once no file needs them. What was
put before there was a sealing key lies there as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.keys.folder import SecretFolder
from gateway.domain.errors import ConfigurationError
from gateway.key_ports import KeyInfo, KeyProvider, KeyRef

SEALING: Final = "sealing"
_MAGIC: Final = b"flagstone/sealed-secret/v1/"
"""Before a sealed secret: + generation, 2 bytes."""
_HEAD: Final = len(_MAGIC) + 2


class Wrapping:
    """Seals and opens the content of files. Without a provider, or a sealing key in it, contents stay raw."""

    def __init__(self, provider: KeyProvider | None = None) -> None:
        self._provider = provider

    def sealed(self, secret: bytes, purpose: bytes) -> bytes:
        live = [key for key in self._known() if not key.retired and not key.destroyed]
        if self._provider is None or not live:
            return secret
        ref = live[-1].ref
        return _MAGIC + ref.generation.to_bytes(2, "big") + self._provider.wrap(ref, secret, purpose)

    def opened(self, stored: bytes, purpose: bytes) -> bytes:
        """The secret.

        Raises:
            ConfigurationError: it is sealed, and the home has no sealing keys.
            NotFoundError, VerificationError: as `KeyProvider.unwrap`.
        """
        generation = generation_of(stored)
        if generation is None:
            return stored
        if self._provider is None:
            raise ConfigurationError("a secret is sealed, and there is no sealing key", place="keys")
        return self._provider.unwrap(KeyRef(SEALING, generation), stored[_HEAD:], purpose)

    def _known(self) -> Sequence[KeyInfo]:
        return self._provider.known(SEALING) if self._provider else ()


def generation_of(stored: bytes) -> int | None:
    """Which sealing key a file's content was sealed for; None where it is raw."""
    if not stored.startswith(_MAGIC) or len(stored) < _HEAD:
        return None
    return int.from_bytes(stored[len(_MAGIC) : _HEAD], "big")


def generations_in(folders: Iterable[SecretFolder]) -> set[int]:
    """Which sealing keys the files of these folders need."""
    found = set()
    for folder in folders:
        for _, stored in folder.contents():
            generation = generation_of(stored)
            if generation is not None:
                found.add(generation)
    return found
