"""The people of the benches, made once for a seed and size and kept in build/bench."""

from pathlib import Path

import polars as pl

from examples.generate import default_registers
from examples.generator import Generated, generate
from gateway.cli.demo.cases import Case, PartnerCase

CACHE = Path(__file__).parents[1] / "build" / "bench"
SLUG = REGISTER = "police"
OVERLAP = 0.85
_DRAWN = 1.6  # households drawn for each one asked about: their largest hold 4.5 people on average
_BORN_SINCE = pl.date(2014, 1, 1)  # children, for the row rules, until the end of 2029


def case(seed: str, households: int, register: int) -> Case:
    """`households` households of which the policy withholds hardly anybody, and the police's register."""
    folder = CACHE / f"{seed}-{households}-{register}"
    if not (folder / "truth.csv").exists():  # the last one written
        _make(seed, households, register).write(folder)
    partner = PartnerCase(SLUG, "Example Police", "police-force", folder / f"{REGISTER}.csv", REGISTER)
    truth = pl.read_csv(folder / "truth.csv", infer_schema=False)
    truth = truth.with_columns(objected=pl.col("objected") == "true")
    return Case(folder / "household-list.csv", (partner,), truth, None, min_precision=0.99, min_recall=0.9)


def _make(seed: str, households: int, register: int) -> Generated:
    specs = [spec for spec in default_registers(register, OVERLAP) if spec.name == REGISTER]
    made = generate(seed, round(households * _DRAWN), specs)
    return Generated(
        household_list=_largest(made.household_list, households),
        registers=made.registers,
        truth=made.truth.join(_largest(made.household_list, households), on="person_id", how="semi"),
    )


def _largest(people: pl.DataFrame, households: int) -> pl.DataFrame:
    asked = pl.col("met_indicators").is_not_null().any() & (pl.col("dob") > _BORN_SINCE).any()
    largest = (
        people.filter(asked.over("household_id"))
        .group_by("household_id", maintain_order=True)
        .len()
        .sort("len", descending=True, maintain_order=True)
        .head(households)
    )
    return people.join(largest, on="household_id", how="semi", maintain_order="left")
