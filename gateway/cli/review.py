"""`flagstone log review`: the alerts that a reviewer looks into."""

from typing import Annotated, Any
from uuid import UUID

import typer

from gateway.cli.client import api, call
from gateway.cli.output import count, emit, out, say, table
from gateway.domain.alerts import Closing


def review(
    alert: Annotated[UUID | None, typer.Argument(help="Look at this one; that is logged")] = None,
    close: Annotated[Closing | None, typer.Option("--close", help="Close it, for this reason")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List closed ones too")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List what waits to be looked into; look at one; close one that was looked at."""
    if alert is None and close is not None:
        raise typer.BadParameter("name the alert to close")
    with api() as client:
        if alert is None:
            params = {"closed": str(everything).lower()}
            _list(call(client, "GET", "/v1/review", params=params), as_json=json_)
        elif close is None:
            emit(call(client, "POST", f"/v1/review/{alert}/look"))
        else:
            call(client, "POST", f"/v1/review/{alert}/close", params={"reason": close.value})
            say(f"Closed: {close.value}")


def _list(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(told)
        return
    out.print(table("Review", "Alert", "Day, state", "Rule, about", rows=map(_row, told["alerts"])))
    say(count(len(told["alerts"]), "alert"))


def _row(alert: dict[str, Any]) -> tuple[str, ...]:
    state = alert["reason"] or ("looked at" if alert["looked_at"] else "new")
    detail = ", ".join(f"{name} {value}" for name, value in alert["detail"].items())
    told = "\n".join(filter(None, (alert["rule"], alert["about"], detail)))
    return (alert["alert"], f"{alert['day']}\n{state}", told)
