"""From text cells to typed columns and a table of row errors, all by column."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from gateway.domain.people import BOOLEANS, LIST_SCHEMA
from gateway.intake.dates import DateFacts, date_facts, read_dates
from gateway.intake.plain import iso_dates, plain_ids, plain_rows
from gateway.intake.raw import RawTable
from gateway.intake.rules import rules_for

ERROR_SCHEMA: Final = pl.Schema({"line": pl.UInt32, "column": pl.String, "reason": pl.String})

_FORMULA: Final = r"^[\t\r]|^\s*[=+\-@＝＋－＠]"  # noqa: RUF001 - spreadsheets take full-width signs too
_CONTROL: Final = r"[\p{Cc}\p{Zl}\p{Zp}]"
_NAMING: Final = ("forename", "surname", "dob", "nhs_number", "upn", "nino", "pnc_id")
"""A row with none of these holds nobody that could be found."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """`frame`: the columns of LIST_SCHEMA that were asked for, bad cells null. `errors`: ERROR_SCHEMA."""

    frame: pl.DataFrame
    errors: pl.DataFrame

    def usable(self) -> pl.DataFrame:
        """The rows that are a person of their own, bad cells null."""
        unusable = self.unusable()
        if unusable.is_empty():
            return self.frame
        return self.frame.join(unusable, on="line", how="anti", maintain_order="left")

    def unusable(self) -> pl.DataFrame:
        """Errors that leave a whole row out, however lenient the reader."""
        return self.errors.filter(pl.col("column").is_in(["row", "person_id"]))

    def __repr__(self) -> str:
        return f"Judged({self.frame.height} rows, {self.errors.height} errors)"


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """What a part of a file must be told of the rest of it, to be judged as the whole is.

    `dates`: of all its dates. `twice`: `line` and `other` (UInt32), as `repeated` gives them for all its ids.
    """

    dates: DateFacts
    twice: pl.DataFrame


def _errors(cells: pl.DataFrame, bad: pl.Expr, column: str, reason: str | pl.Expr) -> pl.DataFrame:
    why = pl.lit(reason) if isinstance(reason, str) else reason
    return cells.filter(bad).select("line", pl.lit(column).alias("column"), why.alias("reason"))


def _text(cells: pl.DataFrame, max_cell: int) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Stripped cells, "" as null; cells that no text column may hold become null and an error."""
    columns = [name for name in cells.columns if name != "line"]
    errors = []
    for name in columns:
        # too long first: nothing is copied out of a cell that a packed file made huge
        cell = pl.col(name)
        long = cell.str.len_bytes() > max_cell
        short = pl.when(~long).then(cell)
        reason = (
            pl.when(long)
            .then(pl.lit(f"longer than {max_cell} bytes"))
            .when(short.str.contains(_FORMULA))
            .then(pl.lit("begins like a spreadsheet formula"))
            .when(short.str.strip_chars().str.contains(_CONTROL))
            .then(pl.lit("holds a line break or control character"))
        )
        cells = cells.with_columns(reason.alias("reason"))
        errors.append(_errors(cells, pl.col("reason").is_not_null(), name, pl.col("reason")))
        clean = pl.when(pl.col("reason").is_null()).then(short.str.strip_chars())
        cells = cells.with_columns(pl.when(clean != "").then(clean).alias(name)).drop("reason")
    return cells, errors


def _typed(cells: pl.DataFrame, *, postcode_check: bool) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    errors = []
    for name, rule in rules_for(postcode_check=postcode_check).items():
        if name in cells.columns:
            cells = cells.with_columns(rule.clean(pl.col(name)).alias(name))
            bad = ~rule.valid(pl.col(name))
            errors.append(_errors(cells, bad, name, rule.reason))
            cells = cells.with_columns(pl.when(~bad).then(pl.col(name)).alias(name))
    return cells, errors


def _dated(cells: pl.DataFrame, today: date, facts: DateFacts) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    if "dob" not in cells.columns:
        return cells, []
    read = read_dates(cells["line"], cells["dob"], today, facts)
    cells = cells.with_columns(read["dob"], reason=read["reason"])
    errors = _errors(cells, pl.col("reason").is_not_null(), "dob", pl.col("reason"))
    return cells.drop("reason"), [errors]


