"""What runs in Spark's Python processes: Arrow batches in, Polars between, Arrow batches out.

Each class here is a function for `mapInArrow` that Spark serialises: it holds no person and no key.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import polars as pl

from gateway.domain.errors import FlagstoneError
from gateway.intake.bulk import MAX_CELL, tokenised, write_part
from gateway.intake.dates import DateFacts
from gateway.intake.judge import Elsewhere, dates_of, ids_of
from gateway.intake.raw import RawTable
from gateway.linkage.normalise import Known
from gateway.linkage.scheme import V1
from gateway.spark.key_file import KeyFile
from gateway.spark.sources import Source

FACTS_SCHEMA: Final = ", ".join(f"{field.name} long" for field in fields(DateFacts))
IDS_SCHEMA: Final = "line long, person_id string"
MADE_SCHEMA: Final = "part string, rows long, people long, bad string"
"""`part`: name of a file; `rows` read and `people` written; `bad`: JSON of [column, reason, how often]."""


@dataclass(frozen=True, slots=True)
class ReadDates:
    """The facts of each batch's dates, a row each; schema FACTS_SCHEMA."""

    source: Source

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        return _by_table(self.source, batches, self._facts)

    def _facts(self, raw: RawTable) -> pl.DataFrame:
        facts = dates_of(raw, MAX_CELL)
        names = [field.name for field in fields(facts)]
        return pl.DataFrame(
            {name: [getattr(facts, name)] for name in names}, schema=dict.fromkeys(names, pl.Int64)
        )


@dataclass(frozen=True, slots=True)
class ReadIds:
    """Every person id with its line; schema IDS_SCHEMA."""

    source: Source

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        return _by_table(self.source, batches, self._ids)

    def _ids(self, raw: RawTable) -> pl.DataFrame:
        return ids_of(raw, MAX_CELL).select(pl.col("line").cast(pl.Int64), "person_id")


@dataclass(frozen=True, slots=True)
class MakeTokens:
    """Writes a Parquet file of ids and tokens into `parts` for each batch; a row about each, MADE_SCHEMA.

    Files of a task that Spark runs again, or twice, are other files, of which Spark returns one row alone.
    """

    source: Source
    elsewhere: Elsewhere
    today: date
    key: KeyFile
    parts: Path

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        from pyspark import TaskContext  # noqa: PLC0415 - an extra; see session

        keys, names = self.key.table_keys(), count()
        attempt = TaskContext.get().taskAttemptId()

        def made(raw: RawTable) -> pl.DataFrame:
            tokens, part = tokenised(raw, keys, _known(), today=self.today, elsewhere=self.elsewhere)
            name = f"{attempt}-{next(names)}.parquet"
            write_part(tokens, self.parts / name)
            bad = [[column, reason, count] for (column, reason), count in part.bad.items()]
            told = {
                "part": [name],
                "rows": [part.rows],
                "people": [part.people],
                "bad": [json.dumps(bad)],
            }
            return pl.DataFrame(told)

        return _by_table(self.source, batches, made)


@cache
def _known() -> Known:
    """Names that this process has met: it works through many tasks, and ends with the session."""
    return Known(V1)


def _by_table(
    source: Source, batches: Iterator[Any], work: Callable[[RawTable], pl.DataFrame]
) -> Iterator[Any]:
    """Arrow batches of what `work` makes of each table. A foreign error loses its text: it may quote one."""
    try:
        for batch in batches:
            frame = pl.DataFrame(pl.from_arrow(batch))
            for raw in source.tables(frame):
                yield from _arrow(work(raw))
    except FlagstoneError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise FlagstoneError(f"unexpected {type(error).__name__} in a batch", place="Spark worker") from None


def _arrow(frame: pl.DataFrame) -> list[Any]:
    """Batches of the plain Arrow types that Spark takes: Polars' own are views, and large."""
    import pyarrow as pa  # noqa: PLC0415 - an extra; see session

    plain = {pl.String: pa.string(), pl.Int64: pa.int64()}
    schema = pa.schema([(name, plain[dtype.base_type()]) for name, dtype in frame.schema.items()])
    batches: list[Any] = frame.to_arrow().cast(schema).to_batches()
    return batches
