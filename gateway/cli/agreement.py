"""`flagstone agreement`: the council's side; partners countersign with `flagstone agent agreement sign`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from gateway.bootstrap import opened
from gateway.cli.output import emit, out, say, table
from gateway.domain.errors import BadInputError
from gateway.domain.legal_date import legal_date
from gateway.service import agreements
from gateway.settings import read_settings

app = typer.Typer(help="Agreements with partners.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="The agreement's number")]
Day = ["%Y-%m-%d"]
_OPTIONS = {"number": "agreement number", "dpia": "--dpia", "appropriate_policy_document": "--apd"}


@app.command()
def propose(
    number: Number,
    partner: Annotated[str, typer.Option(help="The partner's short name")],
    dataset: Annotated[str, typer.Option(help="The dataset it is about")],
    valid_to: Annotated[datetime, typer.Option("--to", formats=Day, help="Last day")],
    dpia: Annotated[str, typer.Option(help="Reference of the data protection impact assessment")],
    apd: Annotated[str, typer.Option(help="Reference of the appropriate policy document")],
    dpia_to: Annotated[
        datetime | None,
        typer.Option(formats=Day, help="Last day before the DPIA's review; by default within a year"),
    ] = None,
    apd_to: Annotated[
        datetime | None, typer.Option(formats=Day, help="The same of the appropriate policy document")
    ] = None,
    valid_from: Annotated[
        datetime | None, typer.Option("--from", formats=Day, help="First day; today")
    ] = None,
) -> None:
    """Draw up an agreement on today's policy and both sides' keys, signed for the council."""
    first = valid_from.date() if valid_from else legal_date(datetime.now(UTC))
    if valid_to.date() < max(first, legal_date(datetime.now(UTC))):
        raise BadInputError("the last day is past, or before the first", place="--to")
    with opened(read_settings()) as installation, _malformed():
        agreements.propose(
            installation.operator,
            number=number,
            partner=partner,
            dataset=dataset,
            valid_from=first,
            valid_to=valid_to.date(),
            dpia=dpia,
            dpia_to=_date(dpia_to),
            appropriate_policy_document=apd,
            appropriate_policy_document_to=_date(apd_to),
        )
    say(f"Proposed. {partner} countersigns with: flagstone agent agreement sign {number}")


@app.command("list")
def list_() -> None:
    """List the agreements, the newest first."""
    with opened(read_settings()) as installation, installation.operator.store.begin() as uow:
        held = uow.agreements.all()
    rows = [
        (
            each.number,
            each.partner,
            each.dataset,
            *map(_day, (each.proposed_at, each.signed_at, each.revoked_at)),
        )
        for each in held
    ]
    out.print(table("Agreements", "Number", "Partner", "Dataset", "Proposed", "Signed", "Revoked", rows=rows))


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


def _date(at: datetime | None) -> date | None:
    return at.date() if at else None


def _day(at: datetime | None) -> str:
    return at.date().isoformat() if at else ""


@contextmanager
def _malformed() -> Iterator[None]:
    """Turn a document that can't be drawn up into an error that names the options to correct."""
    try:
        yield
    except ValidationError as error:
        parts = [str(part) for each in error.errors(include_input=False) for part in each["loc"][:1]]
        raise BadInputError(
            "not of the form that an agreement wants",
            place=" and ".join(_OPTIONS.get(part, part) for part in parts) or "agreement",
            way_out="A number: up to 64 letters, digits, dots, hyphens. A reference: one line, not empty",
        ) from None
