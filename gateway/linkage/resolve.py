"""Tokens of both sides to accepted pairs: one record for one slot, or none."""

from math import log2
from typing import Final

import polars as pl

from gateway.linkage.scheme import V1, Home, Scheme
from gateway.linkage.score import evidence, evidence_together, fitted, likelihoods, rounded, threshold

PAIRS: Final = pl.Schema({"slot": pl.UInt32, "record": pl.UInt32, "agree": pl.UInt32, "both": pl.UInt32})
"""`agree` and `both` are masks: bit i stands for the scheme's key i (`score`)."""

BESIDE: Final = pl.Schema({"household": pl.UInt32, "name": pl.UInt64, "place": pl.UInt64})
"""What may be known of a pair besides: the slot's household (its group of slots), the record's name and
address (`beside`). `candidates` carries them along where its frames have them."""

MAX_ALIKE: Final = 100
"""A token of more slots than this names nobody: it counts as missing, and no bucket grows without bound."""


def candidates(
    list_tokens: pl.DataFrame, register_tokens: pl.DataFrame, scheme: Scheme = V1, first_record: int = 0
) -> pl.DataFrame:
    """Pairs that agree on some key, `PAIRS`: of the whole list and one batch of the register.

    Both frames are as `tokenise` makes them. A slot is the row in `list_tokens`; a record is `first_record`
    plus the row in `register_tokens`.
    """
    slots = _without_crowds(list_tokens, scheme).with_row_index("slot")
    records = register_tokens.with_row_index("record", first_record)
    agreeing = pl.concat(
        _agreeing(slots, records, label, bit).lazy() for bit, label in enumerate(scheme.labels)
    )
    return (
        agreeing.group_by("slot", "record")
        .agg(pl.col("agree").sum())
        .join(_known(slots, "slot", "have", scheme), on="slot")
        .join(_known(records, "record", "has", scheme), on="record")
        .with_columns(both=pl.col("have") & pl.col("has"))
        .select(
            *(pl.col(name).cast(kind) for name, kind in PAIRS.items()), pl.col("^(household|name|place)$")
        )
        .collect()
    )


def _known(rows: pl.DataFrame, number: str, name: str, scheme: Scheme) -> pl.LazyFrame:
    """Mask of the keys of which there is a token, and what is carried along."""
    return rows.lazy().select(number, _present(scheme).alias(name), pl.col("^(household|name|place)$"))


def _without_crowds(tokens: pl.DataFrame, scheme: Scheme) -> pl.DataFrame:
    """Null where more than `MAX_ALIKE` slots have the token: agreeing or differing tells nothing."""
    return tokens.with_columns(
        pl.when(pl.len().over(label) <= MAX_ALIKE).then(label).alias(label) for label in scheme.labels
    )


def _agreeing(slots: pl.DataFrame, records: pl.DataFrame, label: str, bit: int) -> pl.LazyFrame:
    mine, theirs = slots.lazy().select("slot", label), records.lazy().select("record", label)
    joined = mine.join(theirs, on=label)  # null joins nothing
    return joined.select("slot", "record", agree=pl.lit(1 << bit, pl.UInt32))


def _present(scheme: Scheme) -> pl.Expr:
    """Mask of the keys of which there is a token."""
    return pl.sum_horizontal(
        pl.col(label).is_not_null().cast(pl.UInt32) * pl.lit(1 << bit, pl.UInt32)
        for bit, label in enumerate(scheme.labels)
    )


def resolve(
    pairs: pl.DataFrame,
    *,
    register_size: int,
    overlap: float,
    scheme: Scheme = V1,
    names: pl.Series | None = None,
) -> pl.DataFrame:
    """The accepted pairs: slot u32, record u32, score f64 in bits, ordered by slot.

    A pair is accepted when it reaches the threshold and is the one best for its slot and for its record.
    Ties are refused: a wrong match would disclose a stranger's data. Neither the order of `pairs` nor the
    sides matter.

    `pairs` are `PAIRS`, none of them twice, with what is known besides (`BESIDE`). `names`, the `name` of
    every record of the register: a common name counts for less than a rare one. `household` and `place`:
    where others of a slot's household were found lifts a pair at the same address, and sinks one elsewhere.

    Raises:
        BadInputError: `register_size` or `overlap` is out of range.
    """
    enough = threshold(register_size, overlap, scheme)
    found = best(pairs, register_size=register_size, overlap=overlap, scheme=scheme, names=names)
    return found.filter(pl.col("score") >= enough)


