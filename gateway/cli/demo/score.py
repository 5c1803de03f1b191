"""Precision and recall of the flags, worked out from the generator's truth, never by the product."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from gateway.bundle.tables import ANY
from gateway.domain.exchange import Granularity


@dataclass(frozen=True, slots=True)
class Score:
    """Flags (household x indicator, or households alone): right ones, wrong ones, and missed ones."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def score(truth: pl.DataFrame, register: str, results: dict[str, Any]) -> Score:
    """Compare the released flags with the truth about the people who were asked about.

    What was withheld or not asked about, and an objection, must give no flag: it is left out of what is true.
    """
    withheld = [row["person_id"] for row in results["withheld"]]
    true = {pair for pair in _pairs(truth, register, withheld) if pair[1] in results["indicators"]}
    if results["granularity"] == Granularity.HOUSEHOLD_ANY:
        true = {(household, ANY) for household, _ in true}
    given = {(unit["household_id"], code) for unit in results["units"] for code in unit["flags"]}
    return Score(len(given & true), len(given - true), len(true - given))


def _pairs(truth: pl.DataFrame, register: str, withheld: Collection[str]) -> set[tuple[str, str]]:
    asked = truth.filter(
        pl.col("register") == register,
        pl.col("record_id").is_not_null(),
        ~pl.col("objected").fill_null(value=False),
        ~pl.col("person_id").is_in(withheld),
        pl.col("flags").fill_null("") != "",
    )
    flags = asked.select("household_id", pl.col("flags").str.split(";")).explode("flags")
    return set(flags.unique().rows())
