"""`flagstone partner`: the council's side of enrolment."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gateway.bootstrap import opened
from gateway.cli import keys_party
from gateway.cli.files import small
from gateway.cli.output import out, say, table
from gateway.domain.errors import BadInputError
from gateway.machine_ports import Invitation
from gateway.party_ports import Partner
from gateway.service import enrolment, partners, successions
from gateway.settings import read_settings
from gateway.succession_ports import SuccessionRecord

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


@app.command("list")
def show() -> None:
    """List the partners, and the enrolments that are open."""
    with opened(read_settings()) as installation:
        ctx = installation.operator
        listed = [(each, successions.waiting(ctx, each.identity.slug)) for each in partners.listing(ctx)]
        invited = [_invited(each) for each in enrolment.waiting(ctx)]
    rows = [row for partner, waits in listed for row in _rows(partner, waits)]
    columns = ("Short name", "Name", "Generation", "Fingerprint", "Since", "Accepted until", "Revoked")
    out.print(table("Partners", *columns, rows=rows))
    if invited:
        out.print(table("Not in force", "Short name", "Name and fingerprint brought", "Until", rows=invited))
    for partner, waits in listed:
        if waits:
            say(
                f"New keys of {partner.identity.slug} wait: compare the fingerprint by telephone, then "
                f"flagstone partner confirm {partner.identity.slug} --fingerprint ..."
            )


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
    """Compare the fingerprint of keys that wait, and put them in force.

    They are those that an invited agent has brought with its code, or new keys of a registered partner.
    """
    with opened(read_settings()) as installation:
        ctx = installation.operator
        if slug in {each.identity.slug for each in partners.listing(ctx)}:
            successions.confirm(ctx, slug, fingerprint)
            say(f"The new keys of {slug} are accepted")
        else:
            identity = enrolment.confirm(ctx, slug, fingerprint)
            say(f"{identity.name} is registered as {identity.slug}")


@app.command()
def revoke(slug: Annotated[str, typer.Argument(help="The partner's short name")]) -> None:
    """Turn a partner's agent away from its next request on."""
    with opened(read_settings()) as installation:
        partners.revoke(installation.operator, slug)
    say(f"{slug} is revoked")


def _invited(invitation: Invitation) -> tuple[str, ...]:
    identity = enrolment.brought_by(invitation)
    brought = (
        f"{identity.name}\n{identity.fingerprint}" if identity else f"{invitation.name}\nnobody came yet"
    )
    return invitation.partner, brought, invitation.expires_at.isoformat(timespec="minutes")


def _rows(partner: Partner, waits: SuccessionRecord | None) -> Iterator[tuple[str, ...]]:
    """A row for each generation of a partner's keys, and one for keys that wait to be confirmed."""
    who = (partner.identity.slug, partner.identity.name)
    revoked = partner.revoked_at.date().isoformat() if partner.revoked_at else ""
    if waits:
        yield (*who, str(waits.sequence), waits.fingerprint, "waits", "", revoked)
    for number, fingerprint, since, until in keys_party.rows(partner.lineage):
        begun = since if number != "0" else partner.added_at.date().isoformat()
        yield (*who, number, fingerprint, begun, until, revoked)
