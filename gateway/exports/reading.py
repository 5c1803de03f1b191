"""The entries of a signed export, in order, for the other modules of this room."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO

from audit.checkpoint import unsafe_read_checkpoint
from audit.entry import Entry
from audit.errors import ExportError
from audit.export import TILE, ExportReader
from audit.merkle import leaf_hash
from gateway.domain.legal_date import legal_date


@dataclass(frozen=True, slots=True)
class Numbered:
    """An entry and its index in the log."""

    index: int
    entry: Entry

    def text(self, name: str) -> str:
        """A body field that is text, or ""."""
        return text(self.entry.body, name)

    def part(self, name: str) -> Mapping[str, Any]:
        """A body field that is an object, or an empty one."""
        value = self.entry.body.get(name)
        return value if isinstance(value, Mapping) else {}

    def listed(self, name: str) -> tuple[str, ...]:
        """The texts of a body field that is a list, or ()."""
        return texts(self.entry.body.get(name))


def text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def entries_of(stream: BinaryIO) -> Iterator[Numbered]:
    """Every entry of a signed export (docs/log-format.md), each against its listed leaf hash.

    Signatures need a trust file and are `audit.verify`'s work: convert what you have verified.

    Raises:
        ExportError: the file is cut off or altered.
        EntryError: a leaf is no entry.
    """
    reader = ExportReader(stream)
    size = unsafe_read_checkpoint(reader.note()).size
    for start in range(0, size, TILE):
        for index, listed in enumerate(reader.hashes(start, size), start):
            leaf = reader.leaf(index, size)
            if not hmac.compare_digest(leaf_hash(leaf), listed):
                raise ExportError(f"entry {index} is not the one that was hashed", index)
            yield Numbered(index, Entry.parse(leaf))
    reader.end()


def between(entries: Iterable[Numbered], since: date | None, until: date | None) -> Iterator[Numbered]:
    """Those of a span of days, both inclusive, Europe/London."""
    for each in entries:
        on = legal_date(each.entry.at)
        if (since is None or since <= on) and (until is None or on <= until):
            yield each
