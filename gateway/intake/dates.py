"""Dates of birth: ISO or UK day-first, one format a file, and never a guess between day and month."""

from datetime import date
from typing import Final

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


def _first_line(parsed: pl.DataFrame, flag: str) -> int | None:
    line = parsed.filter(pl.col(flag))["line"].min()
    return line if isinstance(line, int) else None


def _file_rules(parsed: pl.DataFrame) -> pl.Expr:
    """What one row's date is refused for because of the others."""
    reason = pl.lit(None, pl.String)
    month_line = _first_line(parsed, "month_first")
    if month_line is not None:
        day_line = _first_line(parsed, "day_first")
        clash = f"line {month_line} has the month first" + (
            f" and line {day_line} the day" if day_line is not None else ""
        )
        reason = pl.when("unclear").then(pl.lit(f"day and month can't be told apart: {clash}"))
    if parsed["is_iso"].any() and parsed["is_slash"].any():
        iso_leads = parsed["is_iso"].sum() >= parsed["is_slash"].sum()
        main, other = ("is_iso", "is_slash") if iso_leads else ("is_slash", "is_iso")
        text = f"not in the format of most dates here, as on line {_first_line(parsed, main)}: use one format"
        reason = pl.when(other).then(pl.lit(text)).otherwise(reason)
    return reason


def read_dates(line: pl.Series, text: pl.Series, today: date) -> pl.DataFrame:
    """Columns `dob` (Date, null where refused) and `reason` (String, null where fine), row for row.

    Slashes, dots and hyphens may part day, month and year. Where every such date is ambiguous, the rule
    stands: the day comes first. One that can only be month-first takes that trust away from the ambiguous.
    """
    parsed = _parsed(line, text)
    reason = (
        pl.when(pl.col("text").is_null())
        .then(None)
        .when(pl.col("text").str.contains(_SHORT_YEAR))
        .then(pl.lit("year has two digits: write four"))
        .when(~pl.col("is_iso") & ~pl.col("is_slash"))
        .then(pl.lit("not a date: write YYYY-MM-DD or DD/MM/YYYY"))
        .when("month_first")
        .then(pl.lit("month before day: write YYYY-MM-DD or DD/MM/YYYY"))
        .when(_file_rules(parsed).is_not_null())
        .then(_file_rules(parsed))
        .when(pl.col("value").is_null())
        .then(pl.lit("no such day in the calendar"))
        .when(pl.col("value") > today)
        .then(pl.lit("in the future"))
        .when(pl.col("value") < EARLIEST)
        .then(pl.lit(f"before {EARLIEST.year}"))
    )
    judged = parsed.with_columns(reason=reason)
    return judged.select(pl.when(pl.col("reason").is_null()).then(pl.col("value")).alias("dob"), "reason")
