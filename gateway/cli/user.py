"""`flagstone user`: council users. A token is shown once; only its hash is kept."""

from typing import Annotated

import typer

from gateway.bootstrap import opened
from gateway.cli.output import out, say, table
from gateway.domain.exchange import Role
from gateway.ports import User
from gateway.service import users
from gateway.settings import read_settings

app = typer.Typer(help="Council users and their tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The user's name in this gateway")]


@app.command()
def add(name: Name, role: Annotated[Role, typer.Option(help="What the user may do")]) -> None:
    """Add a user and print the token."""
    with opened(read_settings()) as installation:
        token = users.add(installation.operator, name, role)
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
    return (user.name, f"{user.role}\n{user.id}", user.created_at.date().isoformat(), revoked)
