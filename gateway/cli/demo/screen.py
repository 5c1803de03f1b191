"""What the demo shows between the commands."""

from typing import Any

import polars as pl

from gateway.cli.demo.cases import Case
from gateway.cli.demo.job import Tokens
from gateway.cli.demo.offline import Verdict
from gateway.cli.demo.score import Score
from gateway.cli.demo.world import World
from gateway.cli.output import out, table
from gateway.cli.results import basis


def show_people(case: Case) -> None:
    """How many people were made, and how many of the list stand on each register."""
    listed = pl.read_csv(case.household_list, infer_schema=False)
    households = f"{listed['household_id'].n_unique()} households"
    rows = [(case.household_list.name, "the council's list", f"{listed.height:,}", f"in {households}")]
    for partner in case.partners:
        people = pl.scan_csv(partner.register, infer_schema=False).select(pl.len()).collect().item()
        known = case.truth.filter(
            pl.col("register") == partner.register_name, pl.col("record_id").is_not_null()
        ).height
        share = f"{known:,} ({known / listed.height:.0%})"
        rows.append((partner.register.name, f"register of {partner.name}", f"{people:,}", share))
    out.print(table("", "File", "What", "People", "Of the list", rows=rows))


def show_basis(decision: dict[str, Any]) -> None:
    """The law that the permit rests on."""
    out.print("Permitted under:")
    for citation in basis(decision):
        out.print(f"  {citation}")


def show_scores(scores: dict[str, Score]) -> None:
    """Precision and recall, and where they come from."""
    headers = ("Partner", "Right", "Wrong", "Missed", "Precision", "Recall")
    rows = [
        (
            name,
            str(found.right),
            str(found.wrong),
            str(found.missed),
            f"{found.precision:.4f}",
            f"{found.recall:.4f}",
        )
        for name, found in scores.items()
    ]
    out.print(table("Flags against the truth", *headers, rows=rows))
    out.print(
        "Worked out by the demo from the generator's truth. The product can't know it: counts of", style="dim"
    )
    out.print("matched or tied people never leave a partner.", style="dim")


def show_verdict(log: str, verdict: Verdict) -> None:
    """What the verifier was asked, and what it said."""
    out.print(f"auditor$ python -m audit verify {log} --trust trust.json", style="dim")
    out.print(f"{verdict.text}\n(exit code {verdict.code})")


def show_reach(world: World, tokens: Tokens) -> None:
    """How to type commands at what still runs."""
    out.print(f"\nStill running, until Ctrl-C. Everything lies in {world.root}", style="bold")
    out.print("In another terminal, as the programme analyst:")
    out.print(f"  export FLAGSTONE_GATEWAY={world.url}")
    out.print(f"  export FLAGSTONE_TOKEN={tokens.programme}")
    out.print("  flagstone exchange list")
    out.print("as the IG officer:")
    out.print(f"  export FLAGSTONE_GATEWAY={world.url}")
    out.print(f"  export FLAGSTONE_TOKEN={tokens.reviewer}")
    out.print("  flagstone log find")
    out.print("as the operator:")
    out.print(f"  export FLAGSTONE_HOME={world.council}")
    out.print("  flagstone partner list")
