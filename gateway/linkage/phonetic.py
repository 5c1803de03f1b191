"""The code of how a name sounds: Soundex after one table of European and South Asian spelling folds.

Soundex alone keeps the first letter, so Catherine and Katherine differ, and sounds what is silent (Wright,
Knight). The folds mend that and change nothing else: docs/normalisation.md, "Sound".
"""

import tomllib
from typing import Final

import polars as pl

from gateway.linkage.scheme import package_text

_TABLE: Final[dict[str, str]] = tomllib.loads(package_text("sounds.toml"))["sounds"]
_LENGTH: Final = 4


def once(text: pl.Expr, letters: str) -> pl.Expr:
    """Each run of one of the letters as that letter alone, in one pass."""
    runs = "|".join(f"({letter}){letter}+" for letter in letters)
    return text.str.replace_all(runs, "".join(f"${{{at}}}" for at in range(1, len(letters) + 1)))


def sound(name: pl.Expr) -> pl.Expr:
    """First sound (a letter) and three digits of a name in A-Z; null for other letters, one letter or null.

    Meant for distinct names: it is several passes over the text.
    """
    codes = (pl.lit("^") + name + pl.lit("$")).str.replace_many(_TABLE, leftmost=True)
    single = codes.pipe(once, "0123456")
    # the first sound's own code falls away; 0 parted equal codes and falls away too
    short = single.str.replace("^(.).", "$1").str.replace_all("0", "", literal=True).str.slice(0, _LENGTH)
    return pl.when(name.str.contains("^[A-Z]{2,}$")).then(short.str.pad_end(_LENGTH, "0"))
