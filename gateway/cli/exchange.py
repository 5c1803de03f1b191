"""`flagstone exchange`: what a programme analyst types."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli import erasure
from gateway.cli.client import GatewayError, api, call
from gateway.cli.files import check_folder, check_size, chunks
from gateway.cli.lists import Rejects, show_row_errors, write_rejects
from gateway.cli.output import count, emit, out, say, table
from gateway.cli.results import basis, show_refusal, show_results, show_withheld
from gateway.domain.errors import BadInputError, ConflictError, FlagstoneError, PartnerError
from gateway.intake import RowError

app = typer.Typer(help="Ask a partner about a household list.", no_args_is_help=True)

Exchange = Annotated[uuid.UUID, typer.Argument(help="The exchange's id")]
app.command()(erasure.hold)
app.command()(erasure.unhold)
app.command()(erasure.destroy)
app.command()(erasure.certificate)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]

_STANDS: Final = {
    "prepared": "decided; nothing has left yet",
    "authorised": "on its way to the partner; counts as disclosed",
    "sent": "the partner has not answered yet",
    "delivered": "the partner has answered; about to be released",
    "released": "flagstone exchange results gives the flags",
    "declined": "the partner declined to answer",
    "cancelled": "cancelled, or its agreement was revoked",
    "expired": "the partner did not answer in time",
    "failed": "the partner's agent reported an error",
}
_ENDED: Final = {"released", "declined", "cancelled", "expired", "failed"}
_PARTNER_FAILED: Final = {"declined", "expired", "failed"}
_POLL_SECONDS: Final = 0.25


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="CSV, XLSX or Parquet", exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Option(help="The partner's dataset; flagstone policy list shows them")],
    purpose: Annotated[str, typer.Option(help="Why you ask")],
    framework: Annotated[
        str, typer.Option(help="Indicator set; left out, the dataset's only one in force today")
    ] = "",
    partner: Annotated[str | None, typer.Option(help="Needed only when several hold the dataset")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="8 to 128 characters: the same key and list submit once")
    ] = None,
    accept_valid: Annotated[
        bool,
        typer.Option("--accept-valid", help="Go on with the good rows; the bad ones go to FILE.rejects.csv"),
    ] = False,
    rejects: Rejects = None,
    json_: AsJson = False,
) -> None:
    """Submit a household list; print the exchange id, or the refusal and its reasons."""
    check_size(file)
    if accept_valid and rejects is None:
        rejects = Path(f"{file.name}.rejects.csv")
    if rejects is not None:
        check_folder(rejects)  # before the list is sent: afterwards there is no way back
    params = {"dataset": dataset, "purpose": purpose}
    if framework:
        params["framework"] = framework
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
            _explain(error, rejects, json_=json_)
            raise
    _show_submitted(told, rejects, json_=json_)


@app.command("list")
def list_(json_: AsJson = False) -> None:
    """Your exchanges, the newest first; a reviewer sees all."""
    with api() as client:
        told = call(client, "GET", "/v1/exchanges")["exchanges"]
    if json_:
        emit(told)
        return
    rows = (
        (
            f"{each['exchange']}\n{each['status']}",
            f"{each['dataset']}\n{each['purpose']}",
            each["submitted_at"][:19].replace("T", "\n"),
        )
        for each in told
    )
    out.print(table("Exchanges", "Exchange, status", "Dataset, purpose", "At (UTC)", rows=rows))


@app.command()
def show(exchange: Exchange, json_: AsJson = False) -> None:
    """Where an exchange stands."""
    with api() as client:
        told = call(client, "GET", f"/v1/exchanges/{exchange}")
    if json_:
        emit(told)
        return
    stands = _stands(told)
    if told.get("results_destroyed_at"):
        stands = f"its results were destroyed on {told['results_destroyed_at'][:10]}"
    told["status"] = f"{told['status']} ({stands})"
    for key, value in told.items():
        if value is not None:
            out.print(f"{key}: {', '.join(value) if isinstance(value, list) else value}")


@app.command()
def results(
    exchange: Exchange,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the release", min=0)] = 0,
    json_: AsJson = False,
) -> None:
    """The flags of a released exchange, and the withheld rows with their reasons."""
    with api() as client:
        status = _wait(lambda: call(client, "GET", f"/v1/exchanges/{exchange}")["status"], wait)
        if status != "released":
            raise _unreleased(status)
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
    say("Cancelled. What was sent before counts as disclosed")


def _stands(told: dict[str, Any]) -> str:
    waits = told.get("waits_for")
    if waits:
        return f"the partner has answered; waits until a witness cosigned that: {', '.join(waits)}"
    return _STANDS[told["status"]]


def _wait(status: Callable[[], str], seconds: int) -> str:
    """The status once the exchange has ended, or after that many seconds."""
    deadline = time.monotonic() + seconds
    while (stands := status()) not in _ENDED and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return stands


def _unreleased(status: str) -> FlagstoneError:
    if status in _PARTNER_FAILED:
        return PartnerError(f"no flags: {_STANDS[status]}", place="results")
    way_out = "" if status in _ENDED else "Ask again later, or with --wait SECONDS"
    return ConflictError(
        f"no flags yet: {_STANDS[status]}" if way_out else f"no flags: {_STANDS[status]}",
        place="results",
        way_out=way_out,
    )


def _show_submitted(told: dict[str, Any], rejects: Path | None, *, json_: bool) -> None:
    """The id first: whatever fails after it, the exchange is under way."""
    if json_:
        emit(told)
    else:
        _show_permit(told)
        out.print(told["exchange"])
    rejected = [RowError(**row) for row in told["rejected"]]
    if rejected:
        show_row_errors(rejected)
        write_rejects(rejected, rejects)


def _show_permit(told: dict[str, Any]) -> None:
    if told["repeated"]:
        say("Submitted before with this key: nothing new was sent")
    say("Permitted under:")
    for citation in basis(told["decision"]):
        say(f"  {citation}")
    if told["withheld"]:
        say(f"{count(len(told['withheld']), 'row')} withheld: flagstone exchange results gives the reasons")


def _explain(error: GatewayError, rejects: Path | None, *, json_: bool) -> None:
    """A refusal or bad rows, as a table; what is left to say after it is one line."""
    problem = error.problem
    if json_:
        emit(problem)
    elif problem.get("rows"):
        rows = [RowError(**row) for row in problem["rows"]]
        show_row_errors(rows)
        write_rejects(rows, rejects)
        raise BadInputError(
            "bad rows, so nothing was sent or kept",
            place=f"{count(len(rows), 'error')}",
            way_out="Correct them, or go on without those rows: --accept-valid",
        ) from None
    elif problem.get("decision"):
        show_refusal(problem["decision"])
        show_withheld(problem.get("withheld") or [])
        say("Refused. Nothing was sent; the refusal stands in the log")
        raise typer.Exit(error.exit_code)
