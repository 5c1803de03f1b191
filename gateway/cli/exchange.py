"""`flagstone exchange`: what a programme analyst types."""

import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.client import GatewayError, api, call
from gateway.cli.files import check_size, chunks, write_private
from gateway.cli.lists import show_row_errors
from gateway.cli.output import emit, err, out, say, table
from gateway.intake import RowError, rejects_csv
from gateway.service.results import NO_FLAG
from policies.rows import REASONS

app = typer.Typer(help="Ask a partner about a household list.", no_args_is_help=True)

Exchange = Annotated[uuid.UUID, typer.Argument(help="The exchange's id")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]
_ENDED = {"released", "declined", "cancelled", "expired", "failed"}


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="CSV, XLSX or Parquet", exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Option(help="The partner's dataset")],
    purpose: Annotated[str, typer.Option(help="Why you ask")],
    framework: Annotated[str, typer.Option(help="Indicator set")] = "local",
    partner: Annotated[str | None, typer.Option(help="Needed only when several hold the dataset")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Repeat a submission safely")] = None,
    accept_valid: Annotated[bool, typer.Option(help="Go on with the good rows")] = False,
    rejects: Annotated[Path | None, typer.Option(help="Where to write rejected lines")] = None,
    json_: AsJson = False,
) -> None:
    """Submit a household list; print the exchange id, or the refusal and its reasons."""
    check_size(file)
    params = {"dataset": dataset, "purpose": purpose, "framework": framework}
    if accept_valid:
        params["accept_valid"] = "true"
    if partner:
        params["partner"] = partner
    headers = {
        "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
        "Content-Type": "application/octet-stream",
    }
    with api() as client:
        try:
            told = call(client, "POST", "/v1/exchanges", params=params, headers=headers, content=chunks(file))
        except GatewayError as error:
            _explain(error.problem, json_=json_)
            raise
    _rejected(told["rejected"], rejects)
    if json_:
        emit(told)
        return
    say("Permitted under:")
    for citation in dict.fromkeys(ground["citation"] for ground in told["decision"]["basis"]):
        say(f"  {citation}")
    if told["withheld"]:
        say(f"{len(told['withheld'])} rows are withheld; `flagstone exchange results` gives the reasons")
    out.print(told["exchange"])


@app.command()
def show(exchange: Exchange, json_: AsJson = False) -> None:
    """Where an exchange stands."""
    with api() as client:
        told = call(client, "GET", f"/v1/exchanges/{exchange}")
    if json_:
        emit(told)
        return
    for key, value in told.items():
        out.print(f"{key}: {', '.join(value) if isinstance(value, list) else value}", markup=False)


@app.command()
def results(
    exchange: Exchange,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the release")] = 0,
    json_: AsJson = False,
) -> None:
    """The flags of a released exchange, and the withheld rows with their reasons."""
    deadline = time.monotonic() + wait
    with api() as client:
        while time.monotonic() < deadline:
            if call(client, "GET", f"/v1/exchanges/{exchange}")["status"] in _ENDED:
                break
            time.sleep(0.25)
        told = call(client, "GET", f"/v1/exchanges/{exchange}/results")
    if json_:
        emit(told)
        return
    show_results(told)


@app.command()
def cancel(exchange: Exchange) -> None:
    """Stop waiting for an answer. What was sent already counts as disclosed."""
    with api() as client:
        call(client, "POST", f"/v1/exchanges/{exchange}/cancel")
    say("Cancelled")


def show_results(told: dict[str, Any], *, rows: int = 40) -> None:
    """Flags per unit, and withheld rows with reasons."""
    shown = table(f"Flags from {told['dataset']}, register of {told['register_date']}", "Unit", "Flags")
    units = sorted(told["units"], key=lambda unit: not unit["flags"])
    for unit in units[:rows]:
        name = " ".join(unit[key] for key in ("household_id", "person_id") if unit.get(key))
        shown.add_row(name, ", ".join(unit["flags"]) or NO_FLAG)
    out.print(shown)
    if len(units) > rows:
        out.print(f"and {len(units) - rows} more: --json gives all of them")
    if told["withheld"]:
        _show_withheld(told["withheld"], rows)


def _show_withheld(withheld: list[dict[str, Any]], rows: int) -> None:
    shown = table("Withheld: these rows never left", "Line", "Household", "Reason")
    for row in withheld[:rows]:
        shown.add_row(str(row["line"]), row["household_id"], REASONS.get(row["reason"], row["reason"]))
    out.print(shown)
    if len(withheld) > rows:
        out.print(f"and {len(withheld) - rows} more: --json gives all of them")


def _rejected(found: list[dict[str, Any]], to: Path | None) -> None:
    if not found:
        return
    rows = tuple(RowError(**row) for row in found)
    show_row_errors(rows)
    if to is not None:
        write_private(to, rejects_csv(rows))
        say(f"Rejected lines: {to}")


def _explain(problem: dict[str, Any], *, json_: bool) -> None:
    """A refusal or bad rows, as a table before the error line."""
    if json_:
        emit(problem)
        return
    if problem.get("rows"):
        show_row_errors(tuple(RowError(**row) for row in problem["rows"]))
    if problem.get("decision"):
        show_refusal(problem["decision"])


def show_refusal(decision: dict[str, Any]) -> None:
    """Every unmet requirement, its citation, and the smallest change that would meet it."""
    shown = table(
        f"Refused: {decision['dataset']} for {decision['purpose']}",
        "Unmet requirement",
        "Citation",
        "What would meet it",
    )
    for unmet in decision["unmet"]:
        shown.add_row(unmet["requirement"], unmet["citation"], unmet["remedy"], end_section=True)
    err.print(shown)
