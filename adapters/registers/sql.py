"""A register behind an SQLAlchemy URL: a configured query, a server-side cursor, batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from typing import Any

import polars as pl
import sqlalchemy as sa

from adapters.registers.cleaning import clean
from adapters.registers.register import Columns, RegisterError


@dataclass(frozen=True, slots=True)
class SqlRegister:
    """The rows of one query. `url` may hold a password, so neither the repr nor any error shows it."""

    url: str = field(repr=False)
    query: str = field(repr=False)
    as_of: date
    columns: Columns

    def batches(
        self, size: int, indicators: Sequence[str], *, any_postcode: bool = False
    ) -> Iterator[pl.DataFrame]:
        try:
            for frame in frames(self.url, self.query, size):
                yield clean(frame, self.columns, indicators, any_postcode=any_postcode)
        except pl.exceptions.PolarsError:
            raise _unreadable() from None


def frames(url: str, query: str, size: int) -> Iterator[pl.DataFrame]:
    """What a query gives, under its own columns, at most `size` rows at a time.

    Raises:
        RegisterError: the database can't be read.
    """
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect().execution_options(stream_results=True, yield_per=size) as connection:
            result = connection.execute(sa.text(query))
            names = list(result.keys())
            for rows in result.partitions(size):
                yield _frame(names, rows)
    except (sa.exc.SQLAlchemyError, ImportError, OSError, pl.exceptions.PolarsError):
        raise _unreadable() from None


def _unreadable() -> RegisterError:
    """The one text for a database that fails: a driver's message may quote the URL, the query or a row."""
    return RegisterError(
        "the database can't be read",
        place="register",
        way_out="Try the URL and the query with the database's own client",
    )


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    if len(set(names)) < len(names):
        raise RegisterError("the query gives a column twice", place="register")
    columns = zip(*rows, strict=True) if rows else repeat((), len(names))
    pairs = zip(names, columns, strict=True)
    return pl.DataFrame(
        [pl.Series(name, values, dtype=_text(values), strict=False) for name, values in pairs]
    )


def _text(values: Sequence[Any]) -> type[pl.DataType] | None:
    """Text where any value is: else the type of the first value would make the others null."""
    return pl.String if any(isinstance(value, str) for value in values) else None
