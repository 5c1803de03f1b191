"""Where a big CSV can be cut: after a line end that stands outside quotes."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gateway.domain.errors import BadInputError
from gateway.intake.csv_file import HEAD, CsvShape, after_lines
from gateway.intake.encoding import to_utf8
from gateway.intake.raw import HeaderReader

SIZE: Final = 8 << 20
"""Bytes in a range: about 100,000 people, as in an Arrow batch."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `start` to `stop` of a file; the physical `line` where they begin, from 1."""

    start: int
    stop: int
    line: int

    def read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.stop - self.start)


def cut(path: Path, header_reader: HeaderReader, size: int = SIZE) -> tuple[CsvShape, tuple[Range, ...]]:
    """What the head of a UTF-8 CSV says of its rows, and the ranges of the rest.

    Raises:
        BadInputError: the header won't do, it is not UTF-8, or a quote never closes.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    shape = CsvShape.of(to_utf8(head[: head.rfind(b"\n") + 1] or head), header_reader)
    body = len(head) - len(after_lines(head, shape.lines))
    return shape, tuple(ranges(path, body, shape.lines + 1, size))


def ranges(path: Path, body: int, line: int, size: int = SIZE) -> Iterator[Range]:
    """The file from byte `body` on, where physical line `line` begins, in ranges of at least `size` bytes.

    Raises:
        BadInputError: it is not UTF-8, or a quote never closes.
    """
    with path.open("rb") as file:
        file.seek(body)
        start, first, quoted = body, line, False
        decoder = codecs.getincrementaldecoder("utf-8")()
        for block in _blocks(file, size):
            _check(decoder, block)
            here = file.tell() - len(block)
            cut = _line_end(block, quoted=quoted) if here > start else 0
            if cut:
                line += block.count(b"\n", 0, cut)
                yield Range(start, here + cut, first)
                start, first = here + cut, line
            line += block.count(b"\n", cut)
            quoted ^= block.count(b'"') % 2 == 1
        _check(decoder, b"", final=True)
        if quoted:
            raise BadInputError(
                "the double quotes do not match",
                place="upload",
                way_out='Write a double quote inside a cell as ""',
            )
        if file.tell() > start:
            yield Range(start, file.tell(), first)


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while block := file.read(size):
        yield block


def _check(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> None:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        raise BadInputError(
            "not UTF-8", place="upload", way_out="Export it as CSV UTF-8, or use the engine polars"
        ) from None


def _line_end(block: bytes, *, quoted: bool) -> int:
    """What follows the first line end outside quotes; 0 where there is none."""
    position = 0
    while True:
        quote = block.find(b'"', position)
        end = -1 if quoted else block.find(b"\n", position, None if quote < 0 else quote)
        if end >= 0 or quote < 0:
            return end + 1
        position, quoted = quote + 1, not quoted
