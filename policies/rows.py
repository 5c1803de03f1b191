"""Row rules: which people are withheld from a list before it leaves, and why. Column-wise throughout."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from gateway.domain.people import HouseholdList
from policies.model import ConsentRule, DatasetPolicy, Framework, RowRules

ASKED_TOO_SOON: Final = "asked-too-soon"

REASONS: Final = {
    "no-consent": "The person's explicit consent is not recorded",
    "out-of-area": "The person does not live in an area that the policy covers",
    "no-indicator-met": "Nobody in the household is recorded as meeting an indicator of the framework",
    "no-dependent-child": "The household has no dependent child on the day",
    "household-too-large": "The household has more people than the policy takes for one",
    ASKED_TOO_SOON: "The household was asked about within the interval that the policy sets",
    "household-cut-to-one": "Too few people of the household remain: a list must not single one person out",
}
"""Reason codes and what they say, in the order of trial; a person gets the first that applies."""

_CHILD_TO: Final = 15
_STUDENT_TO: Final = 18
_PARENT_AFTER: Final = 14
"""Years between a student of 16 to 18 and the youngest who could be the parent that it lives with."""

SCHEMA: Final = pl.Schema(
    {"line": pl.UInt32, "household_id": pl.String, "person_id": pl.String, "reason": pl.String}
)
_BOOLEANS: Final = ("consent", "in_area", "met", "dependent", "asked")
FACTS: Final = pl.Schema(
    {"line": pl.UInt32, "household_id": pl.String, "person_id": pl.String}
    | dict.fromkeys(_BOOLEANS, pl.Boolean)
)
NOTHING_WITHHELD: Final = pl.DataFrame(schema=SCHEMA)


def withhold(
    people: HouseholdList,
    policy: DatasetPolicy,
    framework: Framework,
    on: date,
    asked: Collection[str] = (),
) -> pl.DataFrame:
    """The people that a policy withholds on a day, in the order of the list; schema `SCHEMA`.

    `asked`: ids of households that were asked about within the policy's interval. Facts about a household (an
    indicator met, a dependent child) are read from all its rows, withheld ones too: they are the council's
    own, and withholding a person does not undo them.
    """
    return judge(facts(people, framework, on, policy.row_rules.areas, asked), policy.row_rules)


def facts(
    people: HouseholdList, framework: Framework, on: date, areas: Collection[str], asked: Collection[str] = ()
) -> pl.DataFrame:
    """What the row rules look at, and no more: no name, no date of birth; schema `FACTS`, never null."""
    codes = [indicator.code for indicator in framework.indicators]
    return people.frame.select(
        "line",
        "household_id",
        "person_id",
        consent=pl.col("consent").fill_null(value=False),
        in_area=pl.col("area").is_in(list(areas)).fill_null(value=False),
        met=pl.col("met_indicators").list.eval(pl.element().is_in(codes)).list.any().fill_null(value=False),
        dependent=is_dependent(on) | (_expecting() if framework.expectant_parents else pl.lit(False)),
        asked=pl.col("household_id").is_in(list(asked)),
    ).cast(FACTS)


def judge(told: pl.DataFrame, rules: RowRules) -> pl.DataFrame:
    """Who is withheld, from `facts` alone: the same facts give the same answer for ever."""
    reasons = [pl.when(rule).then(pl.lit(code)) for code, rule in _rules(rules)]
    reason = pl.coalesce([*reasons, pl.lit(None, pl.String)])
    judged = told.select("line", "household_id", "person_id", reason.alias("reason"))
    remaining = pl.col("reason").is_null().sum().over("household_id")
    cut = pl.col("reason").is_null() & (remaining < rules.min_household)
    return (
        judged.with_columns(
            pl.when(cut).then(pl.lit("household-cut-to-one")).otherwise("reason").alias("reason")
        )
        .filter(pl.col("reason").is_not_null())
        .cast(SCHEMA)
    )


def packed(told: pl.DataFrame) -> dict[str, Any]:
    """`facts` as JSON to be sealed: no id of the council's, a household by its place among them."""
    place = told["household_id"].rle_id() if told.is_empty() else told["household_id"].rank("dense") - 1
    bits = {name: "".join("1" if bit else "0" for bit in told[name]) for name in _BOOLEANS}
    return {"line": told["line"].to_list(), "household": place.to_list()} | bits


def unpacked(kept: Mapping[str, Any]) -> pl.DataFrame:
    """`facts` again, with places for ids: `judge` says the same of them, by line."""
    line = [str(number) for number in kept["line"]]
    columns = {
        "line": kept["line"],
        "household_id": [str(each) for each in kept["household"]],
        "person_id": line,
    }
    return pl.DataFrame(
        columns | {name: [bit == "1" for bit in kept[name]] for name in _BOOLEANS}, schema=FACTS
    )


def _rules(rules: RowRules) -> Iterable[tuple[str, pl.Expr]]:
    """Each rule that is on, true where a row breaks it."""
    if rules.consent is ConsentRule.EXPLICIT:
        yield "no-consent", ~pl.col("consent")
    if rules.areas:
        yield "out-of-area", ~pl.col("in_area")
    if rules.indicator_met:
        yield "no-indicator-met", ~pl.col("met").any().over("household_id")
    if rules.dependent_child:
        yield "no-dependent-child", ~pl.col("dependent").any().over("household_id")
    yield "household-too-large", pl.len().over("household_id") > rules.max_household
    yield ASKED_TOO_SOON, pl.col("asked")


def is_dependent(on: date) -> pl.Expr:
    """Whether a person is a dependent child on a day: 0-15, or 16-18 in full-time education (Census 2011).

    A student of 16 to 18 lives with a parent: somebody of the household is 14 years older. One who lives
    with a spouse, partner or child of their own is not dependent (`own_family`). Never null: no date of
    birth, or one after the day, is not dependent.
    """
    age = _age(on)
    at_school = pl.col("in_education").fill_null(value=False) & ~pl.col("own_family").fill_null(value=False)
    with_parent = age.max().over("household_id") >= age + _PARENT_AFTER
    student = at_school & (age <= _STUDENT_TO) & with_parent
    return ((age >= 0) & ((age <= _CHILD_TO) | student)).fill_null(value=False)


def _expecting() -> pl.Expr:
    return pl.col("expecting").fill_null(value=False)


def _age(on: date) -> pl.Expr:
    """Completed years; someone born on 29 February completes a year on 1 March of a common year."""
    born = pl.col("dob")
    ahead = (born.dt.month() > on.month) | ((born.dt.month() == on.month) & (born.dt.day() > on.day))
    return on.year - born.dt.year() - ahead.cast(pl.Int32)
