"""The log as static files in the C2SP tlog-tiles layout (c2sp.org/tlog-tiles), unchanged: written and read.

`checkpoint`, Merkle tiles `tile/<L>/<N>[.p/<W>]` and entry bundles `tile/entries/<N>[.p/<W>]`, in a folder
that any web server can publish. Written and read from left to right, each hash once; what is kept in memory
is one tile a level.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from audit.checkpoint import MAX_NOTE_BYTES, unsafe_read_checkpoint
from audit.entry import MAX_LEAF_BYTES
from audit.errors import ExportError
from audit.export import TILE, Exportable, ExportReader
from audit.merkle import HASH_BYTES, Frontier

ENTRIES: Final = "entries"
LENGTH_BYTES: Final = 2  # before each entry of a bundle, big-endian
_PLAIN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW  # neither a link nor a pipe that nobody writes to

Tile: TypeAlias = tuple[Sequence[bytes], Sequence[bytes]]
"""Up to 256 leaf hashes, and the leaves that they are of."""


def write_tiles(log: Exportable, folder: Path) -> None:
    """Write everything under the log's newest checkpoint into a new or empty folder.

    Raises:
        ExportError: the folder holds something, or a leaf is too long for an entry bundle.
    """
    note = log.checkpoint()
    size = unsafe_read_checkpoint(note).size
    hashes, leaves = log.leaf_hashes(0, size), log.leaves(0, size)
    tiles = ((list(islice(hashes, TILE)), list(islice(leaves, TILE))) for _ in range(0, size, TILE))
    _write(note, tiles, folder)


def export_to_tiles(export: BinaryIO, folder: Path) -> None:
    """The same from an exported log, which is read strictly but not verified.

    Raises:
        ExportError: as `write_tiles`; or this is no exported log, or not a whole one.
        NoteError: its checkpoint is malformed.
    """
    reader = ExportReader(export)
    note = reader.note()
    size = unsafe_read_checkpoint(note).size
    _write(note, _exported(reader, size), folder)


def tile_path(level: int | str, index: int, width: int = TILE) -> str:
    """Where a tile (or, of level "entries", a bundle) stands in the folder."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(("tile", str(level), *groups)) + (f".p/{width}" if width < TILE else "")


def tile_paths(size: int) -> Iterator[str]:
    """Every file of a log of `size` entries but the checkpoint: no more and no fewer."""
    yield from _level_paths(ENTRIES, size)
    level, width = 0, size
    while width:
        yield from _level_paths(level, width)
        level, width = level + 1, width // TILE


