"""American Soundex as a Polars expression (the code of the US National Archives' guide to census indexes)."""

from typing import Final

import polars as pl

_GROUPS: Final = {
    "0": "AEIOUY",  # separate equal codes, then fall away
    "1": "BFPV",
    "2": "CGJKQSXZ",
    "3": "DT",
    "4": "L",
    "5": "MN",
    "6": "R",
    "": "HW",  # do not separate equal codes
}
_CODES: Final = {letter: code for code, letters in _GROUPS.items() for letter in letters}
_DIGITS: Final = 3


def soundex(name: pl.Expr) -> pl.Expr:
    """Letter and three digits of a name in A-Z; null for other letters, one letter or null.

    Meant for distinct names: it is a dozen passes over the text.
    """
    codes = name.str.replace_many(_CODES)
    for code in "0123456":
        codes = codes.str.replace_all(f"{code}{{2,}}", code)
    # the first letter's own code goes; H and W have none
    rest = pl.when(name.str.contains("^[HW]")).then(codes).otherwise(codes.str.slice(1))
    digits = rest.str.replace_all("0", "", literal=True).str.slice(0, _DIGITS).str.pad_end(_DIGITS, "0")
    return pl.when(name.str.contains("^[A-Z]{2,}$")).then(name.str.slice(0, 1) + digits)
