"""Parquet files of one schema to one file, row group by row group: pages are copied, none is decoded.

Source: apache/parquet-format src/main/thrift/parquet.thrift, whose field ids the numbers here are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from gateway.cli.tokens.footer import Reader, Struct, written
from gateway.domain.errors import BadInputError

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8  # footer length (little-endian) and magic
_BLOCK: Final = 1 << 22

_FILE_ROWS, _FILE_GROUPS = 3, 4
_COLUMNS, _ORDINAL = 1, 7  # of a row group
_GROUP_OFFSETS: Final = (5,)
_CHUNK_OFFSETS: Final = (2, 4, 6)  # of the chunk, its offset index, its column index
_META: Final = 3  # of a chunk
_META_OFFSETS: Final = (9, 10, 11, 14)  # of the data, index and dictionary pages, the bloom filter


def join(parts: Sequence[Path], out: BinaryIO) -> None:
    """Write the row groups of all `parts`, in order, under the first one's schema and metadata.

    Raises:
        BadInputError: a part is not a whole Parquet file.
    """
    out.write(_MAGIC)
    footers = []
    groups: list[Struct] = []
    for part in parts:
        with part.open("rb") as file:
            footer, end = _footer(file)
            file.seek(len(_MAGIC))
            moved = out.tell() - len(_MAGIC)
            _copy(file, out, end - len(_MAGIC))
        for group in footer[_FILE_GROUPS][1][1]:
            _move(group, moved, len(groups))
            groups.append(group)
        footers.append(footer)
    whole = footers[0]
    kind, (item, _) = whole[_FILE_GROUPS]
    whole[_FILE_GROUPS] = kind, (item, groups)
    whole[_FILE_ROWS] = whole[_FILE_ROWS][0], sum(footer[_FILE_ROWS][1] for footer in footers)
    end_of_file = written(whole)
    out.write(end_of_file + len(end_of_file).to_bytes(4, "little") + _MAGIC)


def _footer(file: BinaryIO) -> tuple[Struct, int]:
    """The footer, and where it begins."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL, 0))
    tail = file.read()
    start = size - _TAIL - int.from_bytes(tail[:4], "little")
    if not tail.endswith(_MAGIC) or start < len(_MAGIC):
        raise BadInputError("a part is damaged", place="folder of parts", way_out="Remove it, start again")
    file.seek(start)
    return Reader(file.read(size - _TAIL - start)).struct(), start


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size > 0 and (block := source.read(min(_BLOCK, size))):
        target.write(block)
        size -= len(block)


def _move(group: Struct, by: int, ordinal: int) -> None:
    """Say of a row group that it stands `by` bytes further on, as number `ordinal`."""
    _shift(group, _GROUP_OFFSETS, by)
    if _ORDINAL in group:
        group[_ORDINAL] = group[_ORDINAL][0], ordinal
    for chunk in group[_COLUMNS][1][1]:
        _shift(chunk, _CHUNK_OFFSETS, by)
        _shift(chunk[_META][1], _META_OFFSETS, by)


def _shift(fields: Struct, numbers: Sequence[int], by: int) -> None:
    for number in numbers:
        if number in fields and fields[number][1]:  # 0 stands for "none" where a writer leaves nothing out
            fields[number] = fields[number][0], fields[number][1] + by
