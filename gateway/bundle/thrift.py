"""Reading Thrift's compact protocol, as far as Parquet's footers and page headers need it.

Source: the Thrift compact protocol specification. Every length is checked against the bytes that are there,
so that reading costs no more than the input is long. A field that nobody asks for is read over.
"""

from typing import Any, Final

from gateway.bundle.errors import MalformedError

_MAX_DEPTH: Final = 12
_MAX_VARINT: Final = 10  # bytes of a 64-bit varint
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG_LIST: Final = 15

Struct = dict[int, Any]
"""Field id -> int, bool, bytes, list or Struct."""


class CompactReader:
    """A cursor over `data[start:stop]`; `position` is where the next read begins."""

    def __init__(self, data: bytes, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= len(data):
            raise _malformed()
        self._data = data
        self._stop = stop
        self.position = start

    def struct(self, depth: int = 0) -> Struct:
        """Read one structure.

        Raises:
            MalformedError: it runs beyond the end, nests too deeply, or a field stands twice.
        """
        if depth > _MAX_DEPTH:
            raise _malformed()
        fields: Struct = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._integer()
            if number in fields:
                raise _malformed()
            fields[number] = self._field(head & 15, depth)
        return fields

    def _field(self, kind: int, depth: int) -> Any:
        # only a field keeps a boolean in its type; an element of a list has a byte of its own
        return kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise _malformed()  # Parquet's structures hold no map

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = self._varint() if head >> 4 == _LONG_LIST else head >> 4
        # the shortest element takes one byte: more elements than bytes is a lie
        if depth > _MAX_DEPTH or count > self._stop - self.position:
            raise _malformed()
        return [self._value(head & 15, depth) for _ in range(count)]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        end = self.position + count
        if end > self._stop:
            raise _malformed()
        piece = self._data[self.position : end]
        self.position = end
        return piece

    def _varint(self) -> int:
        value = 0
        for place in range(_MAX_VARINT):
            byte = self._byte()
            value |= (byte & 127) << (7 * place)
            if byte < 128:  # noqa: PLR2004  the continuation bit
                return value
        raise _malformed()

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)  # zigzag


def _malformed() -> MalformedError:
    return MalformedError("not a readable Thrift structure", place="request table")
