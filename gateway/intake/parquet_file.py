"""Parquet through Polars, footer and page headers checked first; typed columns become text as in CSV."""

import io
from typing import Final

import polars as pl

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake.limits import Limits
from gateway.intake.parquet_pages import check_pages, not_readable
from gateway.intake.raw import HeaderReader, RawTable

_PLAIN: Final = (pl.String, pl.Boolean, pl.Date)


def as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column of any type that a CSV could show, as that text.

    Raises:
        BadInputError: it is of another type.
    """
    column = pl.col(name)
    if isinstance(dtype, _PLAIN) or dtype.is_integer():
        return column.cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        return column.dt.to_string("%Y-%m-%d %H:%M:%S")
    if dtype.is_float():
        # numbers with gaps come out of data frames as 9990000018.0
        return column.cast(pl.String).str.strip_suffix(".0")
    if dtype == pl.List(pl.String):
        return column.list.join(";", ignore_nulls=True)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    raise BadInputError("a column of a type that holds no text, number or date", place="schema")


def _schema(data: bytes, limits: Limits) -> pl.Schema:
    """Column names and types, once the row count of the footer is within the limits."""
    scan = pl.scan_parquet(io.BytesIO(data))
    if scan.select(pl.len()).collect().item() > limits.max_rows:
        raise TooLargeError(f"more than {limits.max_rows} rows", place="footer")
    return scan.collect_schema()


def read_parquet(data: bytes, limits: Limits, header_reader: HeaderReader) -> RawTable:
    """Read the known columns of a Parquet file. `line` is the row's number, from 1.

    Raises:
        BadInputError: not a Parquet file that can be read, or its header.
        TooLargeError: too many rows or columns, or it unpacks to too much.
    """
    check_pages(data, limits)
    try:
        schema = _schema(data, limits)
        header = header_reader(schema.names())
        names = {column: schema.names()[index] for column, index in header.positions.items()}
        texts = {column: as_text(name, schema[name]) for column, name in names.items()}
        cells = pl.read_parquet(io.BytesIO(data), columns=list(names.values())).select(**texts)
    except pl.exceptions.PolarsError:
        raise not_readable() from None
    lines = pl.Series("line", range(1, cells.height + 1), pl.UInt32)
    return RawTable(cells.insert_column(0, lines), header, too_long=pl.Series("line", [], pl.UInt32))
