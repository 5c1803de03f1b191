"""True people: households with their members, before any source writes them down."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from examples.draw import Draws
from examples.families import named
from examples.names import of_origin, origins
from examples.places import Area

REFERENCE: Final = date(2026, 9, 1)
"""The day on which ages are counted."""

_YEAR: Final = 365.25
_TWINS: Final = (
    0.015  # of births (ONS birth characteristics, England and Wales: about 15 maternities in 1,000)
)
_ADULT: Final = 18
_CHILD_JAN_FIRST: Final = 0.2  # children's births on 1 January, relative to adults' of the same origin
_MIXED: Final = 0.08  # couples of two origins
_ONE_SEX: Final = 0.025  # of couples
_OLDEST: Final = 104
_STUDENTS: Final = 0.65  # of shared houses

SINGLE, COUPLE, FAMILY, LONE, GROWN, LONE_GROWN, THREE_GENERATIONS, SHARED, CARE_LEAVER = range(9)
"""Kinds of household. GROWN: the sons and daughters at home are grown up."""

_WITH_COUPLE: Final = (COUPLE, FAMILY, GROWN, THREE_GENERATIONS)
_WITH_CHILDREN: Final = (FAMILY, LONE, THREE_GENERATIONS)
_WITH_GROWN: Final = (GROWN, LONE_GROWN)


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the kinds of household, and of the number of children in those that have some."""

    kinds: dict[int, float]
    children: dict[int, float]


FAMILIES: Final = Mix(
    {SINGLE: 4, COUPLE: 2, FAMILY: 46, LONE: 38, GROWN: 2, THREE_GENERATIONS: 6, CARE_LEAVER: 2},
    {1: 14, 2: 30, 3: 30, 4: 16, 5: 10},
)
EVERYBODY: Final = Mix(
    {SINGLE: 30, COUPLE: 26, FAMILY: 21, LONE: 7, GROWN: 7, LONE_GROWN: 3, THREE_GENERATIONS: 2, SHARED: 3.5,
     CARE_LEAVER: 0.5},
    {1: 44, 2: 39, 3: 12, 4: 4, 5: 1},
)  # fmt: skip
"""England's households after the census of 2021, rounded from memory."""


def _numbers(draws: Draws, size: int, mix: Mix) -> dict[str, pl.Series]:
    """Kind of household, and how many parents (or other adults), grandparents and children it has."""
    kind = draws.choice("kind", size, mix.kinds)
    shared = draws.choice("sharers", size, {2: 30, 3: 25, 4: 20, 5: 15, 6: 10})
    adults = pl.when(kind == SHARED).then(shared).otherwise(kind.is_in(_WITH_COUPLE).cast(pl.Int64) + 1)
    children = draws.choice("children", size, mix.children)
    grown = draws.choice("grown", size, {1: 68, 2: 27, 3: 5})
    twins = draws.below("twins", size, children * _TWINS) & kind.is_in(_WITH_CHILDREN)
    offspring = (
        pl.when(kind.is_in(_WITH_CHILDREN))
        .then(children + twins.cast(pl.Int64))
        .when(kind.is_in(_WITH_GROWN))
        .then(grown)
        .otherwise(0)
    )
    elders = (
        pl.when(kind == THREE_GENERATIONS).then(draws.choice("elders", size, {1: 55, 2: 45})).otherwise(0)
    )
    found = pl.select(kind=kind, adults=adults, elders=elders, offspring=offspring, twins=twins)
    # the twins are children number `twin_at` and the one before, counted from 0; 0 is nobody
    at = (draws.uniform("twin-at", size) * (found["offspring"] - 1)).floor().cast(pl.Int64) + 1
    return {**found.to_dict(), "twin_at": at * found["twins"].cast(pl.Int64)}


def _ages(draws: Draws, size: int, kind: pl.Series) -> dict[str, pl.Series]:
    """In days. eldest: of the children. mother: how much older. adult: of adults without children."""

    def years(name: str, low: float, high: float) -> pl.Series:
        return draws.whole(name, size, int(low * _YEAR), int(high * _YEAR))

    def middling(name: str, low: float, high: float) -> pl.Series:
        return draws.bell(name, size, int(low * _YEAR), int(high * _YEAR))

    students = draws.below("students", size, _STUDENTS)
    shared = pl.when(students).then(years("student", 18.1, 22)).otherwise(years("sharer", 21, 42))
    adult = (
        pl.when(kind == SHARED)
        .then(shared)
        .when(kind == CARE_LEAVER)
        .then(years("leaver", 16.5, 22))
        .when(kind == COUPLE)
        .then(middling("couple", 20, 103))
        .otherwise(years("single", 25, 98))
    )
    eldest = (
        pl.when(kind.is_in(_WITH_GROWN)).then(years("grown", 18, 36)).otherwise(years("eldest", 0.3, 18.9))
    )
    return pl.select(
        adult=adult, eldest=eldest, mother=middling("mother", 15.5, 43), elder=middling("elder", 16, 42)
    ).to_dict()


