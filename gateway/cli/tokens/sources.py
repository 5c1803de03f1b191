"""Person files of any size as tables of text cells, a part of the file at a time."""

import codecs
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from gateway.domain.errors import BadInputError
from gateway.intake.bulk import ENDLESS, PART, person_header
from gateway.intake.columns import PERSON_COLUMNS, Header
from gateway.intake.csv_file import HEAD, CsvShape, read_csv, read_rows
from gateway.intake.encoding import to_utf8
from gateway.intake.limits import PERSON_FILE_LIMITS
from gateway.intake.parquet_file import as_text
from gateway.intake.parquet_pages import not_readable
from gateway.intake.ranges import SIZE, Range, cut
from gateway.intake.raw import NO_LINES, RawTable
from gateway.intake.stream import Format, collect, format_of
from gateway.intake.xlsx_file import read_xlsx

PART_BYTES: Final = SIZE  # of a CSV: about a part's people
_EDGE: Final = 1 << 20

Read = Callable[[], RawTable]
"""Reads one part; may be called in any thread."""


class Source(Protocol):
    """A person file, or what stands for one."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def size(self) -> int:
        """How many parts there are; 0 where that is not known before the end."""

    @property
    def identity(self) -> str:
        """Changes when the content does; empty where a part can't be read again, so that nothing resumes."""

    @property
    def columns(self) -> frozenset[str]:
        """Columns whose cells must be looked through before any row is judged: `dob`, `person_id` or none."""

    def parts(self, first: int = 0, columns: tuple[str, ...] = PERSON_COLUMNS) -> Iterator[Read]:
        """From part `first` on; `columns` are enough."""


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file; `line` is the row's number, from 1. `names`: our column -> the file's."""

    path: Path
    identity: str
    header: Header
    names: dict[str, str]
    schema: pl.Schema
    rows: int

    @classmethod
    def of(cls, path: Path) -> "ParquetSource":
        try:
            scan = pl.scan_parquet(path)
            schema = scan.collect_schema()
            rows: int = scan.select(pl.len()).collect().item()
        except pl.exceptions.PolarsError:
            raise not_readable() from None
        header = person_header(schema.names())
        names = {column: schema.names()[index] for column, index in header.positions.items()}
        for name in names.values():
            as_text(name, schema[name])  # refuse a type that won't do before the work
        return cls(path, _identity(path), header, names, schema, rows)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int:
        return -(-self.rows // PART)

    @property
    def columns(self) -> frozenset[str]:
        text = "dob" in self.names and self.schema[self.names["dob"]] != pl.Date
        return frozenset({"dob"} if text else ()) | ({"person_id"} & self.names.keys())

    def parts(self, first: int = 0, columns: tuple[str, ...] = PERSON_COLUMNS) -> Iterator[Read]:
        texts = {
            column: as_text(name, self.schema[name])
            for column, name in self.names.items()
            if column in columns
        }
        for part in range(first, self.size):
            yield partial(self._read, part * PART, texts)

    def _read(self, start: int, texts: dict[str, pl.Expr]) -> RawTable:
        try:
            cells = pl.scan_parquet(self.path).slice(start, PART).select(**texts).collect()
        except pl.exceptions.PolarsError:
            raise not_readable() from None
        lines = pl.int_range(start + 1, start + 1 + cells.height, dtype=pl.UInt32, eager=True).alias("line")
        return RawTable(cells.insert_column(0, lines), self.header, NO_LINES)


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file in UTF-8, cut at line ends that stand outside quotes."""

    path: Path
    identity: str
    shape: CsvShape
    spans: tuple[Range, ...]

    @classmethod
    def of(cls, path: Path) -> "CsvSource":
        return cls(path, _identity(path), *cut(path, person_header, PART_BYTES))

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int:
        return len(self.spans)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({"dob", "person_id"} & self.shape.header.positions.keys())

    def parts(self, first: int = 0, columns: tuple[str, ...] = PERSON_COLUMNS) -> Iterator[Read]:  # noqa: ARG002 - a row is read whole anyway
        for span in self.spans[first:]:
            yield partial(self._read, span)

    def _read(self, span: Range) -> RawTable:
        return read_rows(to_utf8(span.read(self.path)), self.shape, ENDLESS, span.line)


@dataclass(frozen=True, slots=True)
class HeldSource:
    """A file that is read whole: a workbook, or a CSV whose encoding or line ends forbid cutting it."""

    name: str
    identity: str
    table: RawTable

    @property
    def size(self) -> int:
        return -(-self.table.cells.height // PART)

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({"dob", "person_id"} & self.table.header.positions.keys())

    def parts(self, first: int = 0, columns: tuple[str, ...] = PERSON_COLUMNS) -> Iterator[Read]:  # noqa: ARG002 - it is all there
        for part in range(first, self.size):
            yield partial(self._part, part * PART)

    def _part(self, start: int) -> RawTable:
        cells = self.table.cells.slice(start, PART)
        too_long = self.table.too_long
        return RawTable(cells, self.table.header, too_long.filter(too_long.is_in(cells["line"].implode())))


def open_file(path: Path) -> Source:
    """The person file, by its first bytes.

    Raises:
        BadInputError: it is empty, or can't be used as a whole.
        TooLargeError: a file that must be read whole is over `PERSON_FILE_LIMITS`.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise BadInputError("the file is empty", place=path.name)
    kind = format_of(head)
    source = ParquetSource.of(path) if kind is Format.PARQUET else _of_text(path, kind)
    if not source.size:
        raise BadInputError("a header, but not one row", place=path.name)
    return source


def _of_text(path: Path, kind: Format) -> Source:
    if kind is Format.CSV and _is_utf8_lines(path):
        return CsvSource.of(path)
    reader = read_xlsx if kind is Format.XLSX else read_csv
    with path.open("rb") as file:
        data = collect(iter(lambda: file.read(_EDGE), b""), PERSON_FILE_LIMITS)
    return HeldSource(path.name, _identity(path), reader(data, PERSON_FILE_LIMITS, person_header))


def _is_utf8_lines(path: Path) -> bool:
    """Whether a CSV can be cut at line ends: UTF-8, and lines that end in LF or CR LF."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        ended = False
        try:
            while block := file.read(_EDGE):
                decoder.decode(block)
                ended = ended or b"\n" in block
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return ended


def _identity(path: Path) -> str:
    """Of size, time of change and both ends: to read all of a big file would take as long as to use it."""
    stat = path.stat()
    digest = hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        digest.update(file.read(_EDGE))
        file.seek(max(0, stat.st_size - _EDGE))
        digest.update(file.read(_EDGE))
    return digest.hexdigest()
