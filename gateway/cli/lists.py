"""`flagstone list`: check a household list without sending it anywhere."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.files import chunks
from gateway.cli.output import err, out, table
from gateway.domain.legal_date import legal_date
from gateway.intake import BadListError, RowError, read_household_list

app = typer.Typer(help="Household lists.", no_args_is_help=True)
SHOWN_ROWS = 50


@app.callback()
def group() -> None:
    """Household lists."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="CSV, XLSX or Parquet", exists=True, dir_okay=False)],
    any_postcode: Annotated[bool, typer.Option(help="Accept postcodes that are not British")] = False,
) -> None:
    """Validate every row on this machine; exit 3 when rows are bad."""
    today = legal_date(datetime.now(UTC))
    try:
        intake = read_household_list(chunks(file), today=today, postcode_check=not any_postcode)
    except BadListError as error:
        show_row_errors(error.rows)
        raise
    for found, column in intake.aliases.items():
        out.print(f"column {found} is read as {column}", markup=False)
    out.print(f"{len(intake.people)} people in {intake.people.households} households: every row is good")


def show_row_errors(rows: tuple[RowError, ...]) -> None:
    """A table of line, column and reason: never a value."""
    shown = table("Rows that can't be used", "Line", "Column", "Reason")
    for row in rows[:SHOWN_ROWS]:
        shown.add_row(str(row.line), row.column, row.reason)
    err.print(shown)
    if len(rows) > SHOWN_ROWS:
        err.print(f"and {len(rows) - SHOWN_ROWS} more")
