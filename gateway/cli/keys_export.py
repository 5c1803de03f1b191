"""`flagstone keys export` and `restore`: the council's keys as one sealed file."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from adapters.keys.sealed import MAX_FILE, restore_home, seal_home, write_new
from gateway.bootstrap import opened
from gateway.cli.files import check_folder
from gateway.cli.output import out, say
from gateway.domain.errors import BadInputError
from gateway.service import exporting
from gateway.settings import read_settings


def export(
    to: Annotated[Path, typer.Option("--out", help="The file to write; none may be there yet")],
) -> None:
    """Write the council's keys, sealed under a passphrase, once another person approved it."""
    check_folder(to)
    if to.exists():
        raise BadInputError("is there already", place="--out", way_out="Name another file")
    settings = read_settings()
    passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    sealed = seal_home(settings.home, passphrase, secrets.token_bytes)
    with opened(settings) as installation:
        exporting.allow(installation.operator, sealed)
    write_new(to, sealed)
    say("Keep file and passphrase apart from each other and from every backup of the database")
    out.print(str(to))


def restore(
    file: Annotated[Path, typer.Argument(help="What export wrote", exists=True, dir_okay=False)],
) -> None:
    """Put exported keys into FLAGSTONE_HOME; other keys there are not overwritten."""
    if file.stat().st_size > MAX_FILE:
        raise BadInputError("not a file of exported keys", place="file")
    passphrase = typer.prompt("Passphrase", hide_input=True, err=True)
    home = read_settings().home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    restore_home(file.read_bytes(), passphrase, home)
    say("The keys are back")
