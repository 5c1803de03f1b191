"""`flagstone list`: check a household list without sending it anywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.files import chunks, write_private
from gateway.cli.output import count, err, out, say, table
from gateway.domain.errors import BadInputError
from gateway.domain.legal_date import legal_date
from gateway.intake import BadListError, Intake, RowError, read_household_list, rejects_csv

app = typer.Typer(help="Household lists.", no_args_is_help=True)
SHOWN_ROWS = 50

Rejects = Annotated[Path | None, typer.Option(help="Where to write line, column and reason of bad rows")]


@app.callback()
def group() -> None:
    """Household lists."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="CSV, XLSX or Parquet", exists=True, dir_okay=False)],
    any_postcode: Annotated[
        bool, typer.Option("--any-postcode", help="Accept postcodes that are not British")
    ] = False,
    rejects: Rejects = None,
) -> None:
    """Validate every row on this machine; exit 3 when rows are bad."""
    today = legal_date(datetime.now(UTC))
    try:
        intake = read_household_list(chunks(file), today=today, postcode_check=not any_postcode)
    except BadListError as error:
        show_row_errors(error.rows)
        write_rejects(error.rows, rejects)
        raise BadInputError(str(error.reason), place=file.name, way_out="Correct the rows") from None
    except BadInputError as error:
        raise BadInputError(error.reason, place=_place(error, file), way_out=error.way_out) from None
    _show_columns(intake)
    people, households = len(intake.people), intake.people.households
    out.print(f"{_people(people)} in {count(households, 'household')}: every row is good")


def show_row_errors(rows: Sequence[RowError]) -> None:
    """A table of line, column and reason: never a value."""
    cells = ((str(row.line), row.column, row.reason) for row in rows[:SHOWN_ROWS])
    err.print(table("Rows that can't be used", "Line", "Column", "Reason", rows=cells))
    if len(rows) > SHOWN_ROWS:
        err.print(f"and {len(rows) - SHOWN_ROWS} more: --rejects FILE writes all of them")


def write_rejects(rows: Sequence[RowError], to: Path | None) -> None:
    """Write lines, columns and reasons to a file of the caller's, if one is named."""
    if to is not None:
        write_private(to, rejects_csv(rows))
        say(f"The bad rows' lines, columns and reasons: {to}")


def _show_columns(intake: Intake) -> None:
    for found, column in intake.aliases.items():
        if found != column:
            out.print(f"column {found} is read as {column}")
    if intake.ignored:
        out.print(f"{count(intake.ignored, 'column')} with other names: not read")


def _place(error: BadInputError, file: Path) -> str:
    return file.name if error.place in ("", "upload") else f"{file.name}, {error.place}"


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"
