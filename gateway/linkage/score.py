"""What a set of agreeing match keys is worth, in bits (docs/scheme-v1.md, scoring).

After Fellegi and Sunter (1969): the evidence of a pair is log2 of how much likelier its agreements are of one
person than of two. Not a sum over keys, which are correlated: the scheme says how often each component agrees
how far, and what the keys show of a pair is the sum over every way in which that can have come about.
"""

from dataclasses import replace
from functools import lru_cache, reduce
from math import inf, log2
from operator import or_
from typing import Final

import polars as pl

from gateway.domain.errors import BadInputError
from gateway.linkage.scheme import NAMES, POSTCODE, V1, Home, Level, Scheme, Weights

_CLASSES: Final = ("match", "poor", "stranger", "community", "namesake", "kin")
_KINDS: Final = ("match", "poor", "kin", "other", "namesake", "other_near", "namesake_near")
_LEVEL: Final = ("match", "poor", "stranger", "community", "kin")
_ROUNDS: Final = 30
_DECIMALS: Final = 6
_AT_ONCE: Final = 256  # masks of keys that both sides have, each beside every outcome
_CACHED: Final = 64  # schemes: more than leaving out each key in turn makes
_LEAST: Final = 1e-300
"""Stands for a likelihood of nothing, which has no logarithm."""


def threshold(register_size: int, overlap: float, scheme: Scheme = V1) -> float:
    """Bits that a pair must reach: log2(register size) + log2(absent / present) + the scheme's margin.

    Present is the share of the list expected on the register, absent the rest of it: a stranger is taken for
    somebody when that person is not there, for who is there is the better match. No register is taken to hold
    more of a list than `most`. The margin grows by the scheme's caution for each halving of the
    overlap: the fewer true pairs there are, the more of what is found lies just above any threshold.

    `overlap`: the share of the list expected on the register, above 0 and at most 1.

    Raises:
        BadInputError: an argument is out of range.
    """
    if register_size < 1:
        raise BadInputError("a register has at least one record", place="register size")
    if not 0 < overlap <= 1:
        raise BadInputError("not above 0 and at most 1", place="expected overlap")
    present = min(overlap, scheme.most)
    margin = scheme.margin + scheme.caution * log2(1 / present)
    bits = log2(register_size) + log2((1 - present) / present) + margin
    return round(bits, _DECIMALS)


def rounded(bits: pl.Expr) -> pl.Expr:
    """To a millionth of a bit: no tie and no replay shall hang on the order in which floats were added."""
    return bits.round(_DECIMALS)


@lru_cache(maxsize=_CACHED)
def outcomes(scheme: Scheme) -> pl.DataFrame:
    """How often two complete records agree on exactly these keys: `agree` u32, a share for each kind of pair.

    Strangers are apart by how near they live: `people` of them at most, and `share` of the register; `near`
    is 1 for one postcode, else 0.
    """
    names = pl.concat([_names(scheme), _levels(scheme, scheme.swapped)])
    made = (
        pl.when(_agreeing(scheme, whole)).then(_bit(scheme, part)).otherwise(0)
        for part, whole in scheme.pairs.items()
    )
    frame = names.with_columns(parts=reduce(or_, made, pl.col("parts")))
    for component, levels in scheme.levels.items():
        frame = frame if component in NAMES else _together(frame, _levels(scheme, levels))
    frame = _together(frame, _places(scheme))
    keys = (
        pl.when(_agreeing(scheme, key.parts)).then(pl.lit(1 << bit, pl.UInt32)).otherwise(0)
        for bit, key in enumerate(scheme.keys)
    )
    agreeing = frame.with_columns(agree=pl.sum_horizontal(keys).cast(pl.UInt32))
    return _summed(agreeing, _CLASSES, "agree", "people", "share", "near")


def _summed(frame: pl.DataFrame, shares: tuple[str, ...], *by: str | pl.Expr) -> pl.DataFrame:
    # in the rows' order: sums depend on it, to the last bit
    return frame.group_by(*by, maintain_order=True).agg(pl.col(shares).sum())


def _names(scheme: Scheme) -> pl.DataFrame:
    """Forename and surname. Strangers of one whole name are namesakes, and no longer strangers."""
    forename, surname = (_levels(scheme, scheme.levels[component]) for component in NAMES)
    named = [
        names.with_columns(
            namesake=pl.when(_agreeing(scheme, (part,))).then("stranger").otherwise(0.0)
        ).with_columns(namesake=pl.col("namesake") / pl.col("namesake").sum())
        for names, part in zip((forename, surname), scheme.name, strict=True)
    ]
    strange = pl.when(pl.col("namesake") == 0)
    return _together(*named).with_columns(
        strange.then(column).otherwise(0.0).alias(column) for column in ("stranger", "community")
    )


def _bit(scheme: Scheme, part: str) -> pl.Expr:
    return pl.lit(1 << scheme.parts.index(part), pl.UInt64)


def _agreeing(scheme: Scheme, parts: tuple[str, ...]) -> pl.Expr:
    wanted = reduce(or_, (1 << scheme.parts.index(part) for part in parts))
    return (pl.col("parts") & pl.lit(wanted, pl.UInt64)) == wanted


def _levels(scheme: Scheme, levels: tuple[Level, ...]) -> pl.DataFrame:
    rows = [
        (_mask(scheme, level.agree), *(getattr(level, column) for column in _LEVEL), level.community)
        for level in levels
    ]
    columns = (*_LEVEL, "namesake")
    made = pl.DataFrame(rows, {"parts": pl.UInt64} | dict.fromkeys(columns, pl.Float64), orient="row")
    return made.select("parts", *_CLASSES)


