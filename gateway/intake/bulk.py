"""A file of people of any size to one file of tokens, part by part: what every engine does alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from gateway.domain.errors import BadInputError
from gateway.domain.people import PERSON_SCHEMA
from gateway.intake.columns import PERSON_COLUMNS, Header, read_header
from gateway.intake.judge import Elsewhere, judge
from gateway.intake.limits import PERSON_FILE_LIMITS
from gateway.intake.raw import RawTable
from gateway.linkage.normalise import Known
from gateway.linkage.scheme import V1
from gateway.linkage.tokens import token_table

PART: Final = 100_000
"""People in a part."""

ENDLESS: Final = replace(PERSON_FILE_LIMITS, max_rows=2**32 - 2)
"""A part at a time, so as many rows as lines can be numbered in 32 bits."""

MAX_CELL: Final = ENDLESS.max_cell
MAX_TWICE: Final = 1_000_000
"""Rows that share their person id with another, at most; they are held in memory."""

NO_ONE_TWICE: Final = pl.DataFrame(schema={"line": pl.UInt32, "other": pl.UInt32})

Bad = Counter[tuple[str, str]]
"""(column, reason) -> how often."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a file or a part of one. `rows`: read. `people`: with tokens."""

    rows: int
    people: int
    bad: Mapping[tuple[str, str], int]


def person_header(cells: Sequence[str]) -> Header:
    """The columns of a person file.

    Raises:
        BadInputError: the header won't do.
    """
    return read_header(cells, PERSON_COLUMNS, (), PERSON_FILE_LIMITS.max_columns)


def tokenised(
    raw: RawTable, keys: Mapping[str, bytes], known: Known, *, today: date, elsewhere: Elsewhere
) -> tuple[pl.DataFrame, Made]:
    """The `token_table` of a part, judged as the whole file has it."""
    judged = judge(
        raw.with_ids(),
        PERSON_SCHEMA.names(),
        ("person_id",),
        today=today,
        max_cell=MAX_CELL,
        postcode_check=False,
        elsewhere=elsewhere,
    )
    people = judged.usable()
    kinds = judged.errors.group_by("column", "reason").len().iter_rows()
    bad = Bad({(column, reason): count for column, reason, count in kinds})
    return token_table(people, keys, V1, known), Made(raw.cells.height, people.height, bad)


def write_part(tokens: pl.DataFrame, target: Path | BinaryIO) -> None:
    """A part as Parquet. Tokens are random bytes: nothing to compress, nothing that statistics would tell."""
    tokens.write_parquet(target, compression="uncompressed", statistics=False)


def gather(parts: list[Path], out: Path, metadata: Mapping[str, str]) -> None:
    """One file of all parts, in their order: the same bytes for the same parts. Streamed."""
    pl.scan_parquet(parts).sink_parquet(
        out, compression="uncompressed", statistics=False, row_group_size=PART, metadata=dict(metadata)
    )


def too_many_twice(name: str) -> BadInputError:
    """More than `MAX_TWICE` rows of the file of that name share their person id."""
    return BadInputError(
        f"more than {MAX_TWICE} rows share their person_id with another",
        place=name,
        way_out="Name the column that tells people apart person_id",
    )
