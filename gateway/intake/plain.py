"""Rows that need no judging: every cell is plainly what its rule would make of it.

Most rows of a register are such, and `judge` would leave them as they are at ten times the cost.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from gateway.domain import identifiers as ids
from gateway.intake.dates import EARLIEST

LONGEST: Final = 64
"""Bytes of the longest plain cell: no rule finds one too long."""

_ISO: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@dataclass(frozen=True, slots=True)
class _Plain:
    """`clean`: to the rule's canonical form, where that takes little. `shape`: of a form that is `valid`."""

    shape: str
    valid: Callable[[pl.Expr], pl.Expr] | None = None
    clean: Callable[[pl.Expr], pl.Expr] | None = None

    def holds(self, text: pl.Expr) -> pl.Expr:
        shaped = text.str.contains(self.shape)
        return shaped if self.valid is None else shaped & self.valid(text)


def _without_spaces(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(" ", "", literal=True)


_NAME: Final = _Plain(r"^[A-Za-z](?:[A-Za-z' .-]*[A-Za-z.])?$")
_PLAIN: Final[Mapping[str, _Plain]] = {
    "person_id": _Plain(r"^[0-9A-Za-z][0-9A-Za-z_/.:-]*$"),
    "forename": _NAME,
    "surname": _NAME,
    "sex": _Plain("^[MFX]$"),
    "postcode": _Plain(r"^[A-Y][0-9A-Z]{1,3} [0-9][A-Z]{2}$", ids.valid_postcode),
    "nhs_number": _Plain(r"^[0-9]{10}$", ids.valid_nhs_number, _without_spaces),
    "upn": _Plain(r"^[0-9A-Z]{13}$", ids.valid_upn),
    "nino": _Plain(r"^[0-9A-Z]{9}$", ids.valid_nino),
    "pnc_id": _Plain(r"^[0-9]{4}/[0-9]{7}[A-Z]$", ids.valid_pnc_id),
    "uprn": _Plain(r"^[0-9]{12}$", ids.valid_uprn),
}
_ANY_POSTCODE: Final = _Plain(r"^[0-9A-Z]{2,10}$", clean=_without_spaces)


def plain_ids(ids: pl.Series) -> pl.Series:
    """Which person ids are there, and plain."""
    cell = pl.col(ids.name)
    plain = (cell.str.len_bytes() <= LONGEST) & _PLAIN["person_id"].holds(cell)
    return ids.to_frame().select(plain.fill_null(False)).to_series()


def iso_dates(dates: pl.Series) -> pl.Series:
    """Which dates are there, and plainly in ISO format, though perhaps of no such day."""
    return dates.str.contains(_ISO).fill_null(False)


@dataclass(frozen=True, slots=True, eq=False)
class PlainRows:
    """`mask`: which rows are plain. `rows`: those, as `judge` would clean them."""

    mask: pl.Series
    rows: pl.DataFrame

    def undated(self, cells: pl.DataFrame) -> "PlainRows":
        """Without those of `cells` that have a date: where another format leads, ISO is to be judged."""
        return PlainRows(self.mask & cells["dob"].is_null(), self.rows.filter(pl.col("dob").is_null()))

    def __repr__(self) -> str:
        return f"PlainRows({self.rows.height} of {self.mask.len()})"


def plain_rows(
    cells: pl.DataFrame,
    required: Collection[str],
    naming: Collection[str],
    *,
    today: date,
    max_cell: int,
    postcode_check: bool,
) -> PlainRows:
    """The rows whose every cell is null or plain, with every `required` and any `naming` one.

    `cells`: as in `RawTable`.
    """
    rules = _PLAIN if postcode_check else {**_PLAIN, "postcode": _ANY_POSTCODE}
    judged_only = set(cells.columns) - {"line", "dob", *rules}
    if max_cell < LONGEST or judged_only or not any(name in cells.columns for name in naming):
        none = cells.clear()
        if "dob" in none.columns:
            none = none.cast({"dob": pl.Date})
        return PlainRows(pl.repeat(False, cells.height, eager=True), none)
    cleaned = cells.with_columns(_cleaned(cells.columns, rules))
    missing = (pl.col(name).is_not_null() for name in required)
    named = pl.any_horizontal(pl.col(name).is_not_null() for name in naming if name in cells.columns)
    plain = pl.all_horizontal(named, *missing, *_tests(cells, rules, today))
    mask = cleaned.select(plain.fill_null(False)).to_series()
    return PlainRows(mask, cleaned if mask.all() else cleaned.filter(mask))


def _cleaned(columns: Collection[str], rules: Mapping[str, _Plain]) -> Iterator[pl.Expr]:
    for name in columns:
        if name == "dob":
            yield pl.col(name).str.to_date("%Y-%m-%d", strict=False)
        elif name in rules and (clean := rules[name].clean) is not None:
            yield clean(pl.col(name))


def _tests(cells: pl.DataFrame, rules: Mapping[str, _Plain], today: date) -> Iterator[pl.Expr]:
    for name in cells.columns:
        if name == "line":
            continue
        # of the text as it stood: what was cleaned away could have been long
        cell = pl.lit(cells[name])
        short = cell.str.len_bytes() <= LONGEST
        if name == "dob":
            yield cell.is_null() | (
                short & cell.str.contains(_ISO) & pl.col(name).is_between(EARLIEST, today)
            )
        else:
            yield cell.is_null() | (short & rules[name].holds(pl.col(name)))