def _places(scheme: Scheme) -> pl.DataFrame:
    rows = [
        (
            _mask(scheme, place.agree),
            place.match,
            place.poor,
            1.0,
            1.0,
            1.0,
            place.kin,
            place.people,
            place.share,
            float(POSTCODE in place.agree),
        )
        for place in scheme.places
    ]
    columns = (*_CLASSES, "people", "share", "near")
    return pl.DataFrame(rows, {"parts": pl.UInt64} | dict.fromkeys(columns, pl.Float64), orient="row")


def _mask(scheme: Scheme, parts: frozenset[str]) -> int:
    return sum(1 << scheme.parts.index(part) for part in parts)


def _together(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Every level of one component with every level of the other: independent of each other."""
    crossed = one.join(other, how="cross", suffix="_2")
    products = (pl.col(name) * pl.col(f"{name}_2") for name in _CLASSES)
    whole = crossed.with_columns(pl.col("parts") | pl.col("parts_2"), *products)
    return whole.select(pl.exclude("parts_2", *(f"{name}_2" for name in _CLASSES)))


def likelihoods(masks: pl.DataFrame, register_size: int, scheme: Scheme = V1) -> pl.DataFrame:
    """`masks` (distinct `agree` and `both`), and how likely such agreement is.

    `match`, `poor` and `kin`: shares of such pairs. `other`: strangers of a whole register who agree so with
    one slot. `namesake`: share of the strangers of its whole name who do. `other_near`, `namesake_near`: of
    them, those of the slot's postcode. What a key would say that one of the records does not have is summed
    over.
    """
    ever = masks["both"].bitwise_or() or 0
    people = pl.min_horizontal("people", pl.col("share") * register_size)
    other = people * (pl.col("stranger") + scheme.weights.community * pl.col("community"))
    namesake = people / register_size * pl.col("namesake")
    counted = outcomes(scheme).with_columns(
        other=other,
        namesake=namesake,
        other_near=other * pl.col("near"),
        namesake_near=namesake * pl.col("near"),
    )
    whole = _summed(counted, _KINDS, pl.col("agree") & pl.lit(ever, pl.UInt32))
    seen = masks.select(pl.col("both").unique().sort())
    shown = pl.concat(
        _summed(some.join(whole, how="cross"), _KINDS, "both", pl.col("agree") & pl.col("both"))
        for some in (seen[first : first + _AT_ONCE] for first in range(0, max(seen.height, 1), _AT_ONCE))
    )
    found = masks.join(shown, on=["agree", "both"], how="left", maintain_order="left")
    return found.with_columns(pl.col(_KINDS).fill_null(0.0)).rechunk()


def fitted(
    likely: pl.DataFrame, slots: int, register_size: int, overlap: float, scheme: Scheme = V1
) -> Weights:
    """The scheme's weights, and `poor` and `kin` as these pairs show them: expectation maximisation.

    `likely`: `likelihoods` with `pairs`, how many pairs have these masks. A few slots say little: the
    scheme's own weights count as `trust` slots.
    """
    prior = weights = scheme.weights
    reach = float(outcomes(scheme).filter(pl.col("agree") != 0)["kin"].sum())
    for _ in range(_ROUNDS):
        found = likely.select(_expected(weights, register_size, overlap)).sum()
        of_match, of_poor, of_kin = (float(column.item()) for column in found)
        weights = replace(
            weights,
            poor=(prior.poor * prior.trust + of_poor) / (prior.trust + of_match),
            kin=(prior.kin * prior.trust + of_kin) / (prior.trust + slots * reach),
        )
    return weights


def _expected(weights: Weights, register_size: int, overlap: float) -> list[pl.Expr]:
    """Pairs expected to be true, true and badly kept, and of one household, for each pair of masks."""
    poor = overlap * weights.poor * pl.col("poor")
    match, kin = overlap * _match(weights), weights.kin * pl.col("kin")
    others = _others(weights, pl.lit(weights.namesakes * register_size))
    share = pl.col("pairs") / pl.max_horizontal(match + others, _LEAST)
    return [(each * share).alias(name) for each, name in ((match, "match"), (poor, "poor"), (kin, "kin"))]


def _match(weights: Weights) -> pl.Expr:
    return (1 - weights.poor) * pl.col("match") + weights.poor * pl.col("poor")


def _others(weights: Weights, namesakes: pl.Expr) -> pl.Expr:
    """People of the register, but for the slot's own, who are expected to agree so with it."""
    return pl.col("other") + namesakes * pl.col("namesake") + weights.kin * pl.col("kin")


def evidence(weights: Weights, register_size: int, namesakes: pl.Expr) -> pl.Expr:
    """Bits for `likelihoods`: how much likelier the agreements are of one person than of two of the register.

    `namesakes`: strangers on the register who have the record's whole name.
    """
    return _bits(_match(weights), _others(weights, namesakes) / register_size)


def evidence_together(
    weights: Weights, register_size: int, overlap: float, namesakes: pl.Expr, home: Home
) -> pl.Expr:
    """As `evidence`, for a record at an address where another of the slot's household was found.

    Who is there by chance is one of the few strangers at that address, or was near the slot's own all along;
    the household's own are there all the more.
    """
    known = home.together * max(home.known / overlap, 1.0)
    near = pl.col("other_near") + namesakes * pl.col("namesake_near")
    strangers = pl.col("other") + namesakes * pl.col("namesake")
    there = near + (strangers - near) * home.people / register_size + home.kin * pl.col("kin")
    return _bits(_match(weights) * known, there / register_size)


def _bits(one: pl.Expr, two: pl.Expr) -> pl.Expr:
    """log2 of the ratio; what no true pair shows is minus infinity."""
    bits = rounded((one / pl.max_horizontal(two, _LEAST)).log(2))
    return pl.when(one > 0).then(bits).otherwise(-inf)
