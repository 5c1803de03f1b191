"""The command line: `flagstone`. Each group of commands has a file; this one gathers them."""

import sys
from collections.abc import Sequence

import typer

from gateway.cli import agent, agreement, database, exchange, keys, lists, log, partner, policy, tokens, user
from gateway.cli.demo.command import demo
from gateway.cli.output import fail
from gateway.cli.serve import serve
from gateway.domain.errors import FlagstoneError

app = typer.Typer(
    name="flagstone",
    help="Ask partners whether an indicator is met, and learn nothing else.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with locals would show people
    add_completion=False,
)
app.command()(demo)
app.command()(serve)
app.add_typer(agent.app, name="agent")
app.add_typer(agreement.app, name="agreement")
app.add_typer(database.app, name="db")
app.add_typer(exchange.app, name="exchange")
app.add_typer(keys.app, name="keys")
app.add_typer(lists.app, name="list")
app.add_typer(log.app, name="log")
app.add_typer(partner.app, name="partner")
app.add_typer(policy.app, name="policy")
app.add_typer(tokens.app, name="tokens")
app.add_typer(user.app, name="user")


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code (DESIGN.md §10)."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    try:
        app(args=list(argv), prog_name="flagstone")
    except FlagstoneError as error:
        fail(str(error))
        return error.exit_code
    except SystemExit as end:  # how Typer ends, usage errors (2) included
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0
