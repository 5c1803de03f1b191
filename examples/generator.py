"""Household lists and registers of people who do not exist, with the truth about who is who.

The same seed and sizes give the same bytes. Lists and registers are drawn from one population, so that
namesakes, siblings and twins of a listed person stand on a register without the person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from examples.draw import Draws
from examples.mistakes import PROFILES, Profile, write_down
from examples.names import table
from examples.numbers import nhs_numbers, ninos, upns
from examples.population import EVERYBODY, FAMILIES, population
from gateway.domain.errors import BadInputError

HEALTH_INDICATORS: Final = (
    "health.adult_mental_health",
    "health.child_mental_health",
    "health.adult_substance",
    "health.child_substance",
)
POLICE_INDICATORS: Final = (
    "crime.proven_offence_12m",
    "crime.asb_intervention_12m",
    "dva.police_callout_12m",
)
LIST_INDICATORS: Final = (
    "edu.persistent_absence_3t",
    "edu.fixed_exclusions_3",
    "work.adult_oow_benefit",
    "child.cin_s17",
    "crime.asb_intervention_12m",
)

_OBJECTED: Final = 0.03
_CONSENT: Final[dict[int, float]] = {1: 85, 0: 10, -1: 5}  # yes, no, not recorded
_AWAY: Final = 0.05
_NO_NHS_NUMBER_ON_REGISTER: Final = 0.03
_PEOPLE_A_HOUSEHOLD: Final = 2.1  # fewer than everybody's households hold on average
_SPARE: Final = 12  # households, lest a few of them happen to be small
_HAS_OTHER_NUMBER: Final = 0.4  # listed people with a UPN or a NINO
_AREA, _NEXT_AREA = "Norbridge", "Eastmere"  # no such places
_SCHOOL, _ADULT, _OLDEST_PUPIL = 5, 16, 18
_IN_EDUCATION: Final = 0.8  # of those aged 16 to 18


_NO_TRUTH: Final = pl.DataFrame(
    schema={
        "person_id": pl.String,
        "household_id": pl.String,
        "register": pl.String,
        "record_id": pl.String,
        "objected": pl.Boolean,
        "flags": pl.String,
    }
)


@dataclass(frozen=True, slots=True)
class RegisterSpec:
    """One register to make.

    size: rows. overlap: share of the listed people who are on it. indicators: codes of `indicators.csv`.
    """

    name: str
    size: int
    overlap: float
    indicators: tuple[str, ...]
    nhs_numbers: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 1:
            raise BadInputError("overlap must lie between 0 and 1", place=f"register {self.name}")
        if self.size < 1:
            raise BadInputError("size must be at least 1", place=f"register {self.name}")


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """What `generate` made.

    household_list: columns of a household list. registers: by name, person columns, `objected` and one
    Boolean for each indicator. truth: one row for each listed person and register: `person_id`,
    `household_id`, `register`, `record_id` (the register's `person_id`, null when not on it), `objected`,
    `flags` (codes met there, joined by `;`).
    """

    household_list: pl.DataFrame
    registers: dict[str, pl.DataFrame]
    truth: pl.DataFrame

    def write(self, folder: Path) -> list[Path]:
        """household-list.csv, one CSV a register, truth.csv."""
        folder.mkdir(parents=True, exist_ok=True)
        frames = {"household-list": self.household_list, **self.registers, "truth": self.truth}
        for name, frame in frames.items():
            frame.write_csv(folder / f"{name}.csv")
        return [folder / f"{name}.csv" for name in frames]


def generate(
    seed: int | str, households: int, registers: Sequence[RegisterSpec], profile: str = "typical"
) -> Generated:
    """Make a list of `households` and every register.

    Raises:
        BadInputError: an unknown profile, or a register too small for its overlap.
    """
    if profile not in PROFILES:
        raise BadInputError(f"no such profile; there are {', '.join(PROFILES)}", place="profile")
    draws, rates = Draws(str(seed)), PROFILES[profile]
    strangers = int(max((spec.size for spec in registers), default=0) / _PEOPLE_A_HOUSEHOLD) + _SPARE
    area = households + strangers
    listed = _with_ids(population(draws.under("list"), households, FAMILIES, area))
    others = _strangers(draws.under("others"), households, strangers)
    listed, others = _numbered(draws, listed, others)
    listed = _flagged(draws.under("listed-flags"), listed, "list_rate")
    others = _flagged(draws.under("other-flags"), others, "population_rate")
    made = {
        spec.name: _register(draws.under(spec.name), spec, pl.concat([listed, others]), rates, area)
        for spec in registers
    }
    return Generated(
        _household_list(draws.under("written"), listed, rates, area),
        {name: register.drop("listed") for name, register in made.items()},
        pl.concat([_truth(listed, name, register) for name, register in made.items()]) if made else _NO_TRUTH,
    )


def _with_ids(people: pl.DataFrame) -> pl.DataFrame:
    number, household = _padded(pl.int_range(1, pl.len() + 1), 6), _padded(pl.col("household") + 1, 5)
    return people.with_columns(listed=pl.lit("P") + number, household_id=pl.lit("H") + household)


def _padded(number: pl.Expr, width: int) -> pl.Expr:
    return number.cast(pl.String).str.zfill(width)


def _strangers(draws: Draws, listed: int, households: int) -> pl.DataFrame:
    """Everybody else; their households are numbered after the `listed` ones."""
    people = population(draws, households, EVERYBODY, listed + households)
    nobody = pl.lit(None, pl.String)
    return people.with_columns(household=pl.col("household") + listed, listed=nobody, household_id=nobody)


def _numbered(draws: Draws, listed: pl.DataFrame, others: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """NHS numbers, distinct over both; listed people first, should the range run out."""
    numbers = nhs_numbers(draws, listed.height + others.height).alias("nhs_number")
    return (
        listed.with_columns(numbers.head(listed.height)),
        others.with_columns(numbers.tail(others.height)),
    )


def _flagged(draws: Draws, people: pl.DataFrame, rate: str) -> pl.DataFrame:
    """One Boolean for each code: true of the person, whoever writes it down."""
    return people.with_columns(
        (
            pl.lit(draws.below(row["code"], people.height, row[rate]))
            & pl.col("age").is_between(row["from_age"], row["to_age"])
        ).alias(row["code"])
        for row in table("indicators").iter_rows(named=True)
    )


def _register(
    draws: Draws, spec: RegisterSpec, people: pl.DataFrame, rates: Profile, households: int
) -> pl.DataFrame:
    """The register, with `listed`: the person's id on the list, or null."""
    on_list = people["listed"].count()
    known = round(spec.overlap * on_list)
    if known > spec.size:
        raise BadInputError("smaller than its overlap with the list", place=f"register {spec.name}")
    chosen = pl.concat(
        [
            draws.order("known", on_list).head(known),
            draws.order("strangers", people.height - on_list).head(spec.size - known) + on_list,
        ]
    )
    members = people[chosen.gather(draws.order("rows", len(chosen)))]
    no_number = draws.below(
        "no-number", members.height, _NO_NHS_NUMBER_ON_REGISTER if spec.nhs_numbers else 1
    )
    return write_down(draws, members, rates, households, share=rates.register).select(
        pl.format("{}-{}", pl.lit(spec.name), _padded(pl.int_range(1, pl.len() + 1), 7)).alias("person_id"),
        "forename",
        "surname",
        "dob",
        "sex",
        "postcode",
        pl.when(~no_number).then("nhs_number").alias("nhs_number"),
        draws.below("objected", members.height, _OBJECTED).alias("objected"),
        *spec.indicators,
        "listed",
    )


def _met(codes: Sequence[str]) -> pl.Expr:
    """The codes whose Boolean is true, joined by semicolons; null when there is none."""
    met = pl.concat_str(
        (pl.when(code).then(pl.lit(code)) for code in codes), separator=";", ignore_nulls=True
    )
    return pl.when(met != "").then(met)


def _household_list(draws: Draws, listed: pl.DataFrame, rates: Profile, households: int) -> pl.DataFrame:
    size = listed.height
    word = {1: "yes", 0: "no", -1: None}
    consent = draws.choice("consent", households, _CONSENT).gather(listed["household"])
    away = draws.below("away", households, _AWAY).gather(listed["household"])
    pupil = pl.col("age").is_between(_SCHOOL, _ADULT - 1)
    staying = pl.col("age").is_between(_ADULT, _OLDEST_PUPIL)
    no_number = draws.below("no-nhs", size, rates.no_nhs_number)
    wrong = draws.below("wrong-nhs", size, rates.wrong_nhs_number)
    has_number = draws.below("has-number", size, _HAS_OTHER_NUMBER)
    number = pl.when(wrong).then(pl.col("nhs_number").shift(1)).otherwise("nhs_number")
    return write_down(
        draws, listed.with_columns(upns(size).alias("upn"), ninos(size).alias("nino")), rates, households
    ).select(
        "household_id",
        pl.col("listed").alias("person_id"),
        "forename",
        "surname",
        "dob",
        "sex",
        "postcode",
        pl.when(~no_number).then(number).alias("nhs_number"),
        pl.when(pupil & has_number).then("upn").alias("upn"),
        pl.when((pl.col("age") >= _ADULT) & has_number).then("nino").alias("nino"),
        _met(LIST_INDICATORS).alias("met_indicators"),
        consent.replace_strict(word, return_dtype=pl.String).alias("consent"),
        pl.when(pupil)
        .then(pl.lit("yes"))
        .when(staying)
        .then(pl.when(draws.below("stays", size, _IN_EDUCATION)).then(pl.lit("yes")).otherwise(pl.lit("no")))
        .alias("in_education"),
        pl.when(away).then(pl.lit(_NEXT_AREA)).otherwise(pl.lit(_AREA)).alias("area"),
    )


def _truth(listed: pl.DataFrame, name: str, register: pl.DataFrame) -> pl.DataFrame:
    codes = [code for code in table("indicators")["code"] if code in register.columns]
    on = register.filter(pl.col("listed").is_not_null()).select(
        "objected", record_id="person_id", person_id="listed", flags=_met(codes)
    )
    return (
        listed.select("household_id", person_id="listed", register=pl.lit(name))
        .join(on, on="person_id", how="left", maintain_order="left")
        .select(_NO_TRUTH.columns)
    )
