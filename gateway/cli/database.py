"""`flagstone db`."""

import typer

from gateway.bootstrap import upgrade_database
from gateway.cli.output import say
from gateway.settings import read_settings

app = typer.Typer(help="The gateway's database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The gateway's database."""


@app.command()
def upgrade() -> None:
    """Bring the schema up to date; done already when the gateway starts."""
    upgrade_database(read_settings())
    say("The database is up to date")
