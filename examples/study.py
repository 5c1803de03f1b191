"""People for a study of linkage: one register, and for each overlap a list of which that share is on it.

All are drawn from one population. The lists share no household; one register serves all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from examples.draw import Draws
from examples.mistakes import PROFILES, Profile, write_down
from examples.numbers import nhs_numbers
from examples.population import EVERYBODY, population
from gateway.domain.errors import BadInputError

PERSON_COLUMNS: Final = ("person_id", "forename", "surname", "dob", "sex", "postcode", "nhs_number")
_PEOPLE_A_HOUSEHOLD: Final = 2.2  # fewer than there are on average
_SPARE: Final = 100
_IN_FAMILIES: Final = 0.8  # of listed people: in households with a child
_TO_CHOOSE_FROM: Final = 2.5  # people for each listed one, so that there are families enough
_CHILD: Final = 18
_NO_NHS_NUMBER_ON_REGISTER: Final = 0.03
_BY_HOUSEHOLD: Final = 0.5  # of the people not on the register
_STRANGER: Final = -1  # on no list


@dataclass(frozen=True, slots=True, eq=False)
class StudyList:
    """people: `PERSON_COLUMNS` (all text but `dob`, a date) and `household_id`, whole households.

    truth: for each of them `person_id`, `record_id` (the register's `person_id`, null: not on it),
    `origin`, `sex` and `birth_year` (true, not as written), `twin` (a listed sibling has the birthday).
    """

    people: pl.DataFrame
    truth: pl.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """register: `PERSON_COLUMNS`. lists: by overlap, in the order asked for."""

    register: pl.DataFrame
    lists: Mapping[float, StudyList]


def study(
    seed: int | str, listed: int, size: int, overlaps: Sequence[float], profile: str = "typical"
) -> Study:
    """A register of `size` people and a list of about `listed` for each of `overlaps`, exact to the person.

    Who is absent from the register is so half with the whole household, half alone. NHS numbers: 97% of the
    register's rows, of the lists' as the profile says. Postcodes may hold letters for digits, as in life.

    Raises:
        BadInputError: an unknown profile, an overlap outside 0 to 1 or twice, or a register too small.
    """
    if profile not in PROFILES:
        raise BadInputError(f"no such profile; there are {', '.join(PROFILES)}", place="profile")
    if len(set(overlaps)) < len(overlaps) or not all(0 <= overlap <= 1 for overlap in overlaps):
        raise BadInputError("must differ and lie between 0 and 1", place="overlaps")
    draws, rates = Draws(f"study/{seed}"), PROFILES[profile]
    absent = sum(listed * (1 - overlap) for overlap in overlaps)
    people = max(size + absent, _TO_CHOOSE_FROM * listed * len(overlaps))
    households = int(people / _PEOPLE_A_HOUSEHOLD) + _SPARE
    everyone = population(draws, households, EVERYBODY, households)
    everyone = everyone.with_columns(nhs_numbers(draws, everyone.height).alias("nhs_number"))
    everyone = _on_lists(draws, everyone, listed, len(overlaps))
    known = _known(draws, everyone, overlaps, size)
    register = _register(draws.under("register"), everyone.filter(known), rates, households)
    lists = {
        overlap: _list(draws.under(f"list-{number}"), everyone, number, register, rates, households)
        for number, overlap in enumerate(overlaps)
    }
    return Study(register.select(PERSON_COLUMNS), lists)


def _on_lists(draws: Draws, everyone: pl.DataFrame, listed: int, lists: int) -> pl.DataFrame:
    """Adds `person`, a number, and `list`: the number of the list that the household is on, or -1."""
    everyone = everyone.with_row_index("person")
    homes = everyone.group_by("household", maintain_order=True).agg(
        people=pl.len(), family=(pl.col("age") < _CHILD).any()
    )
    homes = homes[draws.order("homes", homes.height)]
    before = pl.col("people").cum_sum().over("family") - pl.col("people")
    share = pl.when("family").then(listed * _IN_FAMILIES).otherwise(listed * (1 - _IN_FAMILIES))
    number = (before / share).floor().cast(pl.Int64)
    homes = homes.select("household", list=pl.when(number < lists).then(number).otherwise(_STRANGER))
    return everyone.join(homes, on="household", how="left", maintain_order="left")


def _known(draws: Draws, everyone: pl.DataFrame, overlaps: Sequence[float], size: int) -> pl.Series:
    """True for those on the register: of each list the share asked for, then strangers."""
    chosen = []
    for number, overlap in enumerate(overlaps):
        on_list = everyone.filter(pl.col("list") == number)
        chosen.append(_present(draws.under(f"present-{number}"), on_list, overlap))
    strangers = everyone.filter(pl.col("list") == _STRANGER)["person"]
    wanted = size - sum(map(len, chosen))
    if not 0 <= wanted <= len(strangers):
        raise BadInputError("too small for the lists and their overlaps", place="size")
    chosen.append(strangers.gather(draws.order("strangers", len(strangers)).head(wanted)))
    here = pl.Series([False]).new_from_index(0, everyone.height)
    return here.scatter(pl.concat(chosen), values=True)


def _present(draws: Draws, on_list: pl.DataFrame, overlap: float) -> pl.Series:
    """Persons of the list who are on the register, in exactly the share `overlap`."""
    absent = on_list.height - round(overlap * on_list.height)
    homes = on_list.group_by("household", maintain_order=True).len()
    homes = homes[draws.order("homes", homes.height)]
    gone = homes.filter(pl.col("len").cum_sum() <= absent * _BY_HOUSEHOLD)
    staying = on_list.join(gone, on="household", how="anti", maintain_order="left")["person"]
    alone = absent - (on_list.height - len(staying))
    return staying.gather(draws.order("alone", len(staying)).tail(len(staying) - alone))


def _numbered(letter: str, width: int) -> pl.Expr:
    return (pl.lit(letter) + pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(width)).alias(
        "person_id"
    )


def _register(draws: Draws, known: pl.DataFrame, rates: Profile, households: int) -> pl.DataFrame:
    """`PERSON_COLUMNS` and `person`, in an order that says nothing."""
    known = known[draws.order("rows", known.height)]
    none = draws.below("no-nhs", known.height, _NO_NHS_NUMBER_ON_REGISTER)
    known = known.with_columns(pl.when(~none).then("nhs_number").alias("nhs_number"))
    written = write_down(draws, known, rates, households, share=rates.register, well_formed=False)
    return written.with_columns(_numbered("R", 8)).select(*PERSON_COLUMNS, "person")


def _list(
    draws: Draws, everyone: pl.DataFrame, number: int, register: pl.DataFrame, rates: Profile, households: int
) -> StudyList:
    listed = everyone.filter(pl.col("list") == number)
    size = listed.height
    none, wrong = (
        draws.below("no-nhs", size, rates.no_nhs_number),
        draws.below("wrong", size, rates.wrong_nhs_number),
    )
    # a neighbour in the file is mostly of the household; the other half is anybody's
    near = draws.below("near", size, 0.5)
    other = pl.when(near).then(pl.col("nhs_number").shift(1)).otherwise(pl.col("nhs_number").shift(size // 2))
    carried = pl.when(wrong).then(pl.coalesce(other, "nhs_number")).otherwise("nhs_number")
    numbered = listed.with_columns(nhs_number=pl.when(~none).then(carried))
    written = write_down(draws, numbered, rates, households, well_formed=False)
    home = pl.col("household").rank("dense").cast(pl.String).str.zfill(6)
    people = written.with_columns(_numbered("P", 7), household_id=pl.lit("H") + home)
    truth = listed.select(
        people["person_id"],
        "person",
        "origin",
        "sex",
        birth_year=pl.col("dob").dt.year(),
        twin=pl.struct("household", "dob").is_duplicated() & pl.col("is_child"),
    ).join(register.select("person", record_id="person_id"), on="person", how="left", maintain_order="left")
    return StudyList(
        people.select(*PERSON_COLUMNS, "household_id"),
        truth.select("person_id", "record_id", "origin", "sex", "birth_year", "twin"),
    )
