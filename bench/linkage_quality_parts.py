"""The figures in parts: of each match key alone and left out, and of each group of people."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from bench.linkage_quality_data import Case
from bench.linkage_quality_methods import Outcome
from bench.linkage_quality_metrics import judged, right, wilson
from gateway.linkage.resolve import PAIRS, resolve
from gateway.linkage.scheme import V1, Scheme

DIMENSIONS = ("origin", "sex", "age", "missing")
MOST_UNDER = 0.03
"""Recall further under the whole's, among complete records, is marked."""


@dataclass(frozen=True, slots=True)
class Key:
    """A match key. precision, recall: of all pairs that agree on it; *_lost: what the scheme loses without
    it.
    """

    label: str
    precision: float
    recall: float
    recall_lost: float
    f1_lost: float


def keys(pairs: pl.DataFrame, case: Case, register_size: int) -> list[Key]:
    """`pairs`: candidates, with their masks; what is known besides is left out."""
    pairs = pairs.select(PAIRS.names())
    whole = _at_threshold(pairs, case, register_size, V1)
    return [_key(pairs, case, register_size, bit, whole) for bit in range(len(V1.labels))]


def _key(pairs: pl.DataFrame, case: Case, register_size: int, bit: int, whole: tuple[float, float]) -> Key:
    links = case.truth["record"].count()
    alone = judged(pairs.filter(pl.col("agree") & (1 << bit) != 0).with_columns(score=0.0), case.truth)
    hits = right(alone)
    rest = pairs.select("slot", "record", _without(bit, "agree"), _without(bit, "both")).filter(
        pl.col("agree") != 0
    )
    recall, f1 = _at_threshold(rest, case, register_size, V1.without(V1.labels[bit]))
    return Key(V1.labels[bit], _share(hits, alone.height), hits / links, whole[0] - recall, whole[1] - f1)


def _without(bit: int, mask: str) -> pl.Expr:
    """The mask without that bit, those above it moved down."""
    below, above = pl.col(mask) & ((1 << bit) - 1), pl.col(mask) // (1 << (bit + 1)) * (1 << bit)
    return (below + above).cast(pl.UInt32).alias(mask)


def _at_threshold(pairs: pl.DataFrame, case: Case, register_size: int, scheme: Scheme) -> tuple[float, float]:
    """Recall and F1 of the scheme at its own threshold."""
    linked = resolve(pairs, register_size=register_size, overlap=case.overlap, scheme=scheme)
    accepted = judged(linked, case.truth)
    hits, links = right(accepted), case.truth["record"].count()
    return hits / links, 2 * hits / (accepted.height + links)


@dataclass(frozen=True, slots=True)
class Group:
    """People of a list who have something in common.

    recall, precision: of all of them. complete: those on the register with no field missing on either side;
    recall_complete and its Wilson interval: theirs.
    """

    dimension: str
    name: str
    links: int
    recall: float
    precision: float
    complete: int
    recall_complete: float
    low: float
    high: float
    marked: bool


def groups(outcome: Outcome, case: Case, enough: float) -> list[Group]:
    """The whole first, then each group of each of `DIMENSIONS`."""
    truth = case.truth.with_row_index("slot")
    found = judged(outcome.pairs.filter(pl.col("score") >= enough), case.truth)
    people = truth.join(found.select("slot", "right"), on="slot", how="left", maintain_order="left")
    people = people.with_columns(pl.col("missing").cast(pl.String))
    whole = _group("everybody", "", people, None)
    parts = (
        _group(dimension, name, people.filter(pl.col(dimension) == name), whole)
        for dimension, name in _names(people, DIMENSIONS)
    )
    return [whole, *parts]


def _names(people: pl.DataFrame, dimensions: Sequence[str]) -> Iterator[tuple[str, str]]:
    return (
        (each, name) for each in dimensions for name in sorted(people[each].unique().drop_nulls(), key=_order)
    )


def _order(name: str) -> tuple[int, str]:
    """Bands by their first number, then words."""
    first = re.match("[0-9]+", name)
    return (int(first[0]), name) if first else (1_000, name)


def _group(dimension: str, name: str, people: pl.DataFrame, whole: Group | None) -> Group:
    """`right`: null where no pair was accepted."""
    links = people.filter(pl.col("record").is_not_null())
    complete = links.filter(pl.col("missing") == "0")
    hits_complete = right(complete)
    recall = _share(hits_complete, complete.height)
    return Group(
        dimension,
        name,
        links.height,
        _share(right(links), links.height),
        _share(right(people), people["right"].count()),
        complete.height,
        recall,
        *wilson(hits_complete, complete.height),
        marked=whole is not None and recall < whole.recall_complete - MOST_UNDER,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
