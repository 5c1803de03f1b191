"""`flagstone partner`: the council's side of enrolment."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.bootstrap import opened
from gateway.cli.files import small
from gateway.cli.output import out, say, table
from gateway.domain.errors import BadInputError
from gateway.machine_ports import Invitation
from gateway.ports import Partner
from gateway.service import enrolment, partners
from gateway.settings import read_settings

app = typer.Typer(help="Partners and their registered keys.", no_args_is_help=True)


@app.command()
def add(
    document: Annotated[Path, typer.Argument(help="identity.json from the partner", exists=True)],
    fingerprint: Annotated[str, typer.Option(help="As the partner's staff read it out")],
) -> None:
    """Compare the fingerprint and register the partner's keys."""
    try:
        content = json.loads(small(document))
    except (ValueError, RecursionError):
        raise BadInputError("not JSON", place=document.name) from None
    if not isinstance(content, dict):
        raise BadInputError("not an identity document", place=document.name)
    with opened(read_settings()) as installation:
        identity = partners.add(installation.operator, content, fingerprint)
    say(f"{identity.name} is registered as {identity.slug}")


@app.command()
def invite(
    slug: Annotated[str, typer.Argument(help="The partner's short name")],
    name: Annotated[str, typer.Option(help="The organisation's name, for your own list")],
) -> None:
    """Print a code to read out to the partner; it dies in 15 minutes, or of 5 wrong tries."""
    with opened(read_settings()) as installation:
        code = enrolment.invite(installation.operator, slug, name)
        own = installation.operator.keys.identity.fingerprint
    out.print(code)
    say("Read it out by telephone, once; and this fingerprint of the council, for the partner to compare:")
    out.print(own)
    say(f"Then: flagstone partner confirm {slug} --fingerprint (as the partner's staff read theirs out)")


@app.command()
def confirm(
    slug: Annotated[str, typer.Argument(help="The partner's short name")],
    fingerprint: Annotated[str, typer.Option(help="As the partner's staff read it out")],
) -> None:
    """Compare the fingerprint and put the keys in force that the partner's agent brought with the code."""
    with opened(read_settings()) as installation:
        identity = enrolment.confirm(installation.operator, slug, fingerprint)
    say(f"{identity.name} is registered as {identity.slug}")


@app.command("list")
def show() -> None:
    """List the partners, and the enrolments that are open."""
    with opened(read_settings()) as installation:
        rows = [_row(partner) for partner in partners.listing(installation.operator)]
        waiting = [_waiting(each) for each in enrolment.waiting(installation.operator)]
    out.print(table("Partners", "Short name", "Name and fingerprint", "Since", "Revoked", rows=rows))
    if waiting:
        out.print(table("Not in force", "Short name", "Name and fingerprint brought", "Until", rows=waiting))


@app.command()
def revoke(slug: Annotated[str, typer.Argument(help="The partner's short name")]) -> None:
    """Turn a partner's agent away from its next request on."""
    with opened(read_settings()) as installation:
        partners.revoke(installation.operator, slug)
    say(f"{slug} is revoked")


def _waiting(invitation: Invitation) -> tuple[str, ...]:
    identity = enrolment.brought_by(invitation)
    brought = (
        f"{identity.name}\n{identity.fingerprint}" if identity else f"{invitation.name}\nnobody came yet"
    )
    return invitation.partner, brought, invitation.expires_at.isoformat(timespec="minutes")


def _row(partner: Partner) -> tuple[str, ...]:
    identity, revoked = partner.identity, partner.revoked_at
    return (
        identity.slug,
        f"{identity.name}\n{identity.fingerprint}",
        partner.added_at.date().isoformat(),
        revoked.date().isoformat() if revoked else "",
    )
