"""A Parquet file made by hand, so that tests can make any single thing in it lie."""

from collections.abc import Callable
from typing import Any

Struct = dict[int, Any]
Edit = Callable[[Struct], None]


class Long(int):
    """An integer that Thrift writes as i64."""


KINDS = {int: 5, Long: 6, bytes: 8, list: 9, dict: 12}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def write(struct: Struct) -> bytes:
    """Thrift's compact protocol."""
    out, last = b"", 0
    for number, value in sorted(struct.items()):
        kind = (1 if value else 2) if isinstance(value, bool) else KINDS[type(value)]
        short = number - last < 16
        out += bytes([(number - last) << 4 | kind]) if short else bytes([kind]) + value_bytes(number)
        out += b"" if isinstance(value, bool) else value_bytes(value)
        last = number
    return out + b"\0"


def value_bytes(value: Any) -> bytes:
    if isinstance(value, int):
        return varint(value * 2 if value >= 0 else -value * 2 - 1)  # zigzag
    if isinstance(value, bytes):
        return varint(len(value)) + value
    if isinstance(value, dict):
        return write(value)
    kind = KINDS[type(value[0])] if value else 5
    head = bytes([len(value) << 4 | kind]) if len(value) < 15 else bytes([240 | kind]) + varint(len(value))
    return head + b"".join(value_bytes(item) for item in value)


def nothing(_: Struct) -> None:
    """No lie."""


def page(rows: int, values: bytes, edit: Edit = nothing) -> bytes:
    """A data page (v1), plain encoded."""
    header: Struct = {1: 0, 2: len(values), 3: len(values), 5: {1: rows, 2: 0, 3: 3, 4: 3}}
    edit(header)
    return write(header) + values


def parquet(
    rows: int = 3,
    *,
    edit_page: Edit = nothing,
    edit_meta: Edit = nothing,
    edit_chunk: Edit = nothing,
    edit_footer: Edit = nothing,
    more_pages: bytes = b"",
) -> bytes:
    """Columns `household` and `key`, one row group, required values, plain encoding.

    `edit_page`, `edit_meta`, `edit_chunk` and `more_pages` touch the column `key`.
    """
    numbers = b"".join(row.to_bytes(4, "little") for row in range(rows))
    tokens = b"".join((16).to_bytes(4, "little") + bytes([row]) * 16 for row in range(rows))
    first = page(rows, numbers)
    second = page(rows, tokens, edit_page) + more_pages
    chunks = [
        _chunk(b"household", 1, 4, len(first), rows),
        _chunk(b"key", 6, 4 + len(first), len(second), rows),
    ]
    edit_meta(chunks[1][3])
    edit_chunk(chunks[1])
    footer: Struct = {
        1: 1,
        2: [{4: b"root", 5: 2}, {1: 1, 3: 0, 4: b"household", 6: 13}, {1: 6, 3: 0, 4: b"key"}],
        3: Long(rows),
        4: [{1: chunks, 2: Long(len(first) + len(second)), 3: Long(rows)}],
    }
    edit_footer(footer)
    tail = write(footer)
    return b"PAR1" + first + second + tail + len(tail).to_bytes(4, "little") + b"PAR1"


def _chunk(name: bytes, kind: int, start: int, size: int, rows: int) -> Struct:
    sizes = {5: Long(rows), 6: Long(size), 7: Long(size), 9: Long(start)}
    return {2: Long(start), 3: {1: kind, 2: [0, 3], 3: [name], 4: 0} | sizes}
