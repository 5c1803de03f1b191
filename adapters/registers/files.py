"""Registers in files: CSV and Parquet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from adapters.registers.cleaning import clean
from adapters.registers.register import Columns, RegisterError
from adapters.registers.text import csv_frames


@dataclass(frozen=True, slots=True)
class CsvRegister:
    """A CSV file."""

    path: Path
    as_of: date
    columns: Columns

    def batches(
        self, size: int, indicators: Sequence[str], *, any_postcode: bool = False
    ) -> Iterator[pl.DataFrame]:
        try:
            for frame in csv_frames(self.path):
                for part in frame.iter_slices(size):
                    yield clean(part, self.columns, indicators, any_postcode=any_postcode)
        except (OSError, pl.exceptions.PolarsError):
            raise unreadable("CSV file") from None


@dataclass(frozen=True, slots=True)
class ParquetRegister:
    """A Parquet file, read row group by row group."""

    path: Path
    as_of: date
    columns: Columns

    def batches(
        self, size: int, indicators: Sequence[str], *, any_postcode: bool = False
    ) -> Iterator[pl.DataFrame]:
        try:
            for frame in pl.scan_parquet(self.path).collect_batches(chunk_size=size):
                for part in frame.iter_slices(size):
                    yield clean(part, self.columns, indicators, any_postcode=any_postcode)
        except (OSError, pl.exceptions.PolarsError):
            raise unreadable("Parquet file") from None


def unreadable(what: str) -> RegisterError:
    """The one text for a source that fails: the reader's own message may quote a row, so it is dropped."""
    return RegisterError(
        f"the {what} can't be read", place="register", way_out="Look at [register] in agent.toml"
    )
