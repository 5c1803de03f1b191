"""CSV through Polars, every cell as text, every row with its physical line."""

import csv
import io
import re
from dataclasses import dataclass
from typing import Final, Self

import polars as pl

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake.columns import Header, column_of
from gateway.intake.encoding import to_utf8
from gateway.intake.limits import Limits
from gateway.intake.raw import HeaderReader, RawTable

_DELIMITERS: Final = ",;\t"
_STRAY_QUOTE: Final = re.compile(r'(?<=[^,;\t\n"])"(?=[^,;\t\r\n"])')  # neither opens, closes nor is doubled
_EXTRA: Final = "extra"
HEAD: Final = 65_536  # bytes within which the header row must end


@dataclass(frozen=True, slots=True)
class CsvShape:
    """What the head of a CSV says of its rows. `width`: cells of the header; `lines`: its physical lines."""

    delimiter: str
    width: int
    lines: int
    header: Header

    @classmethod
    def of(cls, text: bytes, header_reader: HeaderReader) -> Self:
        """From UTF-8 text that holds the whole header row.

        Raises:
            BadInputError: the header won't do.
        """
        delimiter, cells, lines = _sniff(text[:HEAD].decode(errors="ignore"))
        return cls(delimiter, len(cells), lines, header_reader(cells))


def _first_row(head: str, delimiter: str) -> tuple[list[str], int]:
    """Cells of the first row that is not blank, and the number of physical lines down to its end."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        return next(((row, reader.line_num) for row in reader if row), ([], 0))
    except csv.Error:
        return [], 0


def _sniff(head: str) -> tuple[str, list[str], int]:
    """The delimiter under which the header shows the most known columns, with the header itself."""
    tries = [(delimiter, *_first_row(head, delimiter)) for delimiter in _DELIMITERS]
    return max(tries, key=lambda one: (sum(column_of(cell) is not None for cell in one[1]), len(one[1])))


def after_lines(data: bytes, lines: int) -> bytes:
    """What follows the first `lines` physical lines."""
    position = 0
    for _ in range(lines):
        end = data.find(b"\n", position)
        if end < 0:
            return b""
        position = end + 1
    return data[position:]


def _parse(body: bytes, names: list[str], delimiter: str, max_rows: int) -> pl.DataFrame:
    # our own header row goes in front: it fixes the number of columns, and has one more to catch long rows
    head = delimiter.join([*names, _EXTRA]).encode() + b"\n"
    return pl.read_csv(
        io.BytesIO(head + body),
        separator=delimiter,
        infer_schema=False,
        truncate_ragged_lines=True,
        n_rows=max_rows,
    )


def _bad_quotes(text: str, delimiter: str, first: int) -> BadInputError:
    """Name the row whose quotes do not match, by reading once more, strictly. Error path only."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    stray = _STRAY_QUOTE.search(text)
    start = first
    above = text.count("\n", 0, stray.start()) if stray else 0
    place = f"line {above + first}" if stray else "upload"
    try:
        for _ in reader:
            start = reader.line_num + first
    except csv.Error:
        place = f"line {start}"
    return BadInputError(
        "the double quotes do not match", place=place, way_out='Write a double quote inside a cell as ""'
    )


def _with_lines(table: pl.DataFrame, first: int) -> pl.DataFrame:
    """Add `line`: a row begins after all the line breaks before it, those inside quoted cells included."""
    inside = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True).fill_null(0))
    return table.with_columns(height=inside.cast(pl.UInt32) + 1).with_columns(
        line=pl.col("height").cum_sum() - pl.col("height") + pl.lit(first, pl.UInt32)
    )


def read_csv(data: bytes, limits: Limits, header_reader: HeaderReader) -> RawTable:
    """Read CSV bytes.

    Raises:
        BadInputError: encoding, header or quotes.
        TooLargeError: more rows than allowed.
    """
    text = to_utf8(data)
    shape = CsvShape.of(text, header_reader)
    return read_rows(after_lines(text, shape.lines), shape, limits, shape.lines + 1)


def read_rows(body: bytes, shape: CsvShape, limits: Limits, first: int) -> RawTable:
    """Read whole rows of a CSV, UTF-8, without its header; `first`: the physical line where they begin.

    Raises:
        BadInputError: quotes.
        TooLargeError: more rows than allowed.
    """
    names = [f"c{index}" for index in range(shape.width)]
    try:
        table = _parse(body, names, shape.delimiter, limits.max_rows + 1)
    except pl.exceptions.PolarsError:
        # from None: the message of Polars quotes the cell
        raise _bad_quotes(body.decode(), shape.delimiter, first) from None
    if table.height > limits.max_rows:
        raise TooLargeError(f"more than {limits.max_rows} rows", place="upload")
    table = _with_lines(table, first)
    if table["height"].sum() != body.count(b"\n") + (not body.endswith(b"\n") and bool(body)):
        raise _bad_quotes(body.decode(), shape.delimiter, first)
    return _raw(table, shape.header)


def _raw(table: pl.DataFrame, header: Header) -> RawTable:
    text = pl.col(pl.String)
    filled = table.filter(pl.any_horizontal(text.str.strip_chars().str.len_bytes() > 0))
    cells = filled.select(
        "line", **{column: pl.col(f"c{index}") for column, index in header.positions.items()}
    )
    return RawTable(cells, header, too_long=filled.filter(pl.col(_EXTRA).is_not_null())["line"])
