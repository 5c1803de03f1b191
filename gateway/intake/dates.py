"""Dates of birth: ISO or UK day-first, one format a file, and never a guess between day and month."""

from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import polars as pl

EARLIEST: Final = date(1900, 1, 1)

_ISO: Final = r"^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]00:00:00(?:\.0+)?)?$"
_SLASH: Final = r"^([0-9]{1,2})[/.\-]([0-9]{1,2})[/.\-]([0-9]{4})(?: 00:00:00)?$"
_SHORT_YEAR: Final = r"^[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-][0-9]{2}$"
_MONTHS: Final = 12


def _groups(pattern: str) -> list[pl.Expr]:
    groups = pl.col("text").str.extract_groups(pattern).struct
    return [groups.field(str(number)) for number in (1, 2, 3)]


def _date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    text = pl.concat_str(year, month.str.zfill(2), day.str.zfill(2), separator="-")
    return text.str.to_date("%Y-%m-%d", strict=False)


def _parsed(line: pl.Series, text: pl.Series) -> pl.DataFrame:
    """Each date read as ISO or day-first, with what its two small numbers say about their order."""
    (iso_year, iso_month, iso_day), (first, second, year) = _groups(_ISO), _groups(_SLASH)
    a, b = first.cast(pl.Int32), second.cast(pl.Int32)
    return pl.DataFrame({"line": line, "text": text}).select(
        "line",
        "text",
        is_iso=iso_year.is_not_null(),
        is_slash=year.is_not_null(),
        day_first=(a > _MONTHS) & (b <= _MONTHS),
        month_first=(b > _MONTHS) & (a <= _MONTHS),
        unclear=(a <= _MONTHS) & (b <= _MONTHS) & (a != b),
        value=pl.coalesce(_date(iso_year, iso_month, iso_day), _date(year, second, first)),
    )


@dataclass(frozen=True, slots=True)
class DateFacts:
    """What all dates of a file say together about how to read one. Facts of its parts add up.

    `iso`, `slash`: how many are of that format. The others: the first line of the kind, None where none is.
    """

    iso: int = 0
    slash: int = 0
    first_iso: int | None = None
    first_slash: int | None = None
    first_day_first: int | None = None
    first_month_first: int | None = None

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.iso + other.iso,
            self.slash + other.slash,
            _earlier(self.first_iso, other.first_iso),
            _earlier(self.first_slash, other.first_slash),
            _earlier(self.first_day_first, other.first_day_first),
            _earlier(self.first_month_first, other.first_month_first),
        )


def _earlier(*lines: int | None) -> int | None:
    return min((line for line in lines if line is not None), default=None)


def date_facts(line: pl.Series, text: pl.Series) -> DateFacts:
    """The facts of these rows' dates."""
    return _facts(_parsed(line, text))


def _facts(parsed: pl.DataFrame) -> DateFacts:
    kinds = ("is_iso", "is_slash", "day_first", "month_first")
    counts, lines = pl.col(kinds[:2]).sum(), [pl.col("line").filter(kind).min() for kind in kinds]
    return DateFacts(
        *parsed.select(counts).row(0),
        *parsed.select(first.alias(kind) for first, kind in zip(lines, kinds, strict=True)).row(0),
    )


def _file_rules(facts: DateFacts) -> pl.Expr:
    """What one row's date is refused for because of the others."""
    reason = pl.lit(None, pl.String)
    if facts.first_month_first is not None:
        clash = f"line {facts.first_month_first} has the month first" + (
            f" and line {facts.first_day_first} the day" if facts.first_day_first is not None else ""
        )
        reason = pl.when("unclear").then(pl.lit(f"day and month can't be told apart: {clash}"))
    if facts.iso and facts.slash:
        iso_leads = facts.iso >= facts.slash
        other, first = ("is_slash", facts.first_iso) if iso_leads else ("is_iso", facts.first_slash)
        text = f"not in the format of most dates here, as on line {first}: use one format"
        reason = pl.when(other).then(pl.lit(text)).otherwise(reason)
    return reason


def read_dates(line: pl.Series, text: pl.Series, today: date, facts: DateFacts | None = None) -> pl.DataFrame:
    """Columns `dob` (Date, null where refused) and `reason` (String, null where fine), row for row.

    `facts`: those of the whole file, where these rows are a part of it.

    Slashes, dots and hyphens may part day, month and year. Where every such date is ambiguous, the rule
    stands: the day comes first. One that can only be month-first takes that trust away from the ambiguous.
    """
    parsed = _parsed(line, text)
    of_file = _file_rules(facts or _facts(parsed))
    reason = (
        pl.when(pl.col("text").is_null())
        .then(None)
        .when(pl.col("text").str.contains(_SHORT_YEAR))
        .then(pl.lit("year has two digits: write four"))
        .when(~pl.col("is_iso") & ~pl.col("is_slash"))
        .then(pl.lit("not a date: write YYYY-MM-DD or DD/MM/YYYY"))
        .when("month_first")
        .then(pl.lit("month before day: write YYYY-MM-DD or DD/MM/YYYY"))
        .when(of_file.is_not_null())
        .then(of_file)
        .when(pl.col("value").is_null())
        .then(pl.lit("no such day in the calendar"))
        .when(pl.col("value") > today)
        .then(pl.lit("in the future"))
        .when(pl.col("value") < EARLIEST)
        .then(pl.lit(f"before {EARLIEST.year}"))
    )
    judged = parsed.with_columns(reason=reason)
    return judged.select(pl.when(pl.col("reason").is_null()).then(pl.col("value")).alias("dob"), "reason")
