"""`flagstone tokens`: both sides' linkage in one place, for dry runs and to measure quality."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import polars as pl
import typer
from rich.progress import Progress

from gateway.cli.files import chunks
from gateway.cli.output import err, say
from gateway.domain.errors import BadInputError, ConfigurationError, VerificationError
from gateway.domain.legal_date import legal_date
from gateway.intake import RowError, read_person_file
from gateway.intake.rejects import MAX_KEPT
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import threshold
from gateway.linkage.secret import confirmation, token_keys
from gateway.linkage.tokens import TOKEN_BYTES, tokenise

app = typer.Typer(help="Pseudonymise person files and link them.", no_args_is_help=True)

_BATCH: Final = 100_000  # people
_HEX_DIGITS: Final = 64
_MADE_WITH: Final = "flagstone.scheme"  # metadata of a token file
_MADE_UNDER: Final = "flagstone.key-confirmation"

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
KeyFile = Annotated[Path, typer.Option(help="64 hexadecimal digits, mode 0600", exists=True, dir_okay=False)]
Out = Annotated[Path, typer.Option(dir_okay=False)]


@app.command()
def make(file: File, key_file: KeyFile, out: Out) -> None:
    """Pseudonymise a person file (CSV, XLSX or Parquet): its person_id and one token for each match key."""
    secret = read_key(key_file)
    side = _Side.read(file, secret)
    with Progress(console=err, disable=not err.is_terminal) as progress:
        tokens = pl.concat(_tracked(side, progress, "Making tokens"))
    metadata = {_MADE_WITH: V1.version, _MADE_UNDER: confirmation(secret).hex()}
    with _private(out) as target:
        tokens.insert_column(0, side.ids).write_parquet(target, metadata=metadata)


@app.command()
def link(
    left: File,
    right: File,
    key_file: KeyFile,
    out: Out,
    overlap: Annotated[float, typer.Option(help="Share of the left file expected in the right")] = 0.5,
) -> None:
    """Link two person files, or token files made with `tokens make`; write the accepted pairs alone."""
    secret = read_key(key_file)
    lists, register = _Side.read(left, secret), _Side.read(right, secret)
    threshold(register.ids.len(), overlap)  # refuse a bad overlap before the work, not after it
    with Progress(console=err, disable=not err.is_terminal) as progress:
        wanted = pl.concat(_tracked(lists, progress, "Left file"))
        starts = range(0, register.ids.len(), _BATCH)
        found = [
            candidates(wanted, batch, V1, start)
            for start, batch in zip(starts, _tracked(register, progress, "Right file"), strict=True)
        ]
    pairs = resolve(pl.concat(found), register_size=register.ids.len(), overlap=overlap)
    with _private(out) as target:
        pairs.select(
            left_id=lists.ids.gather(pairs["slot"]),
            right_id=register.ids.gather(pairs["record"]),
            score="score",
        ).write_csv(target)


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file.

    Raises:
        ConfigurationError: others may read it, or it is not 64 hexadecimal digits.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigurationError("others may read it", place="key file", way_out="chmod 600 it")
        text = file.read(_HEX_DIGITS + 2).strip()
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(text) != _HEX_DIGITS or not key:
        raise ConfigurationError(
            "not 64 hexadecimal digits", place="key file", way_out="Make one with `openssl rand -hex 32`"
        )
    return key


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Side:
    """One file: ids, and either people or the tokens that were made of them."""

    ids: pl.Series
    rows: pl.DataFrame
    keys: dict[str, bytes] | None  # None: the rows are tokens

    @classmethod
    def read(cls, path: Path, secret: bytes) -> "_Side":
        if _is_tokens(path):
            rows = _read_tokens(path, secret)
            return cls(rows["person_id"], rows.select(V1.labels), None)
        today = legal_date(datetime.now(UTC))
        file = read_person_file(chunks(path), today=today, postcode_check=False, keep_rows=True)
        _say_bad_cells(path.name, file.rejected)
        return cls(file.people.frame["person_id"], file.people.frame, token_keys(secret, V1))

    def tokens(self, start: int) -> pl.DataFrame:
        rows = self.rows.slice(start, _BATCH)
        return rows if self.keys is None else tokenise(rows, self.keys)


def _say_bad_cells(name: str, rejected: Sequence[RowError]) -> None:
    at_least = "at least " if len(rejected) == MAX_KEPT else ""
    for (column, reason), count in Counter((row.column, row.reason) for row in rejected).most_common():
        left_out = "rows left out" if column in ("row", "person_id") else "cells that count as empty"
        say(f"{name}, column {column}: {at_least}{count} {left_out}: {reason}")


def _tracked(side: _Side, progress: Progress, what: str) -> Iterator[pl.DataFrame]:
    """The side's tokens in batches, under a progress bar."""
    task = progress.add_task(what, total=side.ids.len())
    for start in range(0, side.ids.len(), _BATCH):
        yield side.tokens(start)
        progress.advance(task, _BATCH)


def _is_tokens(path: Path) -> bool:
    """Whether it is a Parquet with the columns that `make` writes."""
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
    try:
        columns = pl.read_parquet_schema(path)
    except pl.exceptions.PolarsError:
        return False  # intake says what is wrong with it
    return {"person_id", *V1.labels} <= set(columns)


def _read_tokens(path: Path, secret: bytes) -> pl.DataFrame:
    made = pl.read_parquet_metadata(path)
    if made.get(_MADE_WITH) != V1.version or made.get(_MADE_UNDER) != confirmation(secret).hex():
        raise VerificationError(
            "made under another key or scheme",
            place=path.name,
            way_out="Make both files with the same key file and release",
        )
    tokens = pl.read_parquet(path, columns=["person_id", *V1.labels])
    whole = pl.all_horizontal(
        pl.col(label).is_null() | (pl.col(label).bin.size() == TOKEN_BYTES) for label in V1.labels
    )
    types = [pl.String] + [pl.Binary] * len(V1.labels)
    if tokens.dtypes != types or tokens.is_empty() or not tokens.select(whole.all()).item():
        raise BadInputError("its token columns do not hold tokens", place=path.name)
    return tokens


def _private(path: Path) -> BinaryIO:
    """A new file that only its owner can read; one of that name is replaced."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
