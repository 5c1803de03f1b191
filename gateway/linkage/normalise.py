"""People to the parts that match keys are made of: same person, same text, however it was typed.

Every part is null or a text of letters and digits alone, so that `SEPARATOR` in a message is unambiguous.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final

import polars as pl

from gateway.domain.identifiers import (
    canonical_nhs_number,
    canonical_nino,
    canonical_upn,
    canonical_uprn,
    valid_nhs_number,
    valid_nino,
    valid_upn,
    valid_uprn,
)
from gateway.domain.people import IDENTIFYING
from gateway.linkage.names import forename_parts, surname_parts
from gateway.linkage.scheme import V1, Placeholders, Scheme

SEPARATOR: Final = "\x1f"
"""ASCII unit separator: stands between the parts of a message and occurs in none."""

MAX_KNOWN: Final = 1_000_000
"""Values that `Known` keeps, of a kind: a hundred megabytes."""

_LOOK_ALIKES: Final = {"O": "0", "I": "1"}
_UK_POSTCODE: Final = "^[0-9A-Z]{2,4}[0-9][A-Z]{2}$"


class Known:
    """The parts of values met so far: batches of one register, given the same, work out each value once.

    For one scheme. Threads may share it.
    """

    def __init__(self, scheme: Scheme = V1) -> None:
        self._placeholders = scheme.placeholders
        self._tables: dict[str, pl.DataFrame] = {}
        self._lock = Lock()

    def of(
        self, values: pl.Series, make: Callable[[pl.DataFrame, Placeholders], pl.DataFrame]
    ) -> pl.DataFrame:
        """What `make` gives for the distinct ones of `values`, a column of that name."""
        asked = values.drop_nulls().unique().to_frame()
        with self._lock:
            table = self._tables.get(values.name)
            if table is None:
                table = make(asked.clear(), self._placeholders)
            # the table may be far longer than what is asked for: it is gone through, never hashed
            found = table.join(asked, on=values.name, how="semi")
            fresh = make(asked.join(found, on=values.name, how="anti"), self._placeholders)
            found, table = pl.concat([found, fresh]), pl.concat([table, fresh])
            # past the limit what was asked for last is kept alone
            self._tables[values.name] = table if table.height <= MAX_KNOWN else found
        return found


def normalise(people: pl.DataFrame, scheme: Scheme = V1, known: Known | None = None) -> pl.DataFrame:
    """The parts of match keys, one String column each, null where not known; row order kept.

    `people` has any of the columns of `gateway.domain.people.IDENTIFYING`; a missing one counts as null.
    `known`: what earlier batches left; it changes nothing but the time that this takes.
    """
    known = known or Known(scheme)
    rows = people.select(
        pl.col(column).cast(kind)
        if column in people.columns
        else pl.repeat(None, people.height, dtype=kind).alias(column)
        for column, kind in IDENTIFYING.items()
    )
    numbers = _numbers(rows)
    # names, dates and postcodes repeat: their dozen passes run over the distinct ones only
    rows = _join(rows, "forename", known.of(rows["forename"], forename_parts))
    rows = _join(rows, "surname", known.of(rows["surname"], surname_parts))
    rows = _join(rows, "dob", known.of(rows["dob"], _births))
    rows = _join(rows, "postcode", known.of(rows["postcode"], _places))
    return rows.select(
        *("gk", "g1", "g3", "gS"),
        *("s", "s1", "s3", "sE", "sS", "sl"),
        _pair("gk", "sk").alias("gs"),
        _pair("gk3", "sk3").alias("gs3"),
        *("born", "dm", "my", "y"),
        *("pc", "pcx", "out"),
        *numbers,
    )


def _join(rows: pl.DataFrame, column: str, parts: pl.DataFrame) -> pl.DataFrame:
    return rows.join(parts, on=column, how="left", maintain_order="left")


def _pair(one: str, other: str) -> pl.Expr:
    """Both in alphabetical order; null where either is."""
    first, second = pl.col(one), pl.col(other)
    ordered = pl.min_horizontal(first, second), pl.max_horizontal(first, second)
    return pl.when(first.is_not_null() & second.is_not_null()).then(
        pl.concat_str(ordered, separator=SEPARATOR)
    )


def _births(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct date of birth: `born` the whole, `dm` day and month, `my` month and year, `y`.

    In `born` and `dm` the smaller of day and month stands first: they are often swapped. 1 January is
    written where only the year is known: such a date counts as its year alone.
    """
    known = pl.when(~pl.col("dob").is_in(placeholders.births)).then("dob")
    whole = pl.when(known.dt.ordinal_day() != 1).then(known)
    day, month = whole.dt.to_string("%d"), whole.dt.to_string("%m")
    return rows.select(pl.col("dob").drop_nulls().unique()).select(
        "dob",
        born=whole.dt.to_string("%Y") + pl.min_horizontal(day, month) + pl.max_horizontal(day, month),
        dm=pl.min_horizontal(day, month) + pl.max_horizontal(day, month),
        my=whole.dt.to_string("%Y%m"),
        y=known.dt.to_string("%Y"),
    )


def _places(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct postcode: `pc` the whole, `pcx` its characters in order, `out` the district.

    O and I count as the digits that they are mistaken for: no postcode differs from another by them alone.
    Of a postcode that is not UK-shaped, the district is all but the last two characters.
    """
    code, known = pl.col("code"), pl.col("pc")
    unknown = code.is_in(placeholders.postcodes) | code.str.slice(0, 4).is_in(placeholders.postcode_areas)
    repeated = code.str.strip_chars(code.str.slice(0, 1)) == ""
    usable = code.str.contains("[0-9]") & (code.str.len_chars() > 2)  # noqa: PLR2004 - shorter is no postcode
    inward = pl.when(known.str.contains(_UK_POSTCODE)).then(3).otherwise(2)
    distinct = rows.select(pl.col("postcode").drop_nulls().unique())
    return (
        distinct.with_columns(code=pl.col("postcode").str.to_uppercase().str.replace_all("[^0-9A-Z]", ""))
        .with_columns(pc=pl.when(usable & ~unknown & ~repeated).then(code.str.replace_many(_LOOK_ALIKES)))
        .select(
            "postcode",
            "pc",
            pcx=known.str.extract_all(".").list.sort().list.join(""),
            out=known.str.head(known.str.len_chars() - inward),
        )
    )


def _numbers(rows: pl.DataFrame) -> list[pl.Series]:
    """Numbers that are valid; all else is null."""
    return [
        _valid(rows["nhs_number"].alias("nhs"), canonical_nhs_number, valid_nhs_number),
        _valid(rows["upn"], canonical_upn, valid_upn),
        _valid(rows["nino"], canonical_nino, valid_nino),
        _valid(rows["uprn"], canonical_uprn, valid_uprn),
    ]


def _valid(
    numbers: pl.Series, canonical: Callable[[pl.Expr], pl.Expr], valid: Callable[[pl.Expr], pl.Expr]
) -> pl.Series:
    if numbers.null_count() == len(numbers):
        return numbers
    number = numbers.to_frame()
    column = pl.col(numbers.name)
    # a valid number is its own canonical form, and most files hold no others
    if not number.select(valid(column)).to_series().all():
        number = number.select(canonical(column))
    return number.select(pl.when(valid(column)).then(column)).to_series()
