"""`flagstone policy`: check a policy folder, explain what it decides."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import count, emit, out, say, table
from gateway.domain.errors import BadInputError, RefusedError
from gateway.domain.legal_date import legal_date
from gateway.settings import read_settings
from policies.decision import AgreementTerms, Question, decide
from policies.explain import explain as in_words
from policies.loader import builtin, load
from policies.model import PolicySet
from policies.reading import PolicyFileError

app = typer.Typer(no_args_is_help=True, help="Check policy files and explain what they decide.")

Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--folder",
        help="A policy folder beside the shipped one; may be repeated. FLAGSTONE_POLICIES if none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The decision as JSON.")]


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A folder with law/, frameworks/ and datasets/.")],
    alone: Annotated[bool, typer.Option("--alone", help="Without the shipped policies beside it.")] = False,
) -> None:
    """Load a folder; name every fault in it by file, key and reason, and exit 3 if there is one."""
    shipped = [] if alone or folder.resolve() == builtin().resolve() else [builtin()]
    try:
        policies = load(*shipped, folder)
    except PolicyFileError as error:
        for problem in error.problems:
            say(str(problem))
        raise typer.Exit(error.exit_code) from None
    counts = ", ".join(
        count(len(each), noun)
        for each, noun in (
            (policies.datasets, "dataset"),
            (policies.frameworks, "framework"),
            (policies.law, "law"),
        )
    )
    out.print(f"Good: {counts}. Policy set {policies.digest}")


@app.command("list")
def list_(folders: Folders = None) -> None:
    """The datasets that can be asked, with their purposes and frameworks."""
    policies = load(builtin(), *_folders(folders))
    rows = [
        (each.id, each.title, ", ".join(each.purposes), ", ".join(each.frameworks))
        for each in policies.datasets.values()
    ]
    out.print(table("Datasets", "Dataset", "Title", "Purposes", "Frameworks", rows=rows))


@app.command()
def explain(
    dataset: Annotated[str, typer.Option("--dataset", help="The dataset asked.")],
    purpose: Annotated[str, typer.Option("--purpose", help="Why it would be asked.")],
    framework: Annotated[str, typer.Option("--framework", help="Needed if the dataset has several.")] = "",
    at: Annotated[str, typer.Option("--at", help="ISO date or moment (UTC unless it says); now.")] = "",
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """What would be decided, and by which law, given a signed agreement and a list of fitting size."""
    policies = load(builtin(), *_folders(folders))
    moment = _moment(at)
    decision = decide(_supposed(policies, dataset, purpose, framework, moment), policies, moment)
    if as_json:
        emit(decision.to_json())
    else:
        say("Supposing a signed agreement with this very policy, and a list within its limits.")
        for line in in_words(decision):
            out.print(line)
    if not decision.permitted:
        raise typer.Exit(RefusedError.exit_code)


def _folders(given: list[Path] | None) -> list[Path]:
    """Those given, or the one that the gateway of this environment would load."""
    own = read_settings().policies
    return given or ([own] if own else [])


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError("not an ISO date or moment", place="--at", way_out="Write 2026-11-22") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _supposed(policies: PolicySet, dataset: str, purpose: str, framework: str, at: datetime) -> Question:
    """A question whose agreement and size are beyond reproach, so that the law alone decides."""
    policy = policies.datasets.get(dataset)
    on = legal_date(at)
    terms = AgreementTerms(
        number="supposed",
        partner="supposed",
        dataset=dataset,
        policy_digest=policy.digest if policy else "",
        valid_from=on,
        valid_to=on,
        signed=True,
        revoked=False,
        dpia_to=on,
        policy_document_to=on,
    )
    households, people = (policy.min_households, policy.min_people) if policy else (1, 1)
    return Question(dataset, purpose, framework, terms, households, people)
