"""The commands: `flagstone tokens make` and `flagstone tokens link`."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway import spark
from gateway.cli.files import check_folder, small
from gateway.cli.output import say
from gateway.cli.tokens.database import QuerySource
from gateway.cli.tokens.key import read_key
from gateway.cli.tokens.linking import link_files
from gateway.cli.tokens.making import make as make_tokens
from gateway.cli.tokens.sources import Source, open_file
from gateway.cli.tokens.tables import made_with
from gateway.domain.errors import BadInputError, ConfigurationError
from gateway.domain.legal_date import legal_date


class Engine(StrEnum):
    """What makes the tokens; they are the same."""

    POLARS = "polars"
    SPARK = "spark"


app = typer.Typer(help="Pseudonymise person files and link them.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
KeyFile = Annotated[Path, typer.Option(help="64 hexadecimal digits, mode 0600", exists=True, dir_okay=False)]
Out = Annotated[Path, typer.Option(dir_okay=False)]


@app.command()
def make(
    key_file: KeyFile,
    out: Out,
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False)] = None,
    sql_file: Annotated[
        Path | None,
        typer.Option(help="In place of FILE: the query that gives the people", exists=True, dir_okay=False),
    ] = None,
    database: Annotated[
        str,
        typer.Option(
            envvar="FLAGSTONE_TOKENS_DATABASE",  # others of the machine can read a command line
            help="With --sql-file: the database, as an SQLAlchemy URL",
        ),
    ] = "",
    engine: Annotated[Engine, typer.Option(help="spark: on Apache Spark, the extra `spark`")] = Engine.POLARS,
) -> None:
    """Pseudonymise people (CSV, XLSX, Parquet or SQL): person_id and one token for each match key.

    Killed and started again with the same arguments, it goes on where it stopped; on Spark it starts anew.
    """
    check_folder(out)
    secret = read_key(key_file)
    today = legal_date(datetime.now(UTC))
    if engine is Engine.SPARK:
        name, bad = _made_on_spark(file, key_file, out, secret=secret, today=today)
    else:
        source = _source(file, sql_file, database)
        name, bad = (
            source.name,
            make_tokens(source, out, secret=secret, today=today, metadata=made_with(secret)).bad,
        )
    say_bad_cells(name, bad)


def _made_on_spark(
    file: Path | None, key_file: Path, out: Path, *, secret: bytes, today: date
) -> tuple[str, Mapping[tuple[str, str], int]]:
    if file is None:
        raise BadInputError("Spark reads a file", place="tokens make", way_out="Name a CSV or Parquet file")
    key = spark.KeyFile(key_file, read_key)
    with spark.local_session(out.resolve().parent) as session:
        made = spark.make(session, file, out, key=key, today=today, metadata=made_with(secret))
    return file.name, made.bad


@app.command()
def link(
    left: File,
    right: File,
    key_file: KeyFile,
    out: Out,
    overlap: Annotated[float, typer.Option(help="Share of the left file expected in the right")] = 0.5,
) -> None:
    """Link two person files, or token files made with `tokens make`; write the accepted pairs alone."""
    check_folder(out)
    secret = read_key(key_file)
    today = legal_date(datetime.now(UTC))
    bad = link_files(left, right, out, secret=secret, today=today, overlap=overlap)
    for name, cells in bad.items():
        say_bad_cells(name, cells)


def say_bad_cells(name: str, bad: Mapping[tuple[str, str], int]) -> None:
    for (column, reason), count in Counter(bad).most_common():
        left_out = "rows left out" if column in ("row", "person_id") else "cells that count as empty"
        say(f"{name}, column {column}: {count} {left_out}: {reason}")


def _source(file: Path | None, sql_file: Path | None, database: str) -> Source:
    if file is not None and sql_file is None:
        return open_file(file)
    if file is not None or sql_file is None:
        raise BadInputError("name either a file or --sql-file", place="tokens make")
    if not database:
        raise ConfigurationError(
            "not set",
            place="FLAGSTONE_TOKENS_DATABASE",
            way_out="It is an SQLAlchemy URL, such as sqlite:///people.db",
        )
    return QuerySource(database, small(sql_file).decode())
