"""Names by origin, sex and time of birth, with frequencies that fall by rank.

The tables beside this file are our own compilation from general knowledge; no published list was copied.
A row holds the names of one group, most frequent first: the weight of the name of rank r, from 1, is
1 / (r + shift), the law of Zipf and Mandelbrot. An underscore stands for a space.
"""

from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from examples.draw import Draws, Groups

_FOLDER: Final = Path(__file__).parent
_BRITISH: Final = "british"
_ERAS: Final = (1945, 1965, 1985, 2005)
"""Years of birth with which the next generation of British names begins."""

_OTHER_ERA: Final = 0.2  # people named as the generation before was
_OTHER_SPELLING: Final = {"british": 0.06, "muslim": 0.5, "patronymic": 0.35}  # by custom
_ANY_SPELLING: Final = 0.15  # of the names of all other customs
_SIBILANT: Final = 0.15  # of surnames made from two parts: one letter more at the end
_PART_SHIFT: Final = 12


@cache
def table(name: str) -> pl.DataFrame:
    return pl.read_csv(_FOLDER / f"{name}.csv", infer_schema_length=None)


def ranked(rows: pl.DataFrame) -> Groups:
    """Of `group`, `names` (texts between spaces, most frequent first) and `shift`."""
    one = rows.select("group", "shift", name=pl.col("names").str.split(" ")).explode("name")
    return Groups.of(
        one.with_columns(
            pl.col("name").str.replace_all("_", " ", literal=True),
            weight=1 / (pl.int_range(1, pl.len() + 1).over("group") + pl.col("shift")),
        )
    )


@cache
def _forenames() -> Groups:
    return ranked(table("forenames").with_columns(group=pl.concat_str("origin", "sex", "era", separator="/")))


@cache
def _forenames_by_initial() -> Groups:
    """The same names in groups by origin, sex, era and first letter, all of one weight: for twins."""
    one = (
        table("forenames")
        .select("origin", "sex", "era", name=pl.col("names").str.split(" "))
        .explode("name")
        .with_columns(pl.col("name").str.replace_all("_", " ", literal=True), weight=pl.lit(1.0))
    )
    initial = pl.col("name").str.head(1)
    return Groups.of(one.with_columns(group=pl.concat_str("origin", "sex", "era", initial, separator="/")))


@cache
def _surnames() -> dict[str, Groups]:
    rows = table("surnames").rename({"origin": "group"})
    parts = rows.drop_nulls("starts").with_columns(shift=pl.lit(_PART_SHIFT))
    return {
        "names": ranked(rows),
        "starts": ranked(parts.with_columns(names="starts")),
        "ends": ranked(parts.with_columns(names="ends")),
    }


@cache
def _spellings() -> Groups:
    """Every name of the table -> the other spellings of it, each as likely as the others."""
    rows = table("spellings").select(pl.col("names").str.split(" ")).with_row_index("row")
    every = rows.explode("names")
    other = every.join(every, on="row", maintain_order="left_right").filter(
        pl.col("names") != pl.col("names_right")
    )
    return Groups.of(other.select(group="names", name="names_right", weight=pl.lit(1.0)))


def origins(draws: Draws, size: int) -> pl.Series:
    """One origin a household."""
    groups = Groups.of(table("origins").select("weight", name="origin", group=pl.lit("all")))
    return groups.draw(pl.Series(["all"]).new_from_index(0, size), draws.uniform("origin", size))


def of_origin(origin: pl.Series, column: str) -> pl.Series:
    """A column of `origins.csv` for each of `origin`."""
    rows = table("origins")
    return origin.replace_strict(rows["origin"], rows[column], return_dtype=rows.schema[column])


def spelt_otherwise(names: pl.Series, uniform: pl.Series) -> pl.Series:
    """Another spelling of each name, null where the table knows none."""
    return _spellings().draw(names, uniform)


def _own_spelling(draws: Draws, names: pl.Series, origin: pl.Series) -> pl.Series:
    """Names as these people spell them themselves."""
    rate = of_origin(origin, "custom").replace_strict(
        _OTHER_SPELLING, default=_ANY_SPELLING, return_dtype=pl.Float64
    )
    other = spelt_otherwise(names, draws.uniform("spelling", len(names)))
    hit = draws.below("spelt", len(names), rate) & other.is_not_null()
    return pl.select(pl.when(hit).then(other).otherwise(names)).to_series()


def surnames(draws: Draws, name: str, origin: pl.Series) -> pl.Series:
    """Common ones from the list of the origin, the others put together from two parts."""
    draws, size, groups = draws.under(name), len(origin), _surnames()
    listed = groups["names"].draw(origin, draws.uniform("listed", size))
    start = groups["starts"].draw(origin, draws.uniform("start", size))
    end = groups["ends"].draw(origin, draws.uniform("end", size))
    end = pl.select(pl.when(start.str.to_lowercase() == end).then(pl.lit("ley")).otherwise(end)).to_series()
    british = origin.is_in([_BRITISH]) & draws.below("sibilant", size, _SIBILANT)
    letter = pl.when(british & ~end.str.contains("[es]$")).then(pl.lit("s")).otherwise(pl.lit(""))
    made = pl.select(start + end + letter).to_series()
    rare = draws.below("rare", size, of_origin(origin, "tail"))
    chosen = pl.select(pl.when(rare).then(made).otherwise(listed)).to_series()
    return _own_spelling(draws, chosen, origin).alias(name)


def _group(draws: Draws, people: pl.DataFrame) -> pl.Series:
    """The key of `forenames.csv`: origin, sex and, for British names, era."""
    size = people.height
    local = draws.below("local", size, of_origin(people["origin"], "local_name")) & people["is_child"]
    year = people["dob"].dt.year()
    era = pl.Series(_ERAS).search_sorted(year, side="right").cast(pl.Int64) + 1
    earlier = draws.below("earlier", size, _OTHER_ERA).cast(pl.Int64)
    origin = pl.select(pl.when(local).then(pl.lit(_BRITISH)).otherwise(people["origin"])).to_series()
    generation = (era - earlier).clip(lower_bound=1).cast(pl.String)
    group = pl.concat_str(
        origin,
        people["sex"],
        pl.when(origin == _BRITISH).then(generation).otherwise(pl.lit("any")),
        separator="/",
    )
    return pl.select(group).to_series()


def forenames(draws: Draws, name: str, people: pl.DataFrame) -> pl.Series:
    """For columns `origin`, `sex`, `dob`, `is_child`."""
    draws = draws.under(name)
    drawn = _forenames().draw(_group(draws, people), draws.uniform("forename", people.height))
    return _own_spelling(draws, drawn, people["origin"]).alias(name)


def like_sounding(draws: Draws, people: pl.DataFrame, names: pl.Series) -> pl.Series:
    """A forename with the same first letter as `names` has, null where the tables have none."""
    group = _group(draws, people) + "/" + names.str.head(1)
    return _forenames_by_initial().draw(group, draws.uniform("alike", people.height))


def aliases(draws: Draws, people: pl.DataFrame) -> pl.Series:
    """The name by which a person is known as well: a short form, or one taken for English ears; or null."""
    short = ranked(table("nicknames").select(group="name", names="shorts", shift=pl.lit(2)))
    size = people.height
    found = short.draw(people["forename"], draws.uniform("short", size))
    group = people.select(pl.concat_str("origin", pl.lit("-alias/"), "sex", pl.lit("/any"))).to_series()
    taken = _forenames().draw(group, draws.uniform("taken", size))
    return pl.select(pl.coalesce(taken, found)).to_series()
