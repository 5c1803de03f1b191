"""What each column's cells must look like, as a table: canonical form, test, reason when it fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from gateway.domain import identifiers as ids

Expression = Callable[[pl.Expr], pl.Expr]

_ID_LENGTH: Final = 64
_NAME_LENGTH: Final = 100
_SEXES: Final = {
    "m": "M",
    "male": "M",
    "1": "M",
    "f": "F",
    "female": "F",
    "2": "F",
    "x": "X",
    "other": "X",
    "non-binary": "X",
    "indeterminate": "X",
}
_NO_SEX: Final = ("u", "unknown", "not known", "not stated", "not specified", "0", "9")  # NHS codes 0 and 9
_BOOLEANS: Final = {
    "yes": "true", "y": "true", "true": "true", "1": "true",
    "no": "false", "n": "false", "false": "false", "0": "false",
}  # fmt: skip
_INDICATOR_CODES: Final = r"^[a-z][a-z0-9]*\.[a-z0-9_]+(?:;[a-z][a-z0-9]*\.[a-z0-9_]+)*$"


@dataclass(frozen=True, slots=True)
class Rule:
    """`clean` takes stripped text to its canonical form (null: nothing there); `valid` judges that form."""

    clean: Expression
    valid: Expression
    reason: str


def _as_is(text: pl.Expr) -> pl.Expr:
    return text


def _no_longer_than(length: int) -> Expression:
    return lambda text: text.str.len_chars() <= length


def _words(table: Mapping[str, str], nothing: tuple[str, ...] = ()) -> Rule:
    def clean(text: pl.Expr) -> pl.Expr:
        word = text.str.to_lowercase()
        return pl.when(~word.is_in(nothing)).then(word.replace(table))

    known = sorted(set(table.values()))
    return Rule(clean, lambda text: text.is_in(known), "not a word known here")


def _without_pseudo(text: pl.Expr) -> pl.Expr:
    postcode = ids.canonical_postcode(text)
    return pl.when(~ids.is_pseudo_postcode(postcode)).then(postcode)


def _codes(text: pl.Expr) -> pl.Expr:
    """Codes parted by one semicolon each, in lower case."""
    return text.str.to_lowercase().str.replace_all(r"[;|,\s]+", ";").str.strip_chars(";")


_IDENTIFIER: Final = Rule(_as_is, _no_longer_than(_ID_LENGTH), f"longer than {_ID_LENGTH} characters")
_NAME: Final = Rule(_as_is, _no_longer_than(_NAME_LENGTH), f"longer than {_NAME_LENGTH} characters")

RULES: Final[Mapping[str, Rule]] = {
    "person_id": _IDENTIFIER,
    "household_id": _IDENTIFIER,
    "forename": _NAME,
    "surname": _NAME,
    "area": _NAME,
    "sex": _words(_SEXES, _NO_SEX),
    "consent": _words(_BOOLEANS),
    "in_education": _words(_BOOLEANS),
    "own_family": _words(_BOOLEANS),
    "expecting": _words(_BOOLEANS),
    "postcode": Rule(_without_pseudo, ids.valid_postcode, "not a UK postcode"),
    "nhs_number": Rule(ids.canonical_nhs_number, ids.valid_nhs_number, "not a valid NHS number"),
    "upn": Rule(ids.canonical_upn, ids.valid_upn, "not a valid unique pupil number"),
    "nino": Rule(ids.canonical_nino, ids.valid_nino, "not a valid National Insurance number"),
    "pnc_id": Rule(ids.canonical_pnc_id, ids.valid_pnc_id, "not a valid PNC id"),
    "uprn": Rule(ids.canonical_uprn, ids.valid_uprn, "not a valid UPRN"),
    "met_indicators": Rule(
        _codes, lambda text: text.str.contains(_INDICATOR_CODES), "not a list of indicator codes"
    ),
}
"""Every column but `dob`, which `dates` reads."""

ANY_POSTCODE: Final = Rule(
    ids.canonical_any_postcode, ids.valid_any_postcode, "not a postcode of 2 to 10 characters"
)


def rules_for(*, postcode_check: bool) -> Mapping[str, Rule]:
    return RULES if postcode_check else {**RULES, "postcode": ANY_POSTCODE}