def _present(cells: pl.DataFrame, required: Collection[str], raw: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Required cells that are empty; a cell refused already is not said to be missing too."""
    for name in required:
        empty = (raw[name].str.strip_chars().fill_null("") == "").alias("empty")
        yield _errors(cells.with_columns(empty), pl.col("empty"), name, "missing")
    naming = [name for name in _NAMING if name in raw.columns]
    nobody = raw.select(
        nobody=pl.all_horizontal(pl.col(naming).str.strip_chars().fill_null("") == "")
    ).to_series()
    yield _errors(
        cells.with_columns(nobody), pl.col("nobody"), "row", "neither a name, a date of birth nor a number"
    )


def dates_of(raw: RawTable, max_cell: int) -> DateFacts:
    """What the dates of birth in a part of a file say, where there is a column of them."""
    if "dob" not in raw.cells.columns:
        return DateFacts()
    iso = iso_dates(raw.cells["dob"])
    lines = raw.cells["line"].filter(iso)
    plain = DateFacts(iso=lines.len(), first_iso=None if lines.is_empty() else lines[0])
    cells, _ = _text(raw.cells.select("line", "dob").filter(~iso), max_cell)
    return plain + date_facts(cells["line"], cells["dob"])


def ids_of(raw: RawTable, max_cell: int) -> pl.DataFrame:
    """`line` and `person_id` as `judge` takes it, of the rows that have a good one, in no order."""
    ids = raw.cells.select("line", "person_id")
    plain = plain_ids(ids["person_id"])
    cells, _ = _text(ids.filter(~plain), max_cell)
    cells, _ = _typed(cells, postcode_check=False)
    return pl.concat([ids.filter(plain), cells.drop_nulls()])


def repeated(ids: pl.DataFrame) -> pl.DataFrame:
    """Each `line` whose person id stands twice, with the line of an `other` of them."""
    lines = pl.col("line").sort()
    firsts = (
        ids.filter(pl.col("person_id").is_not_null() & pl.col("person_id").is_duplicated())
        .group_by("person_id")
        .agg(first=lines.get(0), second=lines.get(1, null_on_oob=True))
        .filter(pl.col("second").is_not_null())
    )
    other = pl.when(pl.col("line") == pl.col("first")).then("second").otherwise("first")
    return ids.join(firsts, on="person_id").select("line", other=other)


def _unique(cells: pl.DataFrame, twice: pl.DataFrame) -> pl.DataFrame:
    """Each person id that stands twice, on all its lines, naming another of them."""
    found = cells.select("line").join(twice, on="line")
    return _errors(found, pl.lit(True), "person_id", pl.format("the same as on line {}", "other"))


def _shaped(cells: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    absent = [pl.lit(None, LIST_SCHEMA[name]).alias(name) for name in columns if name not in cells.columns]
    booleans = [pl.col(name) == "true" for name in BOOLEANS if name in cells.columns]
    shaped = cells.with_columns(*absent, *booleans)
    if "met_indicators" in cells.columns:
        shaped = shaped.with_columns(pl.col("met_indicators").str.split(";").list.unique(maintain_order=True))
    if "met_indicators" in columns:
        shaped = shaped.with_columns(pl.col("met_indicators").fill_null([]))
    return shaped.select(columns)


def judge(
    raw: RawTable,
    columns: Sequence[str],
    required: Sequence[str],
    *,
    today: date,
    max_cell: int,
    postcode_check: bool,
    elsewhere: Elsewhere | None = None,
) -> Judged:
    """Apply every rule to every row.

    Args:
        raw: text cells.
        columns: what to return, in order, out of LIST_SCHEMA.
        required: columns whose cells may not be empty.
        today: dates of birth after it are refused.
        max_cell: bytes of UTF-8 that a cell may hold.
        postcode_check: False takes any short alphanumeric code for a postcode.
        elsewhere: what the whole file says, where `raw` is a part of it.
    """
    plain = plain_rows(
        raw.cells, required, _NAMING, today=today, max_cell=max_cell, postcode_check=postcode_check
    )
    dates = elsewhere.dates if elsewhere else dates_of(raw, max_cell)
    if dates.slash > dates.iso:
        plain = plain.undated(raw.cells)
    others = raw.cells.filter(~plain.mask)
    cells, errors = _text(others, max_cell)
    errors.append(_errors(raw.too_long.to_frame("line"), pl.lit(True), "row", "more cells than the header"))
    errors.extend(_present(cells, required, others))
    cells, found = _typed(cells, postcode_check=postcode_check)
    errors += found
    cells, found = _dated(cells, today, dates)
    errors += found
    cells = plain.rows if cells.is_empty() else plain.rows.merge_sorted(cells, "line")
    errors.append(_unique(cells, elsewhere.twice if elsewhere else repeated(cells)))
    table = pl.concat(errors).cast(ERROR_SCHEMA).sort("line", "column", maintain_order=True)
    return Judged(_shaped(cells, columns), table)
