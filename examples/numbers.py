"""Identifiers that pass every check and belong to nobody.

NHS numbers come from the test range 999. It holds 909,090 valid numbers; more people take them from 998, 997
and so on down to 990, ranges that are not issued either.
UPNs carry authority 999, which is not allocated. NINOs carry the prefix PP, one of HMRC's administrative
prefixes that no person is given: QQ, the usual mark of an example, would fail validation.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from examples.draw import Draws
from gateway.domain.identifiers import CHECK_LETTERS

_NHS_RANGE: Final = 1_000_000
_NO_CHECK: Final = 10  # a remainder that no check digit can show
_TEST_RANGE, _LAST_RANGE = 999, 990
_VALID_OF_A_RANGE: Final = 900_000  # at least


def _checked(number: pl.Expr, weights: Sequence[int]) -> pl.Expr:
    last = len(weights) - 1
    return pl.sum_horizontal(number // 10 ** (last - i) % 10 * weight for i, weight in enumerate(weights))


def nhs_numbers(draws: Draws, size: int) -> pl.Series:
    """Distinct valid numbers in random order, then nulls when the ranges are used up."""
    first = max(_LAST_RANGE, _TEST_RANGE - size // _VALID_OF_A_RANGE)
    body = pl.int_range(first * _NHS_RANGE, (_TEST_RANGE + 1) * _NHS_RANGE, dtype=pl.Int64)
    check = (11 - _checked(body, range(10, 1, -1)) % 11) % 11
    numbers = pl.select(body * 10 + check).to_series().filter(pl.select(check < _NO_CHECK).to_series())
    numbers = numbers.filter(numbers % 1_111_111_111 != 0)
    drawn = numbers.gather(draws.order("nhs", len(numbers)).head(size)).cast(pl.String)
    return drawn.extend_constant(None, max(0, size - len(drawn)))


def upns(size: int) -> pl.Series:
    """Distinct valid permanent UPNs."""
    body = pl.int_range(size, dtype=pl.Int64) + 999_4000_00_000
    remainder = _checked(body, range(2, 14)) % 23
    letter = remainder.replace_strict(list(range(23)), list(CHECK_LETTERS), return_dtype=pl.String)
    return pl.select(letter + body.cast(pl.String)).to_series()


def ninos(size: int) -> pl.Series:
    """Distinct NINOs with an administrative prefix."""
    index = pl.int_range(size, dtype=pl.Int64)
    suffix = (index // 1_000_000 % 4).replace_strict([0, 1, 2, 3], list("ABCD"), return_dtype=pl.String)
    return pl.select("PP" + (index % 1_000_000).cast(pl.String).str.zfill(6) + suffix).to_series()
