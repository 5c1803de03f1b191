"""`flagstone proposal`: what needs two people."""

import uuid
from typing import Annotated, Any

import typer

from gateway.cli.client import api, call
from gateway.cli.output import emit, out, say, table
from gateway.domain.proposals import Act, ActReason
from gateway.domain.retention import RetentionClock

app = typer.Typer(help="Acts that one person proposes and another approves.", no_args_is_help=True)

Id = Annotated[uuid.UUID, typer.Argument(help="The proposal's id")]


@app.command()
def make(
    act: Annotated[Act, typer.Argument(help="What needs a second person")],
    reason: Annotated[ActReason, typer.Option(help="Why")],
    exchange: Annotated[uuid.UUID | None, typer.Option(help="For all but key-export")] = None,
    clock: Annotated[RetentionClock | None, typer.Option(help="For destroy-early alone")] = None,
) -> None:
    """Put an act before a second person; print the proposal's id."""
    given = {"act": act, "reason": reason, "exchange": exchange, "clock": clock}
    params = {name: str(value) for name, value in given.items() if value is not None}
    with api() as client:
        made = call(client, "POST", "/v1/proposals", params=params)
    say(f"Another person decides, until {made['expires_at'][:16]} UTC: flagstone proposal approve ID")
    out.print(made["proposal"])


@app.command()
def approve(proposal: Id) -> None:
    """Approve what another person proposed."""
    with api() as client:
        decided = call(client, "POST", f"/v1/proposals/{proposal}/approve")
    say(f"Approved. It may be done once, until {decided['expires_at'][:16]} UTC")


@app.command()
def refuse(proposal: Id) -> None:
    """Refuse what another person proposed."""
    with api() as client:
        call(client, "POST", f"/v1/proposals/{proposal}/refuse")
    say("Refused")


@app.command("list")
def show(json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """List one's own proposals and those that one may decide, newest first."""
    with api() as client:
        found = call(client, "GET", "/v1/proposals")["proposals"]
    if json_:
        emit(found)
        return
    headers = ("Proposal", "Act", "About", "Why", "Until", "State")
    out.print(table("Proposals", *headers, rows=[_row(each) for each in found]))


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    about = " ".join(filter(None, (each["exchange"], each["clock"])))
    decided = {True: "approved", False: "refused", None: "waiting"}[each["approved"]]
    state = "done" if each["used_at"] else decided
    return (each["proposal"], each["act"], about, each["reason"], each["expires_at"][:16], state)