def _households(draws: Draws, size: int, mix: Mix, area: Area) -> pl.DataFrame:
    origin = origins(draws, size)
    sector = area.homes(draws.under("homes"), origin)
    numbers = _numbers(draws, size, mix)
    mixed = draws.below("mixed", size, _MIXED)
    return pl.DataFrame(
        {
            "household": pl.int_range(size, eager=True),
            **numbers,
            **_ages(draws, size, numbers["kind"]),
            "origin": origin,
            "other_origin": pl.select(
                pl.when(mixed).then(origins(draws.under("mixed"), size)).otherwise(origin)
            ).to_series(),
            "sector": sector,
            "postcode": area.postcodes(draws, "postcode", sector),
            "old_postcode": area.others(draws, "old_postcode", sector),
        }
    )


def _members(draws: Draws, households: pl.DataFrame) -> pl.DataFrame:
    """One row a person: parents or other adults first, then grandparents, then children by age."""
    everyone = pl.int_ranges(0, pl.col("adults") + pl.col("elders") + pl.col("offspring"))
    people = households.with_columns(place=everyone).explode("place")
    child = pl.col("place") - pl.col("adults") - pl.col("elders")
    people = people.with_columns(
        child=child,
        is_child=child >= 0,
        is_elder=(child < 0) & (pl.col("place") >= pl.col("adults")),
        is_sharer=pl.col("kind") == SHARED,
        gap=draws.bell("gap", people.height, 300, 5 * int(_YEAR)),
    )
    people = people.with_columns(days=_days(draws, people))
    # those not yet a week old are not written down anywhere
    written = people.filter(pl.col("days") > 7)  # noqa: PLR2004
    return _with_birth(draws, _with_sex(draws, written))


def _days(draws: Draws, people: pl.DataFrame) -> pl.Expr:
    """Age in days: children from the eldest down, parents above them, grandparents above those."""
    size, year = people.height, int(_YEAR)
    apart = pl.lit(draws.bell("apart", size, -5 * year, 10 * year))
    no_gap = (pl.col("child") <= 0) | (pl.col("child") == pl.col("twin_at"))
    younger = pl.when(no_gap).then(0).otherwise("gap").cum_sum().over("household")
    mother = pl.when(pl.col("offspring") > 0).then(pl.col("eldest") + pl.col("mother")).otherwise("adult")
    days = (
        pl.when("is_child")
        .then(pl.col("eldest") - younger)
        .when("is_elder")
        .then(mother + pl.col("elder") + pl.lit(draws.bell("elders-apart", size, -3 * year, 8 * year)))
        .when("is_sharer")
        .then(mother + pl.lit(draws.whole("sharers-apart", size, 0, 3 * year)))
        .otherwise(mother + pl.when(pl.col("place") > 0).then(apart).otherwise(0))
    )
    adult = pl.when("is_child").then(days).otherwise(days.clip(lower_bound=16 * year))
    return adult.clip(upper_bound=_OLDEST * year)


def _with_sex(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Half and half; four of five lone parents are women; one couple in forty is of one sex."""
    size = people.height
    half, lone = draws.below("sex", size, 0.49), draws.below("lone-parent", size, 0.82)
    alike = draws.below("twins-alike", size, 0.65)
    couple = pl.col("kind").is_in(_WITH_COUPLE) & ~pl.col("is_child") & ~pl.col("is_elder")
    households = people["household"]
    one_sex = pl.lit(draws.below("one-sex", households.n_unique(), _ONE_SEX).gather(households))
    female = (
        pl.when(couple)
        .then((pl.col("place") == 0) ^ (one_sex & (pl.col("place") == 1)))
        .when((pl.col("offspring") > 0) & (pl.col("place") == 0))
        .then(pl.lit(lone))
        .otherwise(pl.lit(half))
    )
    people = people.with_columns(female=female)
    like_twin = (pl.col("twin_at") > 0) & (pl.col("child") == pl.col("twin_at")) & pl.lit(alike)
    female = pl.when(like_twin).then(pl.col("female").shift(1)).otherwise("female")
    return people.with_columns(sex=pl.when(female).then(pl.lit("F")).otherwise(pl.lit("M"))).drop("female")


def _with_birth(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """The date of birth, as the papers have it: 1 January where those of an immigrant give a year alone."""
    rate = of_origin(people["origin"], "jan_first")
    rate = pl.select(pl.when(people["is_child"]).then(rate * _CHILD_JAN_FIRST).otherwise(rate)).to_series()
    heaped = draws.below("jan-first", people.height, rate)
    dob = pl.lit(REFERENCE) - pl.duration(days="days")
    # twins come from one paper
    twin = (pl.col("twin_at") > 0) & pl.col("child").is_between(pl.col("twin_at") - 1, pl.col("twin_at"))
    return people.with_columns(dob=pl.when(pl.lit(heaped) & ~twin).then(dob.dt.truncate("1y")).otherwise(dob))


def population(draws: Draws, households: int, mix: Mix, area: int) -> pl.DataFrame:
    """People with `household`, `origin`, names, `sex`, `dob`, postcodes now and before, `age` in years.

    `known_as`: another forename in use; `old_surname`: another surname; `former_home`: where the person
    alone lived before; each null where there is none. `area`: number of households for which there are
    postcodes; larger than `households` where two populations share them.
    """
    places = Area.of(area)
    people = named(draws, _members(draws, _households(draws, households, mix, places)))
    return people.select(
        "household",
        "origin",
        "forename",
        "middle",
        "known_as",
        "surname",
        "old_surname",
        "sex",
        "dob",
        "postcode",
        "old_postcode",
        places.others(draws, "former_home", people["sector"]),
        "is_child",
        age=(pl.col("days") / _YEAR).floor().cast(pl.Int32),
    )
