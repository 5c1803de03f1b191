"""Parquet footers read and written back: Thrift's compact protocol, every field with its type.

Source: apache/thrift doc/specs/thrift-compact-protocol.md. For files that this program has just written.
"""

from typing import Any, Final

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 12
_INTEGERS: Final = (4, 5, 6)
_SIZES: Final = {_BYTE: 1, _DOUBLE: 8}
_LONG_LIST: Final = 15

Struct = dict[int, tuple[int, Any]]
"""Field id -> (type, value). The value of a list: (type of its items, items); of a struct: a Struct."""


class Reader:
    """Reads from the start of `data`.

    Raises:
        IndexError: it ends too early.
        ValueError: a type that Parquet does not use.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while (head := self._byte()) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = head & 15, self._value(head & 15)
        return fields

    def _byte(self) -> int:
        self._position += 1
        return self._data[self._position - 1]

    def _bytes(self, size: int) -> bytes:
        self._position += size
        return self._data[self._position - size : self._position]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)  # zigzag

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return None  # the type says it
        if kind in _INTEGERS:
            return self._integer()
        if kind in _SIZES:
            return self._bytes(_SIZES[kind])
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _LIST:
            return self._list()
        if kind == _STRUCT:
            return self.struct()
        raise ValueError(kind)

    def _list(self) -> tuple[int, list[Any]]:
        head = self._byte()
        count = self._varint() if head >> 4 == _LONG_LIST else head >> 4
        kind = head & 15
        # in a list each boolean is a byte of its own
        return kind, [self._byte() if kind in (_TRUE, _FALSE) else self._value(kind) for _ in range(count)]


def written(fields: Struct) -> bytes:
    """The bytes of a structure."""
    out = bytearray()
    last = 0
    for number in sorted(fields):
        kind, value = fields[number]
        step = number - last
        out += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + _integer(number)  # noqa: PLR2004
        out += _written(kind, value)
        last = number
    return bytes(out) + bytes([_STOP])


def _written(kind: int, value: Any) -> bytes:
    if kind in (_TRUE, _FALSE):
        return b""
    if kind in _INTEGERS:
        return _integer(value)
    if kind == _LIST:
        return _written_list(*value)
    if kind == _STRUCT:
        return written(value)
    plain: bytes = value
    return _varint(len(plain)) + plain if kind == _BINARY else plain


def _written_list(kind: int, items: list[Any]) -> bytes:
    count = len(items)
    head = (
        bytes([count << 4 | kind]) if count < _LONG_LIST else bytes([_LONG_LIST << 4 | kind]) + _varint(count)
    )
    flags = kind in (_TRUE, _FALSE)
    return head + (bytes(items) if flags else b"".join(_written(kind, item) for item in items))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def _integer(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else -(value << 1) - 1)
