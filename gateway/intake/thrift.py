"""The part of Thrift's compact protocol that Parquet metadata is written in, read into plain values.

Source: apache/thrift doc/specs/thrift-compact-protocol.md. Structs become dicts by field id.
"""

from typing import Any, Final

_DEPTH: Final = 12
_VARINT: Final = 10  # bytes of a 64-bit varint
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS: Final = (4, 5, 6)


class MalformedError(ValueError):
    """The bytes are not what the protocol allows here."""


class Reader:
    """Reads from `position` on; afterwards `position` stands behind what was read."""

    def __init__(self, data: bytes | memoryview, position: int = 0) -> None:
        self._data = data
        self.position = position

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """One struct.

        Raises:
            MalformedError: truncated, too deep, or of a type that Parquet does not use.
        """
        if depth > _DEPTH:
            raise MalformedError
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            step = head >> 4
            number = number + step if step else self._zigzag()
            fields[number] = self._value(head & 0x0F, depth)
        return fields

    def _byte(self) -> int:
        if not 0 <= self.position < len(self._data):
            raise MalformedError
        self.position += 1
        return self._data[self.position - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(_VARINT):
            byte = self._byte()
            value |= (byte & 0x7F) << (7 * shift)
            if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follow
                return value
        raise MalformedError

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, length: int) -> bytes:
        start = self.position
        self.position += length
        if self.position > len(self._data):
            raise MalformedError
        return bytes(self._data[start : self.position])

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in _INTEGERS:
            return self._zigzag()
        if kind in (_BYTE, _DOUBLE):
            return self._skip(1 if kind == _BYTE else 8)
        if kind == _BINARY:
            return self._skip(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise MalformedError

    def _list(self, depth: int) -> list[Any]:
        if depth > _DEPTH:
            raise MalformedError
        head = self._byte()
        size = head >> 4
        if size == 0x0F:  # noqa: PLR2004 - fifteen means that the size follows
            size = self._varint()
        kind = head & 0x0F
        if kind in (_TRUE, _FALSE):
            return list(self._skip(size))  # in a list each boolean is a byte of its own
        return [self._value(kind, depth + 1) for _ in range(size)]
