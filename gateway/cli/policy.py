"""`flagstone policy`: check a policy folder, explain what it decides."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import polars as pl
import typer

from gateway.bootstrap import opened
from gateway.cli.files import chunks
from gateway.cli.lists import show_row_errors
from gateway.cli.output import count, emit, out, say, table
from gateway.cli.results import basis
from gateway.domain.errors import BadInputError, RefusedError
from gateway.domain.exchange import ExchangeId
from gateway.domain.legal_date import legal_date
from gateway.domain.people import HouseholdList
from gateway.intake import BadListError, read_household_list
from gateway.service import comparing, policysets
from gateway.service.agreements import ending
from gateway.settings import read_settings
from policies.decision import AgreementTerms, Question, decide
from policies.loader import builtin, load
from policies.model import DatasetPolicy, Framework, PolicySet
from policies.page import Withheld, markdown, page
from policies.reading import PolicyFileError
from policies.rows import withhold
from policies.warnings import policy_warnings

_CHANGES = {"gains": "permitted now; then not met", "loses": "refused now", "differs": "gives something else"}
_SIZE = {True: ", and a list within its limits", False: ""}

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
    """Load a folder; name every fault by file, key and reason and exit 3 if there is one; then warn."""
    own = not alone and folder.resolve() != builtin().resolve()
    today = legal_date(datetime.now(UTC))
    try:
        policies = load(*([builtin(), folder] if own else [folder]), on=today)
    except PolicyFileError as error:
        for problem in error.problems:
            say(str(problem))
        raise typer.Exit(error.exit_code) from None
    for warning in (*policy_warnings(policies, today), *_ending_agreements(policies)):
        say(f"warning: {warning}")
    counts = ", ".join(
        count(len(each), noun)
        for each, noun in (
            (policies.datasets, "dataset"),
            (policies.frameworks, "framework"),
            (policies.law, "law"),
        )
    )
    out.print(f"Good: {counts}. Policy set {policies.digest}")


def _ending_agreements(policies: PolicySet) -> list[str]:
    """Warnings on this installation's agreements, if there is one here."""
    settings = read_settings()
    if not (settings.home / "keys").is_dir():
        return []
    with opened(settings) as installation:
        return ending(installation.operator, policies)


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
    framework: Annotated[
        str, typer.Option("--framework", help="Left out: the one in force, if it is the only one.")
    ] = "",
    at: Annotated[str, typer.Option("--at", help="ISO date or moment (UTC unless it says); now.")] = "",
    list_file: Annotated[
        Path | None,
        typer.Option("--list", exists=True, dir_okay=False, help="A list: who would stay behind, and why."),
    ] = None,
    folders: Folders = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The page as Markdown.")] = False,
) -> None:
    """What would be decided, and by which law, given a signed agreement and a list of fitting size.

    With --list that list is judged as well, on this machine: its size, and each row by the row rules.
    """
    policies = load(builtin(), *_folders(folders))
    moment = _moment(at)
    people = _read(list_file, policies.datasets.get(dataset), moment) if list_file else None
    question = _supposed(policies, dataset, purpose, framework, moment)
    withheld = None
    if people is not None:
        question = replace(question, households=people.households, people=len(people))
    decision = decide(question, policies, moment)
    known = policies.datasets.get(decision.dataset), policies.frameworks.get(decision.framework)
    if people is not None and known[0] and known[1]:
        found = withhold(people, known[0], known[1], legal_date(moment))
        withheld = _withheld(people, found, known[1])
        kept = people.frame.join(found, on="person_id", how="anti")
        question = replace(question, households=kept["household_id"].n_unique(), people=kept.height)
        decision = decide(question, policies, moment)
    supposing = "a signed agreement with this very policy" + _SIZE[people is None]
    sections = page(decision, policies, withheld, supposing)
    if as_json:
        told = {section.title: list(section.lines) for section in sections}
        emit(decision.to_json() | {"page": told})
    elif as_markdown:
        print(markdown(f"{dataset}: {purpose}" if known[0] else "Decision", sections))  # noqa: T201
    else:
        for section in sections:
            out.print(section.title, style="bold")
            for line in section.lines:
                out.print(f"- {line}")
    if not decision.permitted:
        raise typer.Exit(RefusedError.exit_code)


@app.command()
def replay(exchange: Annotated[UUID, typer.Argument(help="The exchange")]) -> None:
    """Decide a past exchange anew with the policies of then; exit 5 if anything comes out otherwise."""
    with opened(read_settings()) as installation:
        told = policysets.replay(installation.operator, ExchangeId(exchange))
    out.print(f"Permitted under: {', '.join(basis(told.decision))}")
    out.print("The list's decision came out the same, byte for byte")
    if told.rows is None:
        out.print("The rows' decisions can't be replayed: what they were taken on is destroyed")
    else:
        out.print(f"The rows' decisions came out the same: {count(told.rows, 'row')} withheld")


@app.command()
def compare(
    draft: Annotated[Path, typer.Argument(help="A draft of the council's own policy folder.")],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Logged requests from this day on.")],
    as_json: Json = False,
) -> None:
    """Which logged requests a draft would have decided otherwise, and why."""
    policies = load(builtin(), draft, on=legal_date(datetime.now(UTC)))
    with opened(read_settings()) as installation:
        found = comparing.compare(installation.operator, policies, since.date())
    if as_json:
        emit([asdict(each) | {"at": each.at.isoformat(), "change": each.change} for each in found])
        return
    changed = [each for each in found if each.change != "same"]
    rows = [
        (
            legal_date(each.at).isoformat(),
            f"{each.user}\nto {each.recipient or 'nobody'}",
            f"{each.dataset}\n{each.purpose}",
            _CHANGES[each.change],
            "\n".join(each.what or each.why),
        )
        for each in changed
    ]
    if rows:
        out.print(table("Decided otherwise", "Day", "Who", "Asked", "Change", "What and why", rows=rows))
    gained, lost, differ = (sum(e.change == change for e in changed) for change in _CHANGES)
    out.print(
        f"{count(len(found), 'logged request')}: {gained} would be permitted that were not, {lost} would no "
        f"longer be permitted, {differ} would give something else"
    )


def _withheld(people: HouseholdList, found: pl.DataFrame, framework: Framework) -> Withheld:
    by_reason = found.group_by("reason", maintain_order=True).agg("line").rows()
    met = people.frame.group_by("household_id").agg(pl.col("met_indicators").explode())["met_indicators"]
    return Withheld(
        people=len(people),
        lines={code: tuple(lines) for code, lines in by_reason},
        households=people.households,
        reached=sum(framework.reached_by(codes.drop_nulls().to_list()) for codes in met),
        threshold=str(framework.threshold),
    )


def _read(file: Path, policy: DatasetPolicy | None, at: datetime) -> HouseholdList:
    checked = not (policy and policy.any_postcode)
    try:
        return read_household_list(chunks(file), today=legal_date(at), postcode_check=checked).people
    except BadListError as error:
        show_row_errors(error.rows)
        raise BadInputError(str(error.reason), place=file.name, way_out="Correct the rows") from None


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
