"""The people of the demo: generated, or those of FEBRL 4; and what is true of them."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from examples import febrl
from examples.generate import default_registers
from examples.generator import Generated, generate


@dataclass(frozen=True, slots=True)
class PartnerCase:
    """One partner. `register_name`: as the truth calls its register. `approves`: a custodian must approve."""

    slug: str
    name: str
    dataset: str
    register: Path
    register_name: str
    approves: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A household list, the partners it goes to, and the truth that the product never sees.

    `refused`: (dataset, purpose) that must be refused, if any.
    """

    household_list: Path
    partners: tuple[PartnerCase, ...]
    truth: pl.DataFrame
    refused: tuple[str, str] | None
    min_precision: float
    min_recall: float


def generated(folder: Path, *, seed: str, households: int, register: int, overlap: float) -> Case:
    """200 households by default, and the registers of a health trust and a police force."""
    made = generate(seed, households, default_registers(register, overlap))
    made.write(folder)
    return Case(
        household_list=folder / "household-list.csv",
        partners=(
            PartnerCase(
                "trust", "Example NHS Trust", "health-trust", folder / "health.csv", "health", approves=True
            ),
            PartnerCase("police", "Example Police", "police-force", folder / "police.csv", "police"),
        ),
        truth=made.truth,
        refused=("health-trust", "results-claim"),
        min_precision=0.99,
        min_recall=0.9,
    )


def febrl4(folder: Path, source: Path, *, seed: str) -> Case:
    """One half of FEBRL 4 as the list, the other as the partner's register with seeded flags."""
    made: Generated = febrl.prepare(source, seed)
    made.write(folder)
    register = folder / f"{febrl.REGISTER}.csv"
    return Case(
        household_list=folder / "household-list.csv",
        partners=(PartnerCase("febrl", "FEBRL 4", "demo-febrl", register, febrl.REGISTER),),
        truth=made.truth,
        refused=None,
        min_precision=0.99,
        min_recall=0.9,
    )
