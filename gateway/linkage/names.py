"""Names to the parts of match keys, once for each distinct spelling: accents, marks, nicknames, phonetics.

Every part is null or a text of letters alone.
"""

import csv
from typing import Final

import polars as pl

from gateway.linkage.phonetic import soundex
from gateway.linkage.scheme import Placeholders, package_text

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
NICKNAMES: Final = {
    row["name"]: row["canonical"] for row in csv.DictReader(package_text("nicknames.csv").splitlines())
}


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


def forename_parts(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
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


def surname_parts(rows: pl.DataFrame, placeholders: Placeholders) -> pl.DataFrame:
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
