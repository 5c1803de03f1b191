"""Tokens of both sides to accepted pairs: one record for one slot, or none."""

from typing import Final

import polars as pl

from gateway.linkage.scheme import V1, Scheme
from gateway.linkage.score import score, threshold

PAIRS: Final = pl.Schema({"slot": pl.UInt32, "record": pl.UInt32, "agree": pl.UInt32, "both": pl.UInt32})
"""`agree` and `both` are masks: bit i stands for the scheme's key i (`score`)."""

MAX_ALIKE: Final = 100
"""A token of more slots than this names nobody; it is left out, so that no bucket grows without bound."""


def candidates(
    list_tokens: pl.DataFrame, register_tokens: pl.DataFrame, scheme: Scheme = V1, first_record: int = 0
) -> pl.DataFrame:
    """Pairs that agree on some key, `PAIRS`: of the whole list and one batch of the register.

    Both frames are as `tokenise` makes them. A slot is the row in `list_tokens`; a record is `first_record`
    plus the row in `register_tokens`.
    """
    slots = _numbered(list_tokens, "slot", 0)
    records = _numbered(register_tokens, "record", first_record)
    agreeing = pl.concat(
        _agreeing(slots, records, label, bit).lazy() for bit, label in enumerate(scheme.labels)
    )
    return (
        agreeing.group_by("slot", "record")
        .agg(pl.col("agree").sum())
        .join(slots.lazy().select("slot", _present(scheme).alias("have")), on="slot")
        .join(records.lazy().select("record", _present(scheme).alias("has")), on="record")
        .select("slot", "record", "agree", both=pl.col("have") & pl.col("has"))
        .cast(PAIRS)
        .collect()
    )


def _numbered(tokens: pl.DataFrame, name: str, first: int) -> pl.DataFrame:
    return tokens.with_row_index(name, first)


def _agreeing(slots: pl.DataFrame, records: pl.DataFrame, label: str, bit: int) -> pl.LazyFrame:
    mine = slots.lazy().select("slot", label).filter(pl.len().over(label) <= MAX_ALIKE)
    theirs = records.lazy().select("record", label)
    joined = mine.join(theirs, on=label)  # null joins nothing
    return joined.select("slot", "record", agree=pl.lit(1 << bit, pl.UInt32))


def _present(scheme: Scheme) -> pl.Expr:
    """Mask of the keys of which there is a token."""
    return pl.sum_horizontal(
        pl.col(label).is_not_null().cast(pl.UInt32) * pl.lit(1 << bit, pl.UInt32)
        for bit, label in enumerate(scheme.labels)
    )


def resolve(pairs: pl.DataFrame, *, register_size: int, overlap: float, scheme: Scheme = V1) -> pl.DataFrame:
    """The accepted pairs: slot u32, record u32, score f64 in bits, ordered by slot.

    A pair is accepted when it reaches the threshold and is the one best for its slot and for its record.
    Ties are refused: a wrong match would disclose a stranger's data. Neither the order of `pairs` nor the
    sides matter.

    Raises:
        BadInputError: `register_size` or `overlap` is out of range.
    """
    enough = threshold(register_size, overlap, scheme)
    scored = _scored(pairs, scheme).filter(pl.col("score") >= enough)
    accepted = scored.filter(_one_best("slot") & _one_best("record"))
    return accepted.select("slot", "record", "score").sort("slot")


def _scored(pairs: pl.DataFrame, scheme: Scheme) -> pl.DataFrame:
    """Pairs with their score, worked out once for each distinct pair of masks."""
    masks = pairs.select("agree", "both").unique()
    scores = [score(agree, both, scheme) for agree, both in masks.iter_rows()]
    return pairs.join(masks.with_columns(score=pl.Series(scores, dtype=pl.Float64)), on=["agree", "both"])


def _one_best(side: str) -> pl.Expr:
    best = pl.col("score") == pl.col("score").max().over(side)
    return best & (best.sum().over(side) == 1)
