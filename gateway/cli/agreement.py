"""`flagstone agreement`: the council's side; partners countersign with `flagstone agent agreement sign`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.bootstrap import opened
from gateway.cli.output import emit, say
from gateway.domain.legal_date import legal_date
from gateway.service import agreements
from gateway.settings import read_settings

app = typer.Typer(help="Agreements with partners.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="The agreement's number")]
Day = ["%Y-%m-%d"]


@app.command()
def propose(
    number: Number,
    partner: Annotated[str, typer.Option(help="The partner's short name")],
    dataset: Annotated[str, typer.Option(help="The dataset it is about")],
    valid_to: Annotated[datetime, typer.Option("--to", formats=Day, help="Last day")],
    dpia: Annotated[str, typer.Option(help="Reference of the data protection impact assessment")],
    apd: Annotated[str, typer.Option(help="Reference of the appropriate policy document")],
    valid_from: Annotated[
        datetime | None, typer.Option("--from", formats=Day, help="First day; today")
    ] = None,
) -> None:
    """Draw up an agreement on today's policy and both sides' keys, signed for the council."""
    first = valid_from.date() if valid_from else legal_date(datetime.now(UTC))
    with opened(read_settings()) as installation:
        agreements.propose(
            installation.operator,
            number=number,
            partner=partner,
            dataset=dataset,
            valid_from=first,
            valid_to=valid_to.date(),
            dpia=dpia,
            appropriate_policy_document=apd,
        )
    say(f"Proposed. {partner} countersigns with: flagstone agent agreement sign {number}")


@app.command()
def show(number: Number) -> None:
    """Print the agreement as it was signed, and what has happened to it."""
    with opened(read_settings()) as installation:
        document, held = agreements.show(installation.operator, number)
    stamps = {"proposed_at": held.proposed_at, "signed_at": held.signed_at, "revoked_at": held.revoked_at}
    history = {name: at.isoformat() if at else None for name, at in stamps.items()}
    emit(document.model_dump(mode="json") | {"digest": held.digest} | history)


@app.command()
def revoke(number: Number) -> None:
    """Revoke at once: every exchange under it stops at its next step."""
    with opened(read_settings()) as installation:
        agreements.revoke(installation.operator, number)
    say("Revoked")
