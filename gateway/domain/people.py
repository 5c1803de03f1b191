"""Household lists and person tables: validated frames whose columns and types are fixed."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from gateway.domain.errors import BadInputError

IDENTIFYING: Final = {
    "forename": pl.String,
    "surname": pl.String,
    "dob": pl.Date,
    "sex": pl.String,
    "postcode": pl.String,
    "nhs_number": pl.String,
    "upn": pl.String,
    "nino": pl.String,
    "pnc_id": pl.String,
    "uprn": pl.String,
}
"""Columns that linkage may read; every one may be null. Dates are dates; all else is text as validated."""

PERSON_SCHEMA: Final = pl.Schema({"line": pl.UInt32, "person_id": pl.String} | IDENTIFYING)
"""`line`: 1-based line (or sheet row) of the source file."""

LIST_SCHEMA: Final = pl.Schema(
    PERSON_SCHEMA
    | {
        "household_id": pl.String,
        "met_indicators": pl.List(pl.String),
        "consent": pl.Boolean,
        "in_education": pl.Boolean,
        "own_family": pl.Boolean,
        "expecting": pl.Boolean,
        "area": pl.String,
    }
)

BOOLEANS: Final = tuple(name for name, kind in LIST_SCHEMA.items() if kind == pl.Boolean)
"""Columns of yes and no; null where nothing is recorded."""


def _require(frame: pl.DataFrame, schema: pl.Schema, unique: str) -> None:
    if frame.schema != schema:
        raise BadInputError("columns or types differ from the schema", place="person table")
    if frame[unique].null_count() or frame[unique].is_duplicated().any():
        raise BadInputError(f"{unique} must be present and unique", place="person table")


@dataclass(frozen=True, slots=True, eq=False)
class PersonTable:
    """A person file after intake, in the order of the file; schema `PERSON_SCHEMA`."""

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        _require(self.frame, PERSON_SCHEMA, "person_id")

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        # never the rows: a repr ends up in tracebacks and logs
        return f"PersonTable({self.frame.height} people)"


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdList:
    """A household list after intake, in the order of the file; schema `LIST_SCHEMA`."""

    frame: pl.DataFrame

    def __post_init__(self) -> None:
        _require(self.frame, LIST_SCHEMA, "person_id")
        if self.frame["household_id"].null_count():
            raise BadInputError("household_id must be present", place="household list")

    def __len__(self) -> int:
        return self.frame.height

    @property
    def households(self) -> int:
        return self.frame["household_id"].n_unique()

    def __repr__(self) -> str:
        return f"HouseholdList({self.frame.height} people)"