def best(
    pairs: pl.DataFrame,
    *,
    register_size: int,
    overlap: float,
    scheme: Scheme = V1,
    names: pl.Series | None = None,
) -> pl.DataFrame:
    """As `resolve`, whether or not a pair reaches the threshold: for studies of where it should stand."""
    enough = threshold(register_size, overlap, scheme)
    masks = pairs.group_by("agree", "both").agg(pairs=pl.len()).sort("agree", "both")
    likely = likelihoods(masks, register_size, scheme)
    sides = min(pairs["slot"].n_unique(), pairs["record"].n_unique())
    weights = fitted(likely, sides, register_size, overlap, scheme)
    counted = _namesakes(pairs, names, scheme.weights.namesakes * register_size)
    likened = pairs.with_columns(counted).join(likely, on=["agree", "both"])
    bearers = pl.col("namesakes")
    scored = likened.with_columns(score=evidence(weights, register_size, bearers))
    if {"household", "place"} <= set(pairs.columns):
        together = evidence_together(weights, register_size, overlap, bearers, scheme.home)
        scored = scored.with_columns(together=together)
        found = _one_to_one(scored).filter(pl.col("score") >= enough)
        scored = scored.with_columns(score=_at_home(scored, found, scheme.home))
    return _one_to_one(scored).select("slot", "record", "score").sort("slot")


def _namesakes(pairs: pl.DataFrame, names: pl.Series | None, average: float) -> pl.Series:
    """How many of the register are expected to have the record's name by chance, the record among them.

    That one record has it shows that there are some: one in two of those seen once is the only one.
    """
    if names is None:
        return pl.repeat(average, pairs.height, dtype=pl.Float64, eager=True).alias("namesakes")
    counts = names.drop_nulls().alias("name").value_counts(name="bearers")
    found = pairs.select("name").join(counts, on="name", how="left", maintain_order="left")["bearers"]
    return (found.cast(pl.Float64) - 0.5).fill_null(average).alias("namesakes")


def _one_to_one(scored: pl.DataFrame) -> pl.DataFrame:
    """The pairs that are the one best of their slot and of their record."""
    possible = scored.filter(pl.col("score").is_finite())
    mine, theirs = _sole_best(possible, "slot"), _sole_best(possible, "record")
    return mine.join(theirs, on=["slot", "record"], how="semi")


def _sole_best(scored: pl.DataFrame, side: str) -> pl.DataFrame:
    top = scored.filter(pl.col("score") == pl.col("score").max().over(side))
    return top.filter(pl.col(side).is_unique())


def _at_home(scored: pl.DataFrame, found: pl.DataFrame, home: Home) -> pl.Series:
    """Scores in the light of where others of the household were `found`; in the rows' order.

    By counts of slots, not by pairs of them: a list may call everybody one household.
    """
    placed = found.select("slot", "household", "place").drop_nulls()
    here = placed.group_by("household", "place").agg(here=pl.len())
    anywhere = placed.group_by("household").agg(anywhere=pl.len())
    counted = (
        scored.join(here, on=["household", "place"], how="left", maintain_order="left")
        .join(anywhere, on="household", how="left", maintain_order="left")
        .join(placed.select("slot", own="place"), on="slot", how="left", maintain_order="left")
    )
    own = pl.col("own")
    others_here = pl.col("here") > (own == pl.col("place")).fill_null(value=False).cast(pl.UInt32)
    elsewhere = (pl.col("anywhere") > own.is_not_null().cast(pl.UInt32)) & pl.col("place").is_not_null()
    sunk = rounded(pl.col("score") + log2(home.apart))
    return counted.select(
        pl.when(others_here).then("together").when(elsewhere).then(sunk).otherwise("score")
    ).to_series()
