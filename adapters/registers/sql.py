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
            engine = sa.create_engine(self.url, poolclass=sa.NullPool)
            with engine.connect().execution_options(stream_results=True, yield_per=size) as connection:
                result = connection.execute(sa.text(self.query))
                names = list(result.keys())
                for rows in result.partitions(size):
                    yield clean(_frame(names, rows), self.columns, indicators, any_postcode=any_postcode)
        except (sa.exc.SQLAlchemyError, ImportError, OSError, pl.exceptions.PolarsError):
            # a driver's message may quote the URL, the query or a row: it is dropped
            raise RegisterError(
                "the database can't be read",
                place="register",
                way_out="Try the URL and the query of agent.toml with the database's own client",
            ) from None


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
