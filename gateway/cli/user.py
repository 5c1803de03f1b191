"""`flagstone user`: users, their tokens and links. What signs in is shown once; only its hash is kept."""

from typing import Annotated

import typer

from gateway.bootstrap import opened, require_provider
from gateway.cli.client import shout
from gateway.cli.output import out, say, table
from gateway.domain.exchange import Role
from gateway.party_ports import User
from gateway.service import links, users
from gateway.service.links import BreakGlassReason
from gateway.settings import Settings, read_settings

app = typer.Typer(help="Users, their tokens and links.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name in this gateway")]


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the user may do")],
    organisation: Annotated[str | None, typer.Option(help="A custodian's partner, by its slug")] = None,
) -> None:
    """Add a user and print the token."""
    with opened(read_settings()) as installation:
        token = users.add(installation.operator, name, role, partner=organisation)
    say("Give the user this token; it is not shown again. It goes into FLAGSTONE_TOKEN:")
    out.print(token)


@app.command()
def token(name: Name) -> None:
    """Replace a user's token; the old one stops at once."""
    with opened(read_settings()) as installation:
        replaced = users.new_token(installation.operator, name)
    say("The old token has stopped. The new one is not shown again:")
    out.print(replaced)


@app.command()
def link(name: Name) -> None:
    """Print a link that signs one browser of this machine in, once, within ten minutes."""
    settings = read_settings()
    require_provider(settings)
    with opened(settings) as installation:
        code = links.make(installation.operator, name)
    say("No identity provider is configured: people sign in by one-time links, on this machine only")
    say("It works once, within ten minutes:")
    out.print(_address(settings, code))


@app.command("break-glass")
def break_glass(name: Name, reason: Annotated[BreakGlassReason, typer.Option(help="Why")]) -> None:
    """Let a user in past the identity provider for an hour; logged, and an alert for the reviewers."""
    settings = read_settings()
    with opened(settings) as installation:
        broken = links.break_glass(installation.operator, name, reason)
    shout()
    say("Both last an hour. A link for one browser, and a token for FLAGSTONE_TOKEN:")
    out.print(_address(settings, broken.code))
    out.print(broken.token)


def _address(settings: Settings, code: str) -> str:
    scheme = "https" if settings.tls_certificate else "http"
    return f"{settings.origin or f'{scheme}://127.0.0.1:{settings.port}'}/signin/link?code={code}"


@app.command()
def revoke(name: Name) -> None:
    """Revoke a user, effective on the next request."""
    with opened(read_settings()) as installation:
        users.revoke(installation.operator, name)
    say("Revoked")


@app.command("list")
def show() -> None:
    """List the users."""
    with opened(read_settings()) as installation:
        rows = [_row(user) for user in users.listing(installation.operator)]
    out.print(table("Users", "Name", "Role, id in the log", "Since", "Revoked", rows=rows))


def _row(user: User) -> tuple[str, ...]:
    revoked = user.revoked_at.date().isoformat() if user.revoked_at else ""
    role = f"{user.role} of {user.partner}" if user.partner else str(user.role)
    return (user.name, f"{role}\n{user.id}", user.created_at.date().isoformat(), revoked)
