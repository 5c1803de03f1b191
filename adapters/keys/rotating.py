"""`OwnKeys` in folders: the enrolled generation in one, each later one in `generation-N` inside it.

Nothing is ever moved: a generation is made whole, then gets its signed succession, then the mark `in-use`,
each file written whole or not at all. So a kill at any step leaves the generation before in use, or this one.
What is public (identity, succession, mark) stays for ever as evidence; destroying a generation removes its
private keys alone.
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.keys.files import PARTY, FileIdentity, FilePartyKeys, create_party_keys, party_ring
from adapters.keys.folder import SecretFolder
from adapters.keys.places import Places
from adapters.keys.ring import Keyring
from gateway.bundle.succession import MAX_GENERATIONS, lineage_of
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError, VerificationError
from gateway.domain.identity import Identity
from gateway.domain.lineage import Lineage
from gateway.key_ports import KeyRef, PartyKeys

_SUCCESSION: Final = "succession.json"
_IN_USE: Final = "in-use"


class RotatingKeys:
    """`gateway.key_ports.NextKeys`. `places`: where private keys may lie; `load` opens a generation."""

    def __init__(
        self,
        folder: Path,
        places: Places = Places(),  # noqa: B008 (frozen)
        load: Callable[[Path, Places], PartyKeys] = FilePartyKeys.load,
    ) -> None:
        """Raise ConfigurationError when the keys in use are missing, damaged or open to others."""
        self._folder = folder
        self._places = places
        self._load = load
        self._enrolled: Identity | None = None
        self._loaded: dict[int, PartyKeys] = {}
        self._kept: dict[int, str] = {}
        self._current()

    @property
    def lineage(self) -> Lineage:
        return self._lineage(self._numbers_in_use())

    @property
    def successions(self) -> tuple[str, ...]:
        return self._tokens(self._numbers_in_use())

    @property
    def identity(self) -> Identity:
        return self.lineage.current.identity

    def sign(self, payload: bytes, typ: str) -> str:
        return self._current().sign(payload, typ)

    def sign_in(self, payload: bytes, typ: str) -> str:
        return self._current().sign_in(payload, typ)

    def agree(self, peer: bytes) -> bytes:
        return self._current().agree(peer)

    def generation(self, number: int) -> PartyKeys:
        current = self.lineage.current.number
        known = number in self._numbers_in_use() or number == 0
        if not known or (number != current and number not in self.held()):
            raise NotFoundError("these keys were never in use, or are destroyed", place="keys")
        return self._keys(number)

    def held(self) -> tuple[int, ...]:
        numbers = (0, *self._numbers_in_use())
        return tuple(each for each in numbers if self._private(each)[1])

    def destroy(self, number: int) -> None:
        if number == self.lineage.current.number:
            raise ConflictError("these keys are in use", place="keys", way_out="Rotate them first")
        self._loaded.pop(number, None)
        ring, living = self._private(number)
        for ref in living:
            ring.destroy(ref, datetime.now(UTC))

    def prepare(self) -> PartyKeys:
        number = self.lineage.current.number + 1
        if number > MAX_GENERATIONS:
            raise ConflictError("there are no more generations", place="keys", way_out="Enrol anew")
        folder = self._of(number)
        if not (folder / "identity.json").exists():
            current = self.identity
            create_party_keys(folder, current.slug, current.name, self._places)
        return self._keys(number)

    def pending(self) -> str | None:
        secrets = SecretFolder(self._of(self.lineage.current.number + 1))
        try:
            return secrets.get(_SUCCESSION).decode()
        except NotFoundError:
            return None
        except ConfigurationError:
            if self._of(self.lineage.current.number + 1).exists():
                raise
            return None

    def announce(self, succession: str) -> None:
        secrets = SecretFolder(self._of(self.lineage.current.number + 1))
        secrets.destroy(_SUCCESSION)  # one that never came into use, with dates of then
        secrets.put({_SUCCESSION: succession.encode()})

    def use(self) -> None:
        number = self.lineage.current.number + 1
        secrets = SecretFolder(self._of(number))
        lineage = self._lineage((*self._numbers_in_use(), number))
        if self._keys(number).identity != lineage.current.identity:
            raise ConfigurationError("the succession is about other keys than these", place="keys")
        secrets.put({_IN_USE: b"\n"})  # commit point

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder's lock while keys are rotated: two at once would spoil each other's keys.

        Raises:
            ConflictError: another process holds it.
        """
        with (self._folder / ".rotation").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError("another process rotates these keys", place="keys") from None
            yield

    def __repr__(self) -> str:
        return f"RotatingKeys({self.identity.slug})"

    def _private(self, number: int) -> tuple[Keyring, list[KeyRef]]:
        """The ring of a generation, and which of its private keys are still there."""
        ring = party_ring(self._of(number), self._places)
        return ring, [info.ref for info in ring.known() if info.ref.kind in PARTY and not info.destroyed]

    def _current(self) -> PartyKeys:
        return self._keys(self.lineage.current.number)

    def _keys(self, number: int) -> PartyKeys:
        if number not in self._loaded:
            self._loaded[number] = self._load(self._of(number), self._places)
        return self._loaded[number]

    def _numbers_in_use(self) -> tuple[int, ...]:
        found, number = [], 1
        while (self._of(number) / _IN_USE).exists():
            found.append(number)
            number += 1
        return tuple(found)

    def _lineage(self, numbers: tuple[int, ...]) -> Lineage:
        if self._enrolled is None:
            self._enrolled = FileIdentity.load(self._folder).identity
        try:
            return lineage_of(self._enrolled, self._tokens(numbers))
        except VerificationError as error:
            raise ConfigurationError(
                f"a succession does not hold: {error.reason}", place="keys", way_out="Restore the folder"
            ) from None

    def _tokens(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self._token(each) for each in numbers)

    def _token(self, number: int) -> str:
        if number in self._kept:
            return self._kept[number]
        folder = self._of(number)
        token = SecretFolder(folder).get(_SUCCESSION).decode()
        if (folder / _IN_USE).exists():
            self._kept[number] = token  # from now on it stays as it is
        return token

    def _of(self, number: int) -> Path:
        return self._folder if number == 0 else _later(self._folder, number)


def later_generations(folder: Path) -> list[Path]:
    """The folders of all generations after the enrolled one, in use or made and waiting for it."""
    found: list[Path] = []
    while (later := _later(folder, len(found) + 1)).exists():
        found.append(later)
    return found


def _later(folder: Path, number: int) -> Path:
    return folder / f"generation-{number}"
