"""The exported log: one file that verifies by itself. Its format is in docs/log-format.md.

Lines only: the checkpoint, then for each 256 entries (a tile) their leaf hashes in hex and their leaves. A
leaf is JSON in canonical form, so it holds no newline.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Final, Protocol

from audit.checkpoint import MAX_NOTE_BYTES, unsafe_read_checkpoint
from audit.entry import MAX_LEAF_BYTES
from audit.errors import ExportError
from audit.merkle import HASH_BYTES

MAGIC: Final = b"flagstone/export/v1"
END: Final = b"end"
TILE: Final = 256
_HEADER_BYTES: Final = 64


class Exportable(Protocol):
    """What an export needs of a log; `audit.log.Log` is one."""

    def checkpoint(self) -> bytes: ...

    def leaves(self, start: int, stop: int) -> Iterator[bytes]: ...

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """As stored. Worked out from the leaves they would say nothing about a leaf altered in the store."""


class Reader(Protocol):
    """Reads a log in order, strictly. Every method raises ExportError when anything else stands there."""

    def note(self) -> bytes:
        """The checkpoint, unverified."""

    def hashes(self, start: int, size: int) -> Sequence[bytes]:
        """The leaf hashes of the tile that begins at entry `start` of `size`."""

    def leaf(self, index: int, size: int) -> bytes:
        """The leaf of entry `index`, the next of its tile."""

    def end(self) -> None:
        """Nothing may follow."""


def export_chunks(log: Exportable, note: bytes | None = None) -> Iterator[bytes]:
    """The export of everything under a checkpoint, the log's newest if none is given, a tile at a time."""
    note = note or log.checkpoint()
    size = unsafe_read_checkpoint(note).size
    yield MAGIC + b"\n" + b"checkpoint %d\n" % note.count(b"\n") + note
    hashes, leaves = log.leaf_hashes(0, size), log.leaves(0, size)
    for start in range(0, size, TILE):
        lines = [_tile_header(start, size)]
        lines += (hashed.hex().encode() for hashed in islice(hashes, TILE))
        lines += islice(leaves, TILE)
        yield b"\n".join(lines) + b"\n"
    yield END + b"\n"


def write_export(log: Exportable, out: BinaryIO, note: bytes | None = None) -> None:
    """Write the export to a file, a tile at a time; `note` as `export_chunks`."""
    out.writelines(export_chunks(log, note))


class ExportReader:
    """Reads an export in order, strictly: there is one way only to write each export.

    Every method raises ExportError when something else stands in its place, or the file ends.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def note(self) -> bytes:
        """The checkpoint, unverified."""
        if self._line(_HEADER_BYTES, "at the start") != MAGIC:
            raise ExportError(f"this is not a {MAGIC.decode()} file")
        word, _, count = self._line(_HEADER_BYTES, "before the checkpoint").partition(b" ")
        if word != b"checkpoint" or not count.isdigit() or len(count) > 2 or count[:1] == b"0":  # noqa: PLR2004
            raise ExportError("the line before the checkpoint is altered")
        lines = [self._line(MAX_NOTE_BYTES, "inside the checkpoint") for _ in range(int(count))]
        return b"\n".join(lines) + b"\n"

    def hashes(self, start: int, size: int) -> list[bytes]:
        """The leaf hashes of the tile that begins at entry `start` of `size`."""
        if self._line(_HEADER_BYTES, f"before entry {start}") != _tile_header(start, size):
            raise ExportError(
                f"the tile of entry {start} does not begin in its place: a line is added, dropped or altered",
                start,
            )
        return [self._hash(index) for index in range(start, min(start + TILE, size))]

    def leaf(self, index: int, size: int) -> bytes:
        """The leaf of entry `index`; what stands in its place may be any line but the next header's."""
        line = self._line(MAX_LEAF_BYTES, f"inside or before entry {index}", index)
        start = index - index % TILE + TILE
        if line == (_tile_header(start, size) if start < size else END):
            raise ExportError(f"an entry is missing: its tile ends before entry {index}", index)
        return line

    def end(self) -> None:
        """Nothing may follow."""
        if self._line(_HEADER_BYTES, "after the last entry") != END or self._stream.read(1):
            raise ExportError("something follows the last entry that the checkpoint counts")

    def _hash(self, index: int) -> bytes:
        line = self._line(2 * HASH_BYTES, f"inside the leaf hash of entry {index}", index)
        try:
            hashed = bytes.fromhex(line.decode("ascii"))
        except ValueError:
            hashed = b""
        if len(hashed) != HASH_BYTES or hashed.hex().encode() != line:
            raise ExportError(f"the leaf hash of entry {index} is not 64 lower-case hex digits", index)
        return hashed

    def _line(self, limit: int, place: str, index: int | None = None) -> bytes:
        line = self._stream.readline(limit + 1)
        if line.endswith(b"\n"):
            return line[:-1]
        if len(line) > limit:
            raise ExportError(f"a line {place} is longer than any that belongs there", index)
        raise ExportError(f"the file is cut off {place}", index)


def _tile_header(start: int, size: int) -> bytes:
    return b"tile %d %d" % (start // TILE, min(TILE, size - start))
