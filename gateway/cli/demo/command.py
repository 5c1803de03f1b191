"""`flagstone demo`: the whole job on example data, and a check of everything it promises."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.bootstrap import destroy_embedded
from gateway.cli.demo import job, offline, screen
from gateway.cli.demo.cases import Case, PartnerCase, febrl4, generated
from gateway.cli.demo.score import Score, score
from gateway.cli.demo.world import DemoError, World, world
from gateway.cli.output import err, out, say
from gateway.cli.results import show_refusal, show_results
from gateway.domain.errors import VerificationError

_SHOWN = 12


def demo(
    households: Annotated[int, typer.Option(help="Households on the list", min=2)] = 200,
    register: Annotated[int, typer.Option(help="People on each register", min=100)] = 50_000,
    overlap: Annotated[float, typer.Option(help="Share of the list on each register", min=0, max=1)] = 0.85,
    seed: Annotated[str, typer.Option(help="The same seed makes the same people")] = "1",
    febrl: Annotated[
        Path | None, typer.Option(help="Folder of FEBRL 4, to use its people", exists=True)
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running until Ctrl-C, and say how to reach it")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="A new folder to work in, and to leave behind")] = None,
) -> None:
    """Run the main job: two partners answer, a third request is refused, the log verifies offline."""
    if folder is not None and folder.exists():
        raise DemoError("it exists already", place="--folder", way_out="Name a new folder")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # so that what was started is stopped too
    root = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="flagstone-demo-"))

    def people() -> Case:
        made = root / "people"
        if febrl:
            return febrl4(made, febrl, seed=seed)
        return generated(made, seed=seed, households=households, register=register, overlap=overlap)

    try:
        with world(root) as made, _explained(made):
            heading("1. People who do not exist")
            with working("Making people"):
                case = people()
            screen.show_people(case)
            tokens = run(made, case)
            if keep:
                wait(made, tokens)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it behind
        if folder is None:
            destroy_embedded(root / "council")
            shutil.rmtree(root)


def run(made: World, case: Case) -> job.Tokens:
    """Every step in order.

    Raises:
        DemoError: something did not hold.
    """
    heading("2. The council starts its gateway; partners enrol, sign and start their agents")
    with working("Starting PostgreSQL and the gateway"):
        job.open_council(made)
    for partner in case.partners:
        with working(f"Enrolling {partner.name}"):
            job.enrol(made, partner)
    with working("Adding users"):
        tokens = job.add_users(made)
    heading("3. The programme team asks")
    results = {partner: ask(made, case, partner, tokens) for partner in case.partners}
    if case.refused:
        dataset, purpose = case.refused
        subheading(f"{dataset}, purpose {purpose}: refused")
        with working("Asking what the policy refuses"):
            decision = job.ask_refused(made, case, dataset, purpose, tokens)
        show_refusal(decision, out)
    heading("4. The flags, the withheld rows, and how good the flags are")
    for told in results.values():
        show_results(told, limit=_SHOWN)
    check_scores(case, {each.name: score(case.truth, each.register_name, results[each]) for each in results})
    heading("5. The disclosure log, checked by an outsider")
    with working("Exporting and verifying the log"):
        check_log(made, job.export_log(made, tokens))
    out.print("\nEverything held.", style="bold green")
    return tokens


def ask(made: World, case: Case, partner: PartnerCase, tokens: job.Tokens) -> dict[str, Any]:
    """Ask one partner, show the law that permits it, and return its results."""
    subheading(f"{partner.dataset}, purpose identify: permitted")
    with working(f"Asking {partner.name}"):
        told = job.ask(made, case, partner, "identify", tokens)
    screen.show_basis(told["submitted"]["decision"])
    results: dict[str, Any] = told["results"]
    return results


def check_scores(case: Case, scores: dict[str, Score]) -> None:
    """Show the figures, and hold them to the least that is acceptable.

    Raises:
        DemoError: one is below it.
    """
    screen.show_scores(scores)
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
    screen.show_verdict(log.name, verdict)
    if verdict.code:
        raise DemoError("the exported log does not verify", place="audit")
    copy = made.root / "altered-log.txt"
    index = offline.tamper(log, copy, b"exchange.delivered")
    verdict = offline.verify(outsider, copy, trust)
    out.print(f"\nOne byte of entry {index} is changed in a copy:")
    screen.show_verdict(copy.name, verdict)
    if verdict.code != VerificationError.exit_code or str(index) not in verdict.text:
        raise DemoError("the changed byte was not found in its entry", place="audit")


def wait(made: World, tokens: job.Tokens) -> None:
    """Say how to reach what runs, and leave it running until interrupted."""
    screen.show_reach(made, tokens)
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("Stopping")


def heading(text: str) -> None:
    out.print(f"\n{text}", style="bold cyan")


def subheading(text: str) -> None:
    out.print(f"\n{text}", style="bold")


@contextmanager
def working(what: str) -> Iterator[None]:
    """A progress display for work that takes longer than a moment; none where nobody watches."""
    console = out if out.is_terminal else err
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


@contextmanager
def _explained(made: World) -> Iterator[None]:
    """When a step fails, show the last lines that the processes said."""
    try:
        yield
    except DemoError:
        say(made.last_words())
        raise
