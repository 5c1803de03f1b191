"""The command line: `flagstone`. Each group of commands has a file; this one gathers them."""

import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import (
    agent,
    agreement,
    database,
    exchange,
    keys,
    lists,
    log,
    partner,
    policy,
    proposal,
    tokens,
    user,
)
from gateway.cli.demo.command import demo
from gateway.cli.output import fail, out
from gateway.cli.serve import serve
from gateway.domain.errors import ConfigurationError, FlagstoneError

_ROOT = Path(__file__).parents[2]
_ROOMS = frozenset({"gateway", "policies", "adapters", "audit", "examples"})

app = typer.Typer(
    name="flagstone",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with locals would show people
    add_completion=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"flagstone {version('flagstone')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Ask partners whether an indicator is met, and learn nothing else."""


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
app.add_typer(proposal.app, name="proposal")
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
    except OSError as error:
        fail(f"{error.filename or 'system'}: {error.strerror or type(error).__name__}")
        return ConfigurationError.exit_code if error.filename else FlagstoneError.exit_code
    except Exception as error:  # noqa: BLE001 - its text, and a traceback's, may quote people
        fail(_unforeseen(error))
        return FlagstoneError.exit_code
    return 0


def _unforeseen(error: Exception) -> str:
    """What and where, for a report; never the text of the error, which may quote what it choked on."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [(path, frame.lineno) for frame in frames if (path := _ours(frame.filename))]
    way = ", ".join(f"{path}:{line}" for path, line in ours[-3:])
    return (
        f"unexpected {type(error).__name__} at {way}. This is a fault in Flagstone: please report this line"
    )


def _ours(filename: str) -> Path | None:
    """The file within the project, if it is one of ours."""
    path = Path(filename)
    inside = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else None
    return inside if inside and inside.parts[0] in _ROOMS else None
