"""`flagstone exchange hold`, `unhold`, `destroy` and `certificate`: the end of an exchange."""

import base64
import json
import uuid
from datetime import datetime
from typing import Annotated, Any

import typer

from gateway.cli.client import api, call
from gateway.cli.output import count, emit, out, say
from gateway.domain.retention import HoldReason, RetentionClock

Exchange = Annotated[uuid.UUID, typer.Argument(help="The exchange's id")]


def hold(
    exchange: Exchange,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The last day, a year ahead at most")],
    reason: Annotated[HoldReason, typer.Option(help="Why")],
) -> None:
    """Keep everything of an exchange to the end of a day, whatever its clocks say. For reviewers."""
    params = {"until": until.date().isoformat(), "reason": reason.value}
    with api() as client:
        call(client, "POST", f"/v1/exchanges/{exchange}/hold", params=params)
    say(f"Held to the end of {params['until']}. What comes due meanwhile is destroyed then")


def unhold(exchange: Exchange) -> None:
    """End a hold before its day, once another reviewer approved it. For reviewers."""
    with api() as client:
        call(client, "POST", f"/v1/exchanges/{exchange}/unhold")
    say("The hold has ended. What came due meanwhile is destroyed within minutes")


def destroy(
    exchange: Exchange,
    clock: Annotated[RetentionClock, typer.Option(help="What of it: its results or account")],
) -> None:
    """Destroy before its day what a clock protects, once another reviewer approved it. For reviewers."""
    with api() as client:
        call(client, "POST", f"/v1/exchanges/{exchange}/destroy", params={"clock": clock.value})
    say("It is destroyed within minutes; flagstone exchange certificate then shows the certificate")


def certificate(
    exchange: Exchange, json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False
) -> None:
    """Print what is certified as destroyed, and the signed certificates."""
    with api() as client:
        told = call(client, "GET", f"/v1/exchanges/{exchange}/certificates")["certificates"]
    if json_:
        emit(told)
        return
    for each in told:
        show_certificate(unsafe_payload(each["jws"]))
        out.print(each["jws"])
    if not told:
        say("Nothing of it is destroyed yet: flagstone exchange show gives the days")


def show_certificate(stated: dict[str, Any]) -> None:
    """A certificate in words."""
    out.print(
        f"{stated['clock']} of {stated['exchange']}: destroyed at {stated['destroyed_at']}, entry "
        f"{stated['log_entry']} of the council's log; "
        f"backups of the keys are gone {count(stated['key_backup_days'], 'day')} later"
    )


def unsafe_payload(jws: str) -> dict[str, Any]:
    """What a certificate says, unverified: for the council, which has it from its own gateway."""
    payload = jws.split(".")[1]
    stated: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return stated
