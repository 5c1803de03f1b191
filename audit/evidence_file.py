"""The evidence file as it is written and strictly read, before anything in it is believed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from audit.entry import SALT_BYTES, Json, canonical
from audit.errors import EntryError, EvidenceError, ProofError
from audit.items import Item
from audit.merkle import HASH_BYTES
from audit.proof import MAX_HASHES, LogProof

TYPE: Final = "flagstone/evidence/v1"
MAX_BYTES: Final = 1 << 23
MAX_PARTS: Final = 1000
"""Of entries, openings and items each."""
_FIELDS: Final = frozenset({"type", "entries", "openings", "items", "older"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """A leaf, and its tlog-proof."""

    leaf: bytes
    proof: LogProof

    def to_json(self) -> dict[str, Json]:
        return {"leaf": self.leaf.decode(), "proof": self.proof.text}

    @classmethod
    def of(cls, told: Any) -> Self:
        fields = _object(told, "leaf", "proof")
        return cls(_text(fields["leaf"]).encode(), LogProof.parse(_text(fields["proof"])))


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment of an entry."""

    entry: UUID
    path: str
    salt: bytes
    value: Json

    def to_json(self) -> dict[str, Json]:
        return {"entry": str(self.entry), "path": self.path, "salt": self.salt.hex(), "value": self.value}

    @classmethod
    def of(cls, told: Any) -> Self:
        fields = _object(told, "entry", "path", "salt", "value")
        salt = _hex(fields["salt"], SALT_BYTES)
        return cls(_uuid(fields["entry"]), _text(fields["path"]), salt, fields["value"])


@dataclass(frozen=True, slots=True)
class EntryItem:
    """One item of an entry, under its path."""

    entry: UUID
    path: str
    item: Item

    def to_json(self) -> dict[str, Json]:
        item = self.item
        opening = Opening(self.entry, self.path, item.salt, item.value)
        return {**opening.to_json(), "index": item.index, "proof": [node.hex() for node in item.proof]}

    @classmethod
    def of(cls, told: Any) -> Self:
        fields = _object(told, "entry", "path", "salt", "value", "index", "proof")
        item = Item(
            _hex(fields["salt"], SALT_BYTES),
            fields["value"],
            _number(fields["index"]),
            _hashes(fields["proof"]),
        )
        return cls(_uuid(fields["entry"]), _text(fields["path"]), item)


@dataclass(frozen=True, slots=True)
class Older:
    """An older checkpoint (a signed note) and the RFC 9162 proof that its tree is this one's beginning."""

    note: bytes
    proof: tuple[bytes, ...]

    def to_json(self) -> dict[str, Json]:
        return {"checkpoint": self.note.decode(), "proof": [node.hex() for node in self.proof]}

    @classmethod
    def of(cls, told: Any) -> Self:
        fields = _object(told, "checkpoint", "proof")
        return cls(_text(fields["checkpoint"]).encode(), _hashes(fields["proof"]))


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """The parts of an evidence file, none of them believed yet.

    Raises:
        EvidenceError: there is no entry, or too many of something.
    """

    entries: tuple[ProvedEntry, ...]
    openings: tuple[Opening, ...] = ()
    items: tuple[EntryItem, ...] = ()
    older: Older | None = None

    def __post_init__(self) -> None:
        if not self.entries:
            raise EvidenceError("it proves no entry")
        if max(map(len, (self.entries, self.openings, self.items))) > MAX_PARTS:
            raise EvidenceError(f"it has more than {MAX_PARTS} entries, openings or items")

    def to_bytes(self) -> bytes:
        """The one way to write it: RFC 8785 JSON.

        Raises:
            EvidenceError: it would be over 8 MiB.
            EntryError, ProofError: a part can't be written.
        """
        data = canonical(
            {
                "type": TYPE,
                "entries": [each.to_json() for each in self.entries],
                "openings": [each.to_json() for each in self.openings],
                "items": [each.to_json() for each in self.items],
                "older": [self.older.to_json()] if self.older else [],
            }
        )
        if len(data) > MAX_BYTES:
            raise EvidenceError(f"it is longer than {MAX_BYTES} bytes")
        return data

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse strictly: exactly the bytes that `to_bytes` writes are accepted.

        Raises:
            EvidenceError: it is malformed, over a limit, or written in another way.
        """
        fields = _object(_decoded(data), *_FIELDS)
        if fields["type"] != TYPE:
            raise EvidenceError(f"it is not of type {TYPE}")
        older = _each(fields["older"], "older checkpoint", Older.of)
        if len(older) > 1:
            raise EvidenceError("it has more than one older checkpoint")
        file = cls(
            _each(fields["entries"], "entry", ProvedEntry.of),
            _each(fields["openings"], "opening", Opening.of),
            _each(fields["items"], "item", EntryItem.of),
            older[0] if older else None,
        )
        file.check_written_as(data)
        return file

    def check_written_as(self, data: bytes) -> None:
        """Raise EvidenceError unless these are the bytes that `to_bytes` writes."""
        try:
            same = self.to_bytes() == data
        except EntryError as error:
            raise EvidenceError(f"it holds something that the log can't: {error}") from None
        if not same:
            raise EvidenceError("it is not in canonical form (RFC 8785)")


def _decoded(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise EvidenceError(f"it is longer than {MAX_BYTES} bytes")
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        raise EvidenceError("it is not JSON in UTF-8") from None


def _each(told: Any, what: str, read: Callable[[Any], _T]) -> tuple[_T, ...]:
    if not isinstance(told, list) or len(told) > MAX_PARTS:
        raise EvidenceError(f"not a list of at most {MAX_PARTS} in the place of each {what}")
    read_so_far: list[_T] = []
    for number, each in enumerate(told, 1):
        try:
            read_so_far.append(read(each))
        except (EvidenceError, ProofError, EntryError, UnicodeEncodeError) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeEncodeError) else error
            raise EvidenceError(f"{what} number {number} in the file: {reason}") from None
    return tuple(read_so_far)


def _object(told: Any, *fields: str) -> Mapping[str, Any]:
    if not isinstance(told, dict) or told.keys() != set(fields):
        raise EvidenceError(f"not an object of {', '.join(sorted(fields))}")
    return told


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise EvidenceError("a text is missing")
    return told


def _number(told: Any) -> int:
    if type(told) is not int:
        raise EvidenceError("a whole number is missing")
    return told


def _uuid(told: Any) -> UUID:
    try:
        return UUID(_text(told))
    except ValueError:
        raise EvidenceError("an id is malformed") from None


def _hex(told: Any, length: int) -> bytes:
    try:
        value = bytes.fromhex(_text(told))
    except ValueError:
        value = b""
    if len(value) != length:
        raise EvidenceError(f"not {length} bytes in hex")
    return value


def _hashes(told: Any) -> tuple[bytes, ...]:
    if not isinstance(told, Sequence) or len(told) > MAX_HASHES:
        raise EvidenceError("a proof that is no list, or longer than any tree is high")
    return tuple(_hex(each, HASH_BYTES) for each in told)
