"""True people: households with their members, before any source writes them down."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from examples.draw import Draws
from examples.names import forenames, origins, surnames
from examples.numbers import postcodes

REFERENCE: Final = date(2026, 9, 1)
"""The day on which ages are counted."""

_YEAR: Final = 365
_TWINS: Final = 0.04
_NAMED_AFTER_FATHER: Final = 0.04
_UNMARRIED: Final = 0.3
_DOUBLE_BARRELLED: Final = 0.15  # of children whose parents have two surnames


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the number of adults and of children in a household, by number."""

    adults: dict[int, float]
    children: dict[int, float]


FAMILIES: Final = Mix({1: 40, 2: 60}, {0: 4, 1: 12, 2: 30, 3: 29, 4: 16, 5: 9})
EVERYBODY: Final = Mix({1: 42, 2: 58}, {0: 66, 1: 14, 2: 14, 3: 5, 4: 1})


def _households(draws: Draws, size: int, mix: Mix, area: int) -> pl.DataFrame:
    origin = origins(draws, size)
    return pl.DataFrame(
        {
            "household": pl.int_range(size, eager=True),
            "adults": draws.choice("adults", size, mix.adults),
            "children": draws.choice("children", size, mix.children),
            "origin": origin,
            "eldest": draws.whole("eldest", size, 200, 19 * _YEAR),  # days of age
            "parent": draws.whole("parent", size, 17 * _YEAR, 38 * _YEAR),  # days older than the eldest
            "adult": draws.whole("adult", size, 19 * _YEAR, 90 * _YEAR),
            "twins": draws.below("twins", size, _TWINS),
            "junior": draws.below("junior", size, _NAMED_AFTER_FATHER),
            "unmarried": draws.below("unmarried", size, _UNMARRIED),
            "double": draws.below("double", size, _DOUBLE_BARRELLED),
            "postcode": postcodes(draws, "postcode", size, area),
            "old_postcode": postcodes(draws, "old_postcode", size, area),
            "surname": surnames(draws, "surname", origin),
            "other_surname": surnames(draws, "other-surname", origin),
        }
    )


def _members(draws: Draws, households: pl.DataFrame) -> pl.DataFrame:
    """One row a person: adults first, then children by age."""
    places = pl.int_ranges(0, pl.col("adults") + pl.col("children"))
    people = households.with_columns(place=places).explode("place")
    people = people.with_columns(
        draws.whole("gap", people.height, 330, 4 * _YEAR),
        draws.whole("apart", people.height, 0, 6 * _YEAR),
        is_child=pl.col("place") >= pl.col("adults"),
    ).with_columns(days=_days())
    # those not yet a week old are not written down anywhere
    written = people.filter(pl.col("days") > 7)  # noqa: PLR2004
    return _with_sex(draws, written.with_columns(dob=pl.lit(REFERENCE) - pl.duration(days="days")))


def _days() -> pl.Expr:
    """Age in days: children from the eldest down, adults above them."""
    no_gap = (pl.col("place") <= pl.col("adults")) | (
        pl.col("twins") & (pl.col("place") == pl.col("adults") + 1)
    )
    younger = pl.when(no_gap).then(0).otherwise("gap").cum_sum().over("household")
    base = pl.when(pl.col("children") > 0).then(pl.col("eldest") + pl.col("parent")).otherwise("adult")
    older = base + pl.when(pl.col("place") > 0).then("apart").otherwise(0)
    return pl.when("is_child").then(pl.col("eldest") - younger).otherwise(older)


def _with_sex(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    drawn, lone = draws.below("sex", people.height, 0.5), draws.below("lone-parent", people.height, 0.8)
    is_lone_parent = (pl.col("adults") == 1) & (pl.col("children") > 0)
    female = (
        pl.when(~pl.col("is_child") & is_lone_parent)
        .then(pl.lit(lone))
        .when(pl.col("is_child") | (pl.col("adults") == 1))
        .then(pl.lit(drawn))
        .otherwise(pl.col("place") == 0)
    )
    return people.with_columns(sex=pl.when(female).then(pl.lit("F")).otherwise(pl.lit("M")))


def _named(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    people = people.with_columns(forename=forenames(draws, people))
    father = pl.col("forename").filter((pl.col("place") == 1) & ~pl.col("is_child")).first().over("household")
    son = pl.col("junior") & (pl.col("place") == pl.col("adults")) & (pl.col("sex") == "M")
    # the father's surname goes to the children; the mother of an unmarried couple keeps hers
    mother = pl.col("unmarried") & (pl.col("adults") > 1) & (pl.col("place") == 0)
    both = pl.col("unmarried") & (pl.col("adults") > 1) & pl.col("is_child") & pl.col("double")
    return people.with_columns(
        forename=pl.when(son).then(pl.coalesce(father, "forename")).otherwise("forename"),
        surname=pl.when(mother)
        .then("other_surname")
        .when(both)
        .then(pl.col("other_surname") + "-" + pl.col("surname"))
        .otherwise("surname"),
        old_surname=pl.when(~pl.col("is_child") & (pl.col("sex") == "F")).then("other_surname"),
    )


def population(draws: Draws, households: int, mix: Mix, area: int) -> pl.DataFrame:
    """People with `household`, names, `sex`, `dob`, postcodes now and before, `is_child`, `age` in years.

    `area`: number of households for which there are postcodes; larger than `households` where two
    populations share them.
    """
    people = _named(draws, _members(draws, _households(draws, households, mix, area)))
    return people.select(
        "household",
        "forename",
        "surname",
        "old_surname",
        "sex",
        "dob",
        "postcode",
        "old_postcode",
        "is_child",
        age=(pl.col("days") / 365.25).floor().cast(pl.Int32),
    )