class TilesReader:
    """Reads a folder of tiles in order, as `ExportReader` reads an exported log.

    The tiles above level 0 say nothing that the leaf hashes do not: `check_levels` compares them, last.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._levels = _Levels()
        self._wrong: str | None = None
        self._size = 0
        self._bundle = b""
        self._at = 0

    def note(self) -> bytes:
        """The checkpoint, unverified."""
        return self._file("checkpoint", MAX_NOTE_BYTES)

    def hashes(self, start: int, size: int) -> list[bytes]:
        """The leaf hashes of the tile that begins at entry `start` of `size`."""
        self._size = size
        index, width = start // TILE, min(TILE, size - start)
        path = tile_path(0, index, width)
        data = self._file(path, width * HASH_BYTES, start)
        if len(data) != width * HASH_BYTES:
            raise ExportError(f"{path} does not hold {width} hashes", start)
        self._bundle = self._file(
            tile_path(ENTRIES, index, width), width * (LENGTH_BYTES + MAX_LEAF_BYTES), start
        )
        self._at = 0
        hashes = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        self._compare(self._levels.add(hashes))
        return hashes

    def leaf(self, index: int, size: int) -> bytes:
        """The leaf of entry `index`, the next of its bundle; after the last one nothing may follow."""
        begin = self._at + LENGTH_BYTES
        length = int.from_bytes(self._bundle[self._at : begin], "big")
        self._at = begin + length
        if self._at > len(self._bundle):
            raise ExportError(f"the entry bundle is cut off inside or before entry {index}", index)
        if (index % TILE == TILE - 1 or index == size - 1) and self._at < len(self._bundle):
            raise ExportError(f"something follows entry {index}, the last of its entry bundle", index)
        return self._bundle[begin : self._at]

    def end(self) -> None:
        """No file may stand there that this log does not have."""
        own = {"checkpoint", *tile_paths(self._size)}
        for file in self._folder.rglob("*"):
            path = file.relative_to(self._folder).as_posix()
            if path not in own and (file.is_symlink() or not file.is_dir()):
                raise ExportError(f"a file that is no part of this log: {path!a}")

    def check_levels(self) -> None:
        """The tiles above level 0 are those that the leaf hashes lead to."""
        self._compare(self._levels.rest())
        if self._wrong:
            raise ExportError(f"{self._wrong} is not the tile that the leaf hashes below it lead to")

    def _compare(self, tiles: Iterable[tuple[int, int, bytes]]) -> None:
        for level, index, data in tiles:
            path = tile_path(level, index, len(data) // HASH_BYTES)
            if level and not self._wrong and self._file(path, len(data)) != data:
                self._wrong = path

    def _file(self, path: str, limit: int, start: int | None = None) -> bytes:
        try:
            with os.fdopen(os.open(self._folder / path, _PLAIN), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise ExportError(f"{path} is no plain file", start)
                data = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ExportError(f"{path} is missing", start) from None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise ExportError(f"{path} is no plain file", start) from None
        if len(data) > limit:
            raise ExportError(f"{path} is longer than any file that belongs there", start)
        return data


class _Levels:
    """The rightmost tile of each level, while leaf hashes come in 256 by 256."""

    def __init__(self) -> None:
        self._open: list[list[bytes]] = []
        self._full: list[int] = []

    def add(self, hashes: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Add a level 0 tile's hashes; the full tiles that this makes, as (level, index, bytes)."""
        level, carried = 0, list(hashes)
        while carried:
            if level == len(self._open):
                self._open.append([])
                self._full.append(0)
            tile = self._open[level]
            tile += carried
            if len(tile) < TILE:
                return
            yield level, self._full[level], b"".join(tile)
            carried = [_root(tile)]
            self._open[level] = []
            self._full[level] += 1
            level += 1

    def rest(self) -> Iterator[tuple[int, int, bytes]]:
        """The partial tiles that are left."""
        for level, tile in enumerate(self._open):
            if tile:
                yield level, self._full[level], b"".join(tile)


def _write(note: bytes, tiles: Iterable[Tile], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ExportError("the folder for the tiles is not empty. Name a new one")
    levels = _Levels()
    for index, (hashes, leaves) in enumerate(tiles):
        _put(folder / tile_path(ENTRIES, index, len(leaves)), _bundle(index * TILE, leaves))
        _put_tiles(folder, levels.add(hashes))
    _put_tiles(folder, levels.rest())
    _put(folder / "checkpoint", note)  # last: a folder with a checkpoint is whole


def _put_tiles(folder: Path, tiles: Iterable[tuple[int, int, bytes]]) -> None:
    for level, index, data in tiles:
        _put(folder / tile_path(level, index, len(data) // HASH_BYTES), data)


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _bundle(start: int, leaves: Sequence[bytes]) -> bytes:
    for index, leaf in enumerate(leaves, start):
        if len(leaf) > MAX_LEAF_BYTES:
            raise ExportError(f"entry {index} is longer than {MAX_LEAF_BYTES} bytes", index)
    return b"".join(chain.from_iterable((len(leaf).to_bytes(LENGTH_BYTES, "big"), leaf) for leaf in leaves))


def _exported(reader: ExportReader, size: int) -> Iterator[Tile]:
    for start in range(0, size, TILE):
        hashes = reader.hashes(start, size)
        yield hashes, [reader.leaf(index, size) for index in range(start, start + len(hashes))]
    reader.end()


def _level_paths(level: int | str, width: int) -> Iterator[str]:
    full, rest = divmod(width, TILE)
    for index in range(full):
        yield tile_path(level, index)
    if rest:
        yield tile_path(level, full, rest)


def _root(hashes: Sequence[bytes]) -> bytes:
    tree = Frontier()
    for hashed in hashes:
        tree.add(hashed)
    return tree.root()
