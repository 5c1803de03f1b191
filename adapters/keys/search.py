"""The reviewer's search key: HPKE (RFC 9180) with X25519, HKDF-SHA-256 and AES-256-GCM, base mode.

A folder of its own holds the public halves, and the private ones where nothing else is set up. Whoever seals
needs the public halves only; where a private half is missing, nobody can search by what was sealed for it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.keys import hpke
from adapters.keys.folder import SecretFolder
from adapters.keys.places import Places
from adapters.keys.ring import Keyring
from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError, VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.key_ports import KeyInfo, KeyProvider, Use, current

SEARCH: Final = "search"
_PUBLIC: Final = "public.key"
_STEMS: Final = {SEARCH: "private"}
_KEY_BYTES: Final = 32
_STAMP: Final = b"flagstone/search-key/"
"""Before what was sealed for a later generation than the first: + generation, 2 bytes."""


def search_ring(folder: Path, places: Places = Places()) -> Keyring:  # noqa: B008 (frozen)
    """The generations of a search key."""
    return places.ring(folder, {SEARCH: Use.AGREE}, _STEMS)


def create_search_key(folder: Path, places: Places = Places()) -> None:  # noqa: B008
    """Make the key pair, once.

    Raises:
        ConflictError: there is one already: what was sealed for it could not be searched any more.
    """
    secrets = SecretFolder(folder)
    secrets.create()
    ring = search_ring(folder, places)
    if ring.known(SEARCH) or _PUBLIC in secrets.names():
        raise ConflictError("there is a search key already", place="search key")
    # commit point: nothing is sealed before the public half is there
    ring.create(SEARCH, Use.AGREE, datetime.now(UTC))


class FileSearchSeal:
    """`gateway.review_ports.SearchSeal`: seals for the newest generation, looked up each time."""

    def __init__(self, ring: KeyProvider, before: SecretFolder | None = None) -> None:
        """`before`: where a public half of before there were descriptions may lie."""
        self._ring = ring
        self._before = before

    @classmethod
    def load(cls, folder: Path, places: Places = Places()) -> "FileSearchSeal":  # noqa: B008
        """Read the public half.

        Raises:
            ConfigurationError: it is missing, open to others or damaged.
        """
        if folder.exists():
            seal = cls(search_ring(folder, places), SecretFolder(folder))
            seal._newest()
            return seal
        raise _missing()

    def seal(self, exchange: ExchangeId, key: bytes) -> bytes:
        generation, public = self._newest()
        sealed = hpke.seal(public, key, labels.SEARCH_SEAL + exchange.bytes)
        return sealed if generation == 1 else _STAMP + generation.to_bytes(2, "big") + sealed

    def _newest(self) -> tuple[int, bytes]:
        if self._ring.known(SEARCH):
            newest = current(self._ring, SEARCH)
            return newest.ref.generation, newest.public
        try:
            if self._before is not None:
                return 1, _raw(self._before, _PUBLIC)
        except NotFoundError:
            pass
        raise _missing()


class FileSearchKey:
    """`gateway.review_ports.SearchKey`: the keys are looked up anew for each search."""

    def __init__(self, folder: Path, places: Places = Places()) -> None:  # noqa: B008
        self._ring = search_ring(folder, places)

    def opener(self) -> Callable[[ExchangeId, bytes], bytes]:
        keys = [key for key in self._ring.known(SEARCH) if not key.destroyed]
        if not keys:
            raise NotFoundError("there is no search key here", place="search key")
        self._ring.agree(keys[-1].ref, keys[-1].public)  # raises where the private half is elsewhere
        return opener_of(self._ring, keys)


def opener_of(ring: KeyProvider, keys: Sequence[KeyInfo]) -> Callable[[ExchangeId, bytes], bytes]:
    """What opens keys sealed for any of these generations' public halves."""
    by_generation = {key.ref.generation: key for key in keys}

    def opened(exchange: ExchangeId, sealed: bytes) -> bytes:
        generation, body = sealed_for(sealed)
        key = by_generation.get(generation)
        try:
            if key is not None:
                agree = lambda peer: ring.agree(key.ref, peer)  # noqa: E731 - bound to this key
                return hpke.open_sealed(agree, key.public, body, labels.SEARCH_SEAL + exchange.bytes)
        except (VerificationError, NotFoundError):
            pass
        raise VerificationError("a key of search tags does not open", place="subject search")

    return opened


def sealed_for(sealed: bytes) -> tuple[int, bytes]:
    """For which generation something was sealed, and what was."""
    if not sealed.startswith(_STAMP):
        return 1, sealed
    rest = sealed.removeprefix(_STAMP)
    return int.from_bytes(rest[:2], "big"), rest[2:]


def _missing() -> ConfigurationError:
    return ConfigurationError(
        "the reviewer's search key is missing", place="keys", way_out="Make it: flagstone keys search"
    )


def _raw(secrets: SecretFolder, name: str) -> bytes:
    key = secrets.get(name)
    if len(key) != _KEY_BYTES:
        raise ConfigurationError("the search key's file is damaged", place="keys", way_out="Restore it")
    return key
