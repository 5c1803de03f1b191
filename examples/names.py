"""Names by origin, sex and time of birth, with rough frequencies.

The tables beside this file are our own compilation from general knowledge; no published list was copied.
"""

from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from examples.draw import Draws, Groups

_FOLDER: Final = Path(__file__).parent
_BRITISH: Final = "british"
_OLD, _YOUNG = 1965, 1998  # years of birth between which British names changed
_LOCAL_NAME: Final = 0.25  # children of other origin with a British forename


def table(name: str) -> pl.DataFrame:
    return pl.read_csv(_FOLDER / f"{name}.csv")


@cache
def _forenames() -> Groups:
    return Groups.of(
        table("forenames").with_columns(group=pl.concat_str("origin", "sex", "era", separator="/"))
    )


@cache
def _surnames() -> Groups:
    return Groups.of(table("surnames").rename({"origin": "group"}))


def origins(draws: Draws, size: int) -> pl.Series:
    """One origin a household."""
    groups = Groups.of(table("origins").select("weight", name="origin", group=pl.lit("all")))
    return groups.draw(pl.Series(["all"]).new_from_index(0, size), draws.uniform("origin", size))


def surnames(draws: Draws, name: str, origin: pl.Series) -> pl.Series:
    return _surnames().draw(origin, draws.uniform(name, len(origin)))


def forenames(draws: Draws, people: pl.DataFrame) -> pl.Series:
    """For columns `origin`, `sex`, `dob`, `is_child`."""
    year = pl.col("dob").dt.year()
    era = (
        pl.when(year < _OLD)
        .then(pl.lit("old"))
        .when(year < _YOUNG)
        .then(pl.lit("middle"))
        .otherwise(pl.lit("young"))
    )
    local = pl.lit(draws.below("local-name", people.height, _LOCAL_NAME)) & pl.col("is_child")
    origin = pl.when(local).then(pl.lit(_BRITISH)).otherwise("origin")
    group = people.select(
        pl.concat_str(
            origin, "sex", pl.when(origin == _BRITISH).then(era).otherwise(pl.lit("any")), separator="/"
        )
    )
    return _forenames().draw(group.to_series(), draws.uniform("forename", people.height))
