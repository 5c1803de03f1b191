"""`flagstone partner`: the council's side of enrolment."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.bootstrap import opened
from gateway.cli.files import small
from gateway.cli.output import out, say, table
from gateway.domain.errors import BadInputError
from gateway.service import partners
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


@app.command("list")
def show() -> None:
    """List the partners."""
    rows = table("Partners", "Short name", "Name", "Fingerprint", "Since", "Revoked")
    with opened(read_settings()) as installation:
        for partner in partners.listing(installation.operator):
            revoked = partner.revoked_at.date().isoformat() if partner.revoked_at else ""
            identity = partner.identity
            since = partner.added_at.date().isoformat()
            rows.add_row(identity.slug, identity.name, identity.fingerprint, since, revoked)
    out.print(rows)


@app.command()
def revoke(slug: Annotated[str, typer.Argument(help="The partner's short name")]) -> None:
    """Turn a partner's agent away from its next request on."""
    with opened(read_settings()) as installation:
        partners.revoke(installation.operator, slug)
    say(f"{slug} is revoked")
