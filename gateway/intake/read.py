"""The two things intake reads: a household list, and any person file."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from gateway.domain.errors import BadInputError
from gateway.domain.people import LIST_SCHEMA, PERSON_SCHEMA, HouseholdList, PersonTable
from gateway.intake.columns import LIST_COLUMNS, PERSON_COLUMNS, read_header
from gateway.intake.csv_file import read_csv
from gateway.intake.judge import Judged, judge
from gateway.intake.limits import PERSON_FILE_LIMITS, Limits
from gateway.intake.parquet_file import read_parquet
from gateway.intake.raw import RawTable
from gateway.intake.rejects import MAX_KEPT, BadListError, RowError
from gateway.intake.stream import Format, collect, format_of
from gateway.intake.xlsx_file import read_xlsx

_READERS: Final = {Format.CSV: read_csv, Format.XLSX: read_xlsx, Format.PARQUET: read_parquet}


@dataclass(frozen=True, slots=True)
class Intake:
    """A household list as read. `aliases`: header as found -> column, for known headers only.

    ignored: number of columns that are not known. rejected: errors of the rows left out (accept_valid).
    digest: SHA-256 of the upload's bytes.
    """

    people: HouseholdList
    aliases: dict[str, str]
    ignored: int
    rejected: tuple[RowError, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class PersonFile:
    """A person file as read; fields as in `Intake`."""

    people: PersonTable
    aliases: dict[str, str]
    ignored: int
    rejected: tuple[RowError, ...]


def _table(data: bytes, limits: Limits, columns: Sequence[str], required: Sequence[str]) -> RawTable:
    raw = _READERS[format_of(data)](
        data, limits, lambda cells: read_header(cells, columns, required, limits.max_columns)
    )
    if raw.cells.is_empty():
        raise BadInputError("a header, but not one row", place="upload")
    return raw


def _row_errors(errors: pl.DataFrame) -> tuple[RowError, ...]:
    return tuple(RowError(*row) for row in errors.head(MAX_KEPT).iter_rows())


def _kept(judged: Judged, *, accept_valid: bool) -> tuple[pl.DataFrame, tuple[RowError, ...]]:
    """The rows without error, and the errors of the others."""
    if judged.errors.is_empty():
        return judged.frame, ()
    rejected = _row_errors(judged.errors)
    if not accept_valid:
        raise BadListError(rejected, total=judged.errors.height)
    kept = judged.frame.join(judged.errors, on="line", how="anti", maintain_order="left")
    if kept.is_empty():
        raise BadListError(rejected, total=judged.errors.height)
    return kept, rejected


def _forgiven(judged: Judged) -> tuple[pl.DataFrame, tuple[RowError, ...]]:
    """The rows with bad cells null, without those whose very row or id is bad; and all errors."""
    frame, _ = _kept(Judged(judged.frame, judged.unusable()), accept_valid=True)
    return frame, _row_errors(judged.errors)


def read_household_list(
    data: Iterable[bytes],
    *,
    today: date,
    limits: Limits | None = None,
    postcode_check: bool = True,
    accept_valid: bool = False,
) -> Intake:
    """Read an uploaded household list from its bytes, in memory.

    Args:
        data: the upload in chunks; read no further than `limits.max_bytes`.
        today: the legal date (Europe/London); nobody is born after it.
        limits: `Limits()` if not given.
        postcode_check: False takes any short alphanumeric code (datasets with `any_postcode`).
        accept_valid: go on with the good rows; the others are in `rejected`.

    Raises:
        BadListError: rows are bad and `accept_valid` is off, or no good row is left.
        TooLargeError: over a limit.
        BadInputError: the file as a whole can't be used.
    """
    limits = limits or Limits()
    content = collect(data, limits)
    required = ("household_id", "person_id")
    raw = _table(content, limits, LIST_COLUMNS, required)
    judged = judge(
        raw,
        LIST_SCHEMA.names(),
        required,
        today=today,
        max_cell=limits.max_cell,
        postcode_check=postcode_check,
    )
    frame, rejected = _kept(judged, accept_valid=accept_valid)
    digest = hashlib.sha256(content).digest()
    return Intake(HouseholdList(frame), raw.header.aliases, raw.header.ignored, rejected, digest)


def read_person_file(
    data: Iterable[bytes],
    *,
    today: date,
    limits: Limits | None = None,
    postcode_check: bool = True,
    accept_valid: bool = False,
    keep_rows: bool = False,
) -> PersonFile:
    """Read any person file: arguments and errors as `read_household_list`, limits those of a whole register.

    Where there is no `person_id` column, the line number is the id. `keep_rows`: a bad cell counts as empty
    and its row stays, as a register is read; only rows that are no person of their own are left out.
    """
    limits = limits or PERSON_FILE_LIMITS
    raw = _table(collect(data, limits), limits, PERSON_COLUMNS, ()).with_ids()
    judged = judge(
        raw,
        PERSON_SCHEMA.names(),
        ("person_id",),
        today=today,
        max_cell=limits.max_cell,
        postcode_check=postcode_check,
    )
    frame, rejected = _forgiven(judged) if keep_rows else _kept(judged, accept_valid=accept_valid)
    return PersonFile(PersonTable(frame), raw.header.aliases, raw.header.ignored, rejected)
