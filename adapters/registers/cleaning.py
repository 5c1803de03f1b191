"""From a register's own columns to ours, column-wise and leniently: what can't be read becomes null."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import polars as pl

from adapters.registers.register import OBJECTED, Columns, RegisterError, batch_schema
from gateway.domain import identifiers as ids
from gateway.domain.people import IDENTIFYING

_YES: Final = ("1", "1.0", "y", "yes", "t", "true")
_NO: Final = ("0", "0.0", "n", "no", "f", "false")
_DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d")
_OLDEST: Final = date(1900, 1, 1)
_SEXES: Final = {"M": "M", "F": "F", "1": "M", "2": "F"}
"""NHS data dictionary, PERSON GENDER CODE: 1 male, 2 female."""

_CHECKED: Final[dict[str, tuple[Callable[[pl.Expr], pl.Expr], Callable[[pl.Expr], pl.Expr]]]] = {
    "nhs_number": (ids.canonical_nhs_number, ids.valid_nhs_number),
    "upn": (ids.canonical_upn, ids.valid_upn),
    "nino": (ids.canonical_nino, ids.valid_nino),
    "pnc_id": (ids.canonical_pnc_id, ids.valid_pnc_id),
    "uprn": (ids.canonical_uprn, ids.valid_uprn),
    "postcode": (ids.canonical_postcode, ids.valid_postcode),
}
_ANY_POSTCODE: Final = (ids.canonical_any_postcode, ids.valid_any_postcode)


def clean(
    frame: pl.DataFrame, columns: Columns, indicators: Sequence[str], *, any_postcode: bool = False
) -> pl.DataFrame:
    """One batch in our columns, schema `batch_schema(indicators)`; an absent identifying column is null.

    An unreadable objection counts as one: the doubt is the person's. An unreadable indicator is not met.

    Raises:
        RegisterError: no objection column, or none for an indicator: its flag would be a silent no.
    """
    there = frame.columns
    checks = _CHECKED | {"postcode": _ANY_POSTCODE} if any_postcode else _CHECKED
    # in stages, because Polars works an expression out anew wherever it is used
    text = frame.select(
        *(_identifying(name, columns.find(name, there), frame.schema) for name in IDENTIFYING),
        _objected(_required(OBJECTED, columns, there)).alias(OBJECTED),
        *(_yes(_required(code, columns, there)).fill_null(value=False).alias(code) for code in indicators),
    )
    read = text.with_columns(
        _date(pl.col("dob"), text.schema["dob"]),
        pl.col("sex").str.to_uppercase().str.slice(0, 1).replace_strict(_SEXES, default=None),
        *(canonical(pl.col(name)) for name, (canonical, _) in checks.items()),
    )
    return read.with_columns(
        pl.when(pl.col("dob") >= _OLDEST).then("dob"),
        *(pl.when(valid(pl.col(name))).then(name) for name, (_, valid) in checks.items()),
    ).cast(batch_schema(indicators))


def _required(name: str, columns: Columns, there: Sequence[str]) -> str:
    source = columns.find(name, there)
    if source is None:
        raise RegisterError(
            f"no column for {name}",
            place="register",
            way_out="Add it to the register, or map it under [register.columns] in agent.toml",
        )
    return source


def _identifying(name: str, source: str | None, schema: pl.Schema) -> pl.Expr:
    """As text, a date in a column of dates excepted."""
    if source is None:
        return pl.lit(None, dtype=pl.String).alias(name)
    if name == "dob" and schema[source].is_temporal():
        return pl.col(source).alias(name)
    text = _text(source)
    # a time of day may follow a date
    return (text.str.extract(r"^([0-9./-]+)") if name == "dob" else text).alias(name)


def _text(source: str) -> pl.Expr:
    """Trimmed text; empty is null, or "" would become a token that many people share."""
    text = pl.col(source).cast(pl.String, strict=False).str.strip_chars()
    return pl.when(text != "").then(text)


def _date(day: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_temporal():
        return day.cast(pl.Date, strict=False)
    return pl.coalesce(day.str.to_date(form, strict=False) for form in _DATES)


def _yes(source: str) -> pl.Expr:
    text = pl.col(source).cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    return pl.when(text.is_in(_YES)).then(True).when(text.is_in(_NO)).then(False)


def _objected(source: str) -> pl.Expr:
    blank = _text(source).is_null()
    return _yes(source).fill_null(~blank)
