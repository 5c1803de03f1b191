"""People to the parts that match keys are made of: same person, same text, however it was typed.

Every part is null or a text of letters and digits alone, so that `SEPARATOR` in a message is unambiguous.
"""

import csv
from typing import Final

import polars as pl

from gateway.domain.identifiers import canonical_nhs_number, valid_nhs_number
from gateway.domain.people import IDENTIFYING
from gateway.linkage.phonetic import soundex
from gateway.linkage.scheme import V1, Placeholders, Scheme, package_text

SEPARATOR: Final = "\x1f"
"""ASCII unit separator: stands between the parts of a message and occurs in none."""

# letters that Unicode does not decompose
_LETTERS: Final = {
    "Æ": "AE",
    "Œ": "OE",
    "Ø": "O",
    "Ł": "L",
    "Đ": "D",
    "Ð": "D",
    "Þ": "TH",
    "Ħ": "H",
    "ẞ": "SS",
}
_UK_POSTCODE: Final = "^[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}$"
NICKNAMES: Final = {
    row["name"]: row["canonical"] for row in csv.DictReader(package_text("nicknames.csv").splitlines())
}


def normalise(people: pl.DataFrame, scheme: Scheme = V1) -> pl.DataFrame:
    """The parts of match keys, one String column each, null where not known; row order kept.

    `people` has any of the columns of `gateway.domain.people.IDENTIFYING`; a missing one counts as null.
    """
    rows = people.select(
        pl.col(column).cast(kind)
        if column in people.columns
        else pl.repeat(None, people.height, dtype=kind).alias(column)
        for column, kind in IDENTIFYING.items()
    )
    # names and postcodes repeat: their dozen passes run over the distinct ones only
    rows = _join(rows, "forename", _forenames(rows, scheme.placeholders))
    rows = _join(rows, "surname", _surnames(rows, scheme.placeholders))
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
        *_birth(scheme.placeholders),
        "pc",
        "sec",
        _nhs(),
    )


def _join(rows: pl.DataFrame, column: str, parts: pl.DataFrame) -> pl.DataFrame:
    return rows.join(parts, on=column, how="left", maintain_order="left")


def _words(text: pl.Expr) -> pl.Expr:
    """Capitals without accents, one space between words; hyphens part words, other marks vanish."""
    plain = text.str.normalize("NFKD").str.to_uppercase().str.replace_many(_LETTERS)
    parted = plain.str.replace_all(r"[\s\p{Pd}_.,]+", " ")
    return parted.str.replace_all(r"[^\p{L} ]", "").str.strip_chars(" ")


def _known(name: pl.Expr, whole: pl.Expr, placeholders: frozenset[str]) -> pl.Expr:
    """`name`, or null where it or the whole entry stands for "not known", or is one letter repeated."""
    unknown = name.is_in(placeholders) | whole.is_in(placeholders)
    repeated = (name.str.len_chars() > 1) & (name.str.strip_chars(name.str.slice(0, 1)) == "")
    return pl.when((name != "") & ~unknown & ~repeated).then(name)


def _forenames(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct forename: its first word; a lone initial is a `g1` and nothing more."""
    words, name = pl.col("words"), pl.col("name")
    known = _known(
        words.str.extract("^([^ ]+)"),
        words.str.replace_all(" ", "", literal=True),
        placeholders.names | placeholders.forenames,
    )
    full = pl.when(name.str.len_chars() > 1).then(name)
    distinct = rows.select(pl.col("forename").drop_nulls().unique())
    return (
        distinct.with_columns(words=_words(pl.col("forename")))
        .with_columns(name=known)
        .select(
            "forename",
            full.replace(NICKNAMES).alias("gk"),
            full.replace(NICKNAMES).str.slice(0, 3).alias("gk3"),
            name.str.slice(0, 1).alias("g1"),
            full.str.slice(0, 3).alias("g3"),
            soundex(name).alias("gS"),
        )
    )


def _surnames(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
    """Parts of each distinct surname, written as one word; a lone letter is none."""
    joined, name = pl.col("joined"), pl.col("name")
    known = pl.when(joined.str.len_chars() > 1).then(_known(joined, joined, placeholders.names))
    distinct = rows.select(pl.col("surname").drop_nulls().unique())
    return (
        distinct.with_columns(joined=_words(pl.col("surname")).str.replace_all(" ", "", literal=True))
        .with_columns(name=known)
        .select(
            "surname",
            name.alias("s"),
            name.str.slice(0, 3).alias("s3"),
            soundex(name).alias("sS"),
            # in the order-free pairs a surname may stand where the other side has the forename
            name.replace(NICKNAMES).alias("sk"),
            name.replace(NICKNAMES).str.slice(0, 3).alias("sk3"),
        )
    )


def _pair(one: str, other: str) -> pl.Expr:
    """Both in alphabetical order; null where either is."""
    first, second = pl.col(one), pl.col(other)
    ordered = pl.min_horizontal(first, second), pl.max_horizontal(first, second)
    return pl.when(first.is_not_null() & second.is_not_null()).then(
        pl.concat_str(ordered, separator=SEPARATOR)
    )


def _birth(placeholders: Placeholders) -> list[pl.Expr]:
    birth = pl.when(~pl.col("dob").is_in(placeholders.births)).then(pl.col("dob"))
    return [
        birth.dt.strftime("%Y%m%d").alias("dob"),
        birth.dt.strftime("%m%d").alias("md"),
        birth.dt.strftime("%Y").alias("y"),
    ]


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


def _nhs() -> pl.Expr:
    number = canonical_nhs_number(pl.col("nhs_number"))
    return pl.when(valid_nhs_number(number)).then(number).alias("nhs")
