"""Which headers are known, and what each is called here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.errors import BadInputError

PERSON_COLUMNS: Final = (
    "person_id",
    "forename",
    "surname",
    "dob",
    "sex",
    "postcode",
    "nhs_number",
    "upn",
    "nino",
    "pnc_id",
    "uprn",
)
LIST_COLUMNS: Final = (
    *PERSON_COLUMNS,
    "household_id",
    "met_indicators",
    "consent",
    "in_education",
    "own_family",
    "expecting",
    "area",
)
MATCHABLE: Final = ("forename", "surname", "nhs_number", "upn", "nino", "pnc_id")
"""One of these columns at least must be there: without a name or number nobody can be matched."""

ALIASES: Final = {
    "person_id": (
        "person",
        "person ref",
        "person reference",
        "client id",
        "individual id",
        "member id",
        "id",
    ),
    "forename": ("first name", "given name", "christian name", "fname", "forenames"),
    "surname": ("last name", "family name", "lname"),
    "dob": ("date of birth", "birth date", "born"),
    "sex": ("gender",),
    "postcode": ("post code", "postal code", "home postcode"),
    "nhs_number": ("nhs no", "nhs", "nhs num"),
    "upn": ("unique pupil number", "pupil number"),
    "nino": ("ni number", "national insurance number", "ni no", "national insurance no"),
    "pnc_id": ("pnc", "pnc number", "pncid", "pnc no"),
    "uprn": ("unique property reference number", "property reference"),
    "household_id": ("household", "family id", "household ref", "household reference", "family ref", "hh id"),
    "met_indicators": ("indicators", "indicators met", "criteria met"),
    "consent": ("consent given", "consented", "has consent"),
    "in_education": ("in full time education", "full time education", "education"),
    "own_family": ("lives with own family", "own partner or child", "has own family"),
    "expecting": ("expectant parent", "pregnant", "expecting a child"),
    "area": ("local authority", "la", "district"),
}


def _key(header: str) -> str:
    return re.sub(r"[\W_]+", "", header.casefold())


_KNOWN: Final = {_key(name): column for column, aliases in ALIASES.items() for name in (column, *aliases)}


def column_of(header: str) -> str | None:
    """The column that a header stands for; None when it is not known. Case, spaces and `_-.` don't count."""
    return _KNOWN.get(_key(header))


@dataclass(frozen=True, slots=True)
class Header:
    """What the header row said.

    positions: column -> index of the cell. aliases: known header as found -> column. ignored: how many
    headers are not known; their text is never kept, since a file without a header has people there.
    """

    positions: dict[str, int]
    aliases: dict[str, str]
    ignored: int


def read_header(
    cells: Sequence[str], wanted: Sequence[str], required: Sequence[str], max_columns: int
) -> Header:
    """Map header cells to columns.

    Raises:
        BadInputError: too many columns, none known, one twice, or a required one missing.
    """
    if len(cells) > max_columns:
        raise BadInputError(f"more than {max_columns} columns", place="header")
    positions: dict[str, int] = {}
    for index, column in enumerate(map(column_of, cells)):
        if column is None or column not in wanted:
            continue
        if column in positions:
            raise BadInputError(
                f"columns {positions[column] + 1} and {index + 1} both mean {column}",
                place="header",
                way_out="Keep one of them",
            )
        positions[column] = index
    _require(positions, required)
    aliases = {cells[index].strip(): column for column, index in positions.items()}
    return Header(positions, aliases, ignored=len(cells) - len(positions))


def _require(positions: dict[str, int], required: Sequence[str]) -> None:
    if not positions:
        raise BadInputError(
            "no known column name in the first row",
            place="header",
            way_out="The first row must name the columns; docs/list-format.md lists them",
        )
    missing = [column for column in required if column not in positions]
    if missing:
        raise BadInputError(f"required column missing: {', '.join(missing)}", place="header")
    if not any(column in positions for column in MATCHABLE):
        raise BadInputError(f"nobody can be matched without one of: {', '.join(MATCHABLE)}", place="header")
