"""People to the parts that match keys are made of: same person, same text, however it was typed.

Every part is null or a text of letters and digits alone, so that `SEPARATOR` in a message is unambiguous.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final

import polars as pl

from gateway.domain.identifiers import canonical_nhs_number, valid_nhs_number
from gateway.domain.people import IDENTIFYING
from gateway.linkage.names import forename_parts, surname_parts
from gateway.linkage.scheme import V1, Placeholders, Scheme

SEPARATOR: Final = "\x1f"
"""ASCII unit separator: stands between the parts of a message and occurs in none."""

MAX_KNOWN: Final = 1_000_000
"""Names that `Known` keeps, of a kind: a hundred megabytes."""

_UK_POSTCODE: Final = "^[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}$"


class Known:
    """The parts of names met so far: batches of one register, given the same, work each name out once.

    For one scheme. Threads may share it.
    """

    def __init__(self, scheme: Scheme = V1) -> None:
        self._placeholders = scheme.placeholders
        self._tables: dict[str, pl.DataFrame] = {}
        self._lock = Lock()

    def of(
        self, names: pl.Series, make: Callable[[pl.DataFrame, Placeholders], pl.DataFrame]
    ) -> pl.DataFrame:
        """What `make` gives for the distinct ones of `names`, a column of that name."""
        asked = names.drop_nulls().unique().to_frame()
        with self._lock:
            table = self._tables.get(names.name)
            if table is None:
                table = make(asked, self._placeholders)
            else:
                fresh = asked.join(table, on=names.name, how="anti")
                table = pl.concat([table, make(fresh, self._placeholders)])
            # past the limit the names of this batch are kept alone
            found = table.join(asked, on=names.name, how="semi")
            self._tables[names.name] = table if table.height <= MAX_KNOWN else found
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
    numbers = _nhs(rows["nhs_number"])
    # names, dates and postcodes repeat: their dozen passes run over the distinct ones only
    rows = _join(rows, "forename", known.of(rows["forename"], forename_parts))
    rows = _join(rows, "surname", known.of(rows["surname"], surname_parts))
    rows = _join(rows, "dob", _births(rows, scheme.placeholders))
    rows = _join(rows, "postcode", _places(rows, scheme.placeholders))
    return rows.select(
        "gk",
        "s",
        _pair("gk", "sk").alias("gs"),
        _pair("gk3", "sk3").alias("gs3"),
        "g1",
        "g3",
        "gS",
        "s3",
        "sS",
        pl.col("day").alias("dob"),
        "md",
        "y",
        "pc",
        "sec",
        numbers,
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
    """Parts of each distinct date of birth: the whole `day`, its month and day, its year."""
    known = pl.when(~pl.col("dob").is_in(placeholders.births)).then("dob")
    distinct = rows.select(pl.col("dob").drop_nulls().unique()).with_columns(known=known)
    day = pl.col("known").dt.to_string("%Y%m%d")
    return distinct.with_columns(day=day).select(
        "dob",
        "day",
        pl.col("known").dt.to_string("%m%d").alias("md"),
        pl.col("known").dt.to_string("%Y").alias("y"),
    )


def _places(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct postcode: itself and its sector.

    Of a postcode that is not UK-shaped, the sector is all but the last character.
    """
    code, known = pl.col("code"), pl.col("pc")
    unknown = code.is_in(placeholders.postcodes) | code.str.slice(0, 4).is_in(placeholders.postcode_areas)
    repeated = code.str.strip_chars(code.str.slice(0, 1)) == ""
    usable = code.str.contains("[0-9]") & (code.str.len_chars() > 2)  # noqa: PLR2004 - shorter is no postcode
    unit = pl.when(known.str.contains(_UK_POSTCODE)).then(2).otherwise(1)
    distinct = rows.select(pl.col("postcode").drop_nulls().unique())
    return (
        distinct.with_columns(code=pl.col("postcode").str.to_uppercase().str.replace_all("[^0-9A-Z]", ""))
        .with_columns(pc=pl.when(usable & ~unknown & ~repeated).then(code))
        .select("postcode", "pc", known.str.head(known.str.len_chars() - unit).alias("sec"))
    )


def _nhs(numbers: pl.Series) -> pl.Series:
    # what has ten bytes and is not canonical can't be valid: to make it so would leave fewer digits
    number = numbers.alias("nhs").to_frame()
    if (number["nhs"].str.len_bytes() != 10).any():  # noqa: PLR2004 - see above
        number = number.select(canonical_nhs_number(pl.col("nhs")))
    return number.select(pl.when(valid_nhs_number(pl.col("nhs"))).then("nhs")).to_series()
