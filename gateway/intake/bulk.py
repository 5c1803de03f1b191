"""What every way of going through a whole file of people comes to, whichever engine does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.domain.errors import BadInputError

MAX_TWICE: Final = 1_000_000
"""Rows that share their person id with another, at most; they are held in memory."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a file. `rows`: read. `people`: with tokens. `bad`: (column, reason) -> how often."""

    rows: int
    people: int
    bad: Mapping[tuple[str, str], int]


def too_many_twice(name: str) -> BadInputError:
    """More than `MAX_TWICE` rows of the file of that name share their person id."""
    return BadInputError(
        f"more than {MAX_TWICE} rows share their person_id with another",
        place=name,
        way_out="Name the column that tells people apart person_id",
    )
