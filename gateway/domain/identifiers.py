"""UK identifiers as Polars expressions: one canonical form each, and whether a canonical value is valid.

`canonical_*` takes text as people write it; `valid_*` takes the canonical form. Null stays null in both.
Formats and their traps: DOMAIN.md §6.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

CHECK_LETTERS: Final = "ABCDEFGHJKLMNPQRTUVWXYZ"
"""The 23 letters of UPN and PNC check characters: no I, O or S."""

_NHS_WEIGHTS: Final = pl.Series([list(range(10, 0, -1))], dtype=pl.Array(pl.UInt16, 10))
_PNC_LETTERS: Final = CHECK_LETTERS[-1] + CHECK_LETTERS[:-1]  # remainder 1 is A, remainder 0 is Z
_NINO_FORBIDDEN_PREFIXES: Final = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
_POSTCODE: Final = (
    r"^(?:GIR 0AA|[A-PR-UWYZ]"
    r"(?:[0-9]{1,2}|[0-9][A-HJKPSTUW]|[A-HK-Y][0-9]{1,2}|[A-HK-Y][0-9][ABEHMNPRVWXY])"
    r" [0-9][ABD-HJLNP-UW-Z]{2})$"
)
_PSEUDO_POSTCODE: Final = r"^ZZ99 [0-9][A-Z]{2}$"  # NHS: no fixed abode, or address not known


def _compact(text: pl.Expr) -> pl.Expr:
    return text.str.to_uppercase().str.replace_all(r"[\s\p{Zs}\-]", "")


def _digit(number: pl.Expr, place: int) -> pl.Expr:
    return number.floordiv(10**place).mod(10)


def _weighted(number: pl.Expr, weights: Sequence[int]) -> pl.Expr:
    """Sum of digit times weight; `weights` from the leftmost digit on."""
    last = len(weights) - 1
    return pl.sum_horizontal(_digit(number, last - i) * weight for i, weight in enumerate(weights))


def _letter(letters: str, index: pl.Expr) -> pl.Expr:
    return index.replace_strict(
        list(range(len(letters))), list(letters), default=None, return_dtype=pl.String
    )


def _verdict(text: pl.Expr, holds: pl.Expr) -> pl.Expr:
    """A check that could not be worked out has failed; only a missing value has no verdict."""
    return pl.when(text.is_not_null()).then(holds.fill_null(value=False))


def canonical_nhs_number(text: pl.Expr) -> pl.Expr:
    return _compact(text)


def valid_nhs_number(text: pl.Expr) -> pl.Expr:
    """Ten digits, weights 10 to 1, modulus 11.

    A number of one digit repeated passes the checksum and is refused by name: all zeros and all nines are
    what systems write for "not known".
    """
    # null unless of ten bytes; registers have millions of these, and arrays take a quarter of digits' time
    digits = text.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, 10))
    lowest, highest = digits.arr.min(), digits.arr.max()
    # "0" is 48, and 48 times the sum of the weights is a multiple of 11
    total = digits.cast(pl.Array(pl.UInt16, 10)).arr.dot(pl.lit(_NHS_WEIGHTS))
    shape = (lowest >= ord("0")) & (highest <= ord("9"))
    return _verdict(text, shape & (total % 11 == 0) & (lowest != highest))


def canonical_upn(text: pl.Expr) -> pl.Expr:
    return _compact(text)


def valid_upn(text: pl.Expr) -> pl.Expr:
    """Check letter and twelve digits, the last of which is a letter in a temporary UPN.

    All zeros pass the check letter and stand for "not known".
    The authority's number is not looked up: tables of it go stale, and a newer council's UPN must pass.
    """
    shape = text.str.contains(rf"^[{CHECK_LETTERS}][0-9]{{11}}[0-9{CHECK_LETTERS}]$")
    known = text.str.slice(1) != "0" * 12
    body = text.str.slice(1, 11).cast(pl.Int64, strict=False)
    last = text.str.slice(12, 1)
    value = last.replace_strict(
        [*"0123456789", *CHECK_LETTERS], [*range(10), *range(23)], default=None, return_dtype=pl.Int64
    )
    remainder = (_weighted(body, range(2, 13)) + value * 13) % 23
    return _verdict(text, shape & known & (_letter(CHECK_LETTERS, remainder) == text.str.slice(0, 1)))


def canonical_nino(text: pl.Expr) -> pl.Expr:
    return _compact(text)


def valid_nino(text: pl.Expr) -> pl.Expr:
    """Two letters, six digits, suffix A to D (HMRC NIM39110). There is no check digit."""
    shape = text.str.contains(r"^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]$")
    return shape & ~text.str.slice(0, 2).is_in(_NINO_FORBIDDEN_PREFIXES)


def canonical_pnc_id(text: pl.Expr) -> pl.Expr:
    """`2003/62845e` becomes `2003/0062845E`."""
    padded = _compact(text).str.replace(r"^([0-9]{4}/)([0-9]{1,7}[A-Z])$", "${1}000000${2}")
    return padded.str.replace(r"^([0-9]{4}/)0*([0-9]{7}[A-Z])$", "${1}${2}")


def valid_pnc_id(text: pl.Expr) -> pl.Expr:
    """`YYYY/NNNNNNND`; D from the year's last two digits and the serial, modulus 23."""
    shape = text.str.contains(rf"^(?:19|20)[0-9]{{2}}/[0-9]{{7}}[{CHECK_LETTERS}]$")
    number = (text.str.slice(2, 2) + text.str.slice(5, 7)).cast(pl.Int64, strict=False)
    return _verdict(text, shape & (_letter(_PNC_LETTERS, number % 23) == text.str.slice(12, 1)))


def canonical_uprn(text: pl.Expr) -> pl.Expr:
    """Padded with zeros to twelve digits."""
    return _compact(text).str.zfill(12)


def valid_uprn(text: pl.Expr) -> pl.Expr:
    return text.str.contains(r"^[0-9]{12}$") & (text != "0" * 12)


def canonical_postcode(text: pl.Expr) -> pl.Expr:
    """Outward part, one space, inward part of three characters."""
    return _compact(text).str.replace(r"^(.+)(.{3})$", "${1} ${2}")


def valid_postcode(text: pl.Expr) -> pl.Expr:
    """The shapes of BS 7666 with their allowed letters, GIR 0AA and the NHS pseudo-postcodes ZZ99."""
    return text.str.contains(_POSTCODE) | is_pseudo_postcode(text)


def is_pseudo_postcode(text: pl.Expr) -> pl.Expr:
    """ZZ99 codes of the NHS Postcode Directory say that there is no address: nothing to match on."""
    return text.str.contains(_PSEUDO_POSTCODE)


def canonical_any_postcode(text: pl.Expr) -> pl.Expr:
    return _compact(text)


def valid_any_postcode(text: pl.Expr) -> pl.Expr:
    """Any short alphanumeric code, for lists from elsewhere."""
    return text.str.contains(r"^[A-Z0-9]{2,10}$")
