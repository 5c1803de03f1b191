"""`flagstone demo`: the whole job on example data, and a check of everything it promises."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.bootstrap import destroy_embedded
from gateway.cli.demo import job, offline
from gateway.cli.demo.cases import Case, PartnerCase, febrl4, generated
from gateway.cli.demo.score import Score, score
from gateway.cli.demo.world import DemoError, World, world
from gateway.cli.exchange import show_refusal, show_results
from gateway.cli.output import err, out, table
from gateway.domain.errors import VerificationError

_SHOWN = 12
_HEALTH_NOTE = (
    "Counts of matched or tied people never leave a partner; these two figures come from the demo's truth."
)


def demo(
    households: Annotated[int, typer.Option(help="Households on the list", min=2)] = 200,
    register: Annotated[int, typer.Option(help="People on each register", min=100)] = 50_000,
    overlap: Annotated[float, typer.Option(help="Share of the list on each register", min=0, max=1)] = 0.85,
    seed: Annotated[str, typer.Option(help="The same seed makes the same people")] = "1",
    febrl: Annotated[
        Path | None, typer.Option(help="Folder of FEBRL 4, to use its people", exists=True)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running")] = False,
    folder: Annotated[Path | None, typer.Option(help="A new folder to work in, and to leave behind")] = None,
) -> None:
    """Run the main job: two partners answer, a third request is refused, the log verifies offline."""
    root = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="flagstone-demo-"))
    try:
        with world(root) as made:
            with working("Making people"):
                people = root / "people"
                case = (
                    febrl4(people, febrl, seed=seed)
                    if febrl
                    else generated(
                        people, seed=seed, households=households, register=register, overlap=overlap
                    )
                )
            show_people(case)
            tokens = run(made, case)
            if keep:
                wait(made, tokens)
    finally:
        if folder is None:
            destroy_embedded(root / "council")
            shutil.rmtree(root)


def run(made: World, case: Case) -> job.Tokens:
    """Every step in order.

    Raises:
        DemoError: something did not hold.
    """
    heading("1. The council makes its keys and starts the gateway")
    with working("Starting PostgreSQL and the gateway"):
        job.open_council(made)
    heading("2. Partners enrol, sign agreements and start their agents")
    for partner in case.partners:
        job.enrol(made, partner)
    tokens = job.add_users(made)
    heading("3. The programme team asks")
    scores = {partner.name: ask(made, case, partner, tokens) for partner in case.partners}
    if case.refused:
        heading("4. A purpose that the policy refuses")
        show_refusal(job.ask_refused(made, case, *case.refused, tokens))
    heading("5. How good the flags are")
    show_scores(case, scores)
    heading("6. The disclosure log, checked by an outsider")
    check_log(made, job.export_log(made, tokens))
    out.print("\nEverything held.", style="bold green")
    return tokens


def show_people(case: Case) -> None:
    """How many people were made, and how many of the list stand on each register."""
    listed = pl.read_csv(case.household_list, infer_schema=False)
    shown = table("People who do not exist", "File", "People", "Of the list")
    households = f"{listed['household_id'].n_unique()} households"
    shown.add_row(case.household_list.name, str(listed.height), households)
    for partner in case.partners:
        rows = pl.scan_csv(partner.register, infer_schema=False).select(pl.len()).collect().item()
        known = case.truth.filter(
            pl.col("register") == partner.register_name, pl.col("record_id").is_not_null()
        ).height
        shown.add_row(partner.register.name, str(rows), f"{known} are on it ({known / listed.height:.0%})")
    out.print(shown)


def ask(made: World, case: Case, partner: PartnerCase, tokens: job.Tokens) -> Score:
    """Ask one partner, show its flags, and score them."""
    with working(f"Asking {partner.name}"):
        told = job.ask(made, case, partner, "identify", tokens)
    results: dict[str, Any] = told["results"]
    citations = dict.fromkeys(ground["citation"] for ground in told["submitted"]["decision"]["basis"])
    out.print(f"Permitted under: {'; '.join(citations)}", markup=False)
    show_results(results, rows=_SHOWN)
    return score(case.truth, partner.register_name, results)


def show_scores(case: Case, scores: dict[str, Score]) -> None:
    """The figures beside the least that is acceptable.

    Raises:
        DemoError: one is below it.
    """
    shown = table("Flags against the truth", "Partner", "Right", "Wrong", "Missed", "Precision", "Recall")
    for name, found in scores.items():
        counts = (str(found.right), str(found.wrong), str(found.missed))
        shown.add_row(name, *counts, f"{found.precision:.4f}", f"{found.recall:.4f}")
    out.print(shown)
    out.print(_HEALTH_NOTE, style="dim")
    for name, found in scores.items():
        if found.precision < case.min_precision or found.recall < case.min_recall:
            raise DemoError(
                f"precision must reach {case.min_precision}, recall {case.min_recall}", place=name
            )


def check_log(made: World, log: Path) -> None:
    """Verify the export with `audit` alone; then change one byte of a copy and have the entry named.

    Raises:
        DemoError: the log does not verify, or the change goes unnoticed.
    """
    outsider, trust = offline.outsider(made.root / "outsider"), made.root / "trust.json"
    verdict = offline.verify(outsider, log, trust)
    out.print(f"$ python -m audit verify {log.name} --trust {trust.name}", style="dim")
    out.print(verdict.text, markup=False)
    if verdict.code:
        raise DemoError("the exported log does not verify", place="audit")
    copy = made.root / "altered-log.txt"
    index = offline.tamper(log, copy, b"exchange.delivered")
    verdict = offline.verify(outsider, copy, trust)
    out.print(f"One byte of entry {index} is changed in a copy:", style="dim")
    out.print(verdict.text, markup=False)
    if verdict.code != VerificationError.exit_code or str(index) not in verdict.text:
        raise DemoError("the changed byte was not found in its entry", place="audit")


def wait(made: World, tokens: job.Tokens) -> None:
    """Say how to reach what runs, and leave it running until interrupted."""
    say: Callable[[str], None] = lambda text: out.print(text, markup=False)  # noqa: E731
    say(f"\nStill running. Everything lies in {made.root}")
    say(f"  export FLAGSTONE_GATEWAY={made.url} FLAGSTONE_HOME={made.council}")
    say(f"  export FLAGSTONE_TOKEN={tokens.programme}   # programme analyst")
    say(f"  export FLAGSTONE_TOKEN={tokens.reviewer}   # IG officer")
    say("Ctrl-C stops it.")
    signal.pause()


def heading(text: str) -> None:
    out.print(f"\n{text}", style="bold")


@contextmanager
def working(what: str) -> Iterator[None]:
    """A progress display for work that takes longer than a moment."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        progress.add_task(what, total=None)
        yield
