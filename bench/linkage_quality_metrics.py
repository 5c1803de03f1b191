"""How well pairs fit the truth, in the same way for every method; intervals by bootstrap. Pure Polars.

Pairs are one to one: `slot` (row of the list), `record` (row of the register), `score`. The truth has one row
for each slot, in order: `record`, null where the person is not on the register, and `unit`, the household
that is drawn as a whole when resampling (its members share mistakes).

precision: right pairs / accepted pairs; 1 where none is accepted. recall: right pairs / people of the list
who are on the register. Recall at precision p: the largest recall among the thresholds whose precision is
at least p, with pairs of equal score accepted together; 0 where there is none.
"""

from dataclasses import dataclass
from math import sqrt

import polars as pl

LEVEL = 0.95
_Z = 1.96  # standard normal quantile of (1 + LEVEL) / 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of the data and the central 95% of the figures of its resamples."""

    point: float
    low: float
    high: float

    @classmethod
    def of(cls, values: pl.Series) -> "Estimate":
        """The first value is that of the data. The interval is widened, if need be, to hold it."""
        point, resampled = values[0], values[1:] if len(values) > 1 else values
        low, high = (resampled.quantile(q, "linear") for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return cls(point, min(low, point), max(high, point))


@dataclass(frozen=True, slots=True)
class Figures:
    """At one threshold. wrong: accepted pairs that are not true."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    accepted: int
    wrong: int


def weights(units: int, resamples: int, seed: int) -> pl.DataFrame:
    """How often each unit (row) is drawn in each resample (column); the first column is the data itself."""
    rows = pl.int_range(units, eager=True)
    drawn = [rows.sample(units, with_replacement=True, seed=seed + i) for i in range(resamples)]
    counted = (
        each.append(rows).alias("unit").value_counts(name="times").sort("unit")["times"] - 1 for each in drawn
    )
    columns = [pl.repeat(1, units, eager=True), *counted]
    return pl.DataFrame({str(i): column.cast(pl.UInt16) for i, column in enumerate(columns)})


def judged(pairs: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """The pairs, best first, with `right` and `unit`."""
    true = truth.with_row_index("slot").select("slot", "unit", true="record")
    right = (pl.col("record") == pl.col("true")).fill_null(value=False)
    return pairs.join(true, on="slot").with_columns(right=right).sort("score", descending=True)


def at(pairs: pl.DataFrame, truth: pl.DataFrame, threshold: float, drawn: pl.DataFrame) -> Figures:
    """Figures of the `judged` pairs whose score reaches the threshold; `drawn` as `weights` makes it."""
    accepted = pairs.filter(pl.col("score") >= threshold)
    true_pairs = accepted.filter("right")
    all_, true, links = (_total(each, drawn) for each in (accepted, true_pairs, _links(truth)))
    return Figures(
        Estimate.of(_ratio(true, all_, 1.0)),
        Estimate.of(_ratio(true, links, 0.0)),
        Estimate.of(_ratio(2 * true, all_ + links, 0.0)),
        accepted.height,
        accepted.height - true_pairs.height,
    )


def recall_at(pairs: pl.DataFrame, truth: pl.DataFrame, precision: float, drawn: pl.DataFrame) -> Estimate:
    """Recall at that precision, of `judged` pairs."""
    links = _total(_links(truth), drawn)
    if pairs.is_empty():
        return Estimate.of(links * 0.0)
    of_pair = drawn[pairs["unit"]]
    is_right, ends = pairs["right"].cast(pl.UInt16), _ends(pairs)

    def most(column: str) -> pl.Expr:
        """Right pairs at the lowest threshold that is precise enough."""
        accepted = pl.col(column).cum_sum().filter(ends)
        true = (pl.col(column) * is_right).cum_sum().filter(ends)
        return true.filter(true / accepted >= precision).max().fill_null(0)

    return Estimate.of(_ratio(_row(of_pair.select(most(column) for column in drawn.columns)), links, 0.0))


def best_threshold(pairs: pl.DataFrame, truth: pl.DataFrame) -> float:
    """The threshold with the largest F1 on these very `judged` pairs: it flatters. The highest of equals."""
    links, found = _links(truth).height, pl.col("right").cum_sum()
    f1 = 2 * found / (pl.int_range(1, pl.len() + 1) + links)
    swept = pairs.select("score", f1=f1).filter(_ends(pairs))
    return float(swept.sort("f1", "score", descending=True).item(0, "score")) if swept.height else 0.0


def one_best(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs that are the one best for their slot and for their record; ties are left out."""

    def only(side: str) -> pl.Expr:
        best = pl.col("score") == pl.col("score").max().over(side)
        return best & (best.sum().over(side) == 1)

    return pairs.filter(only("slot") & only("record"))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share (Wilson 1927): fit for small groups and shares near 1."""
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def right(pairs: pl.DataFrame) -> int:
    """How many of the `judged` pairs are true."""
    return pairs.filter("right").height


def _links(truth: pl.DataFrame) -> pl.DataFrame:
    return truth.filter(pl.col("record").is_not_null())


def _ends(pairs: pl.DataFrame) -> pl.Series:
    """Whether a pair is the last of its score: a threshold can fall behind it."""
    score = pairs["score"]
    return (score != score.shift(-1)).fill_null(value=True)


def _total(rows: pl.DataFrame, drawn: pl.DataFrame) -> pl.Series:
    """How many of the rows are in the data and in each resample."""
    return _row(drawn[rows["unit"]].sum())


def _row(frame: pl.DataFrame) -> pl.Series:
    return pl.Series(frame.row(0), dtype=pl.Int64)


def _ratio(part: pl.Series, whole: pl.Series, empty: float) -> pl.Series:
    ratio = pl.when(pl.col("whole") > 0).then(pl.col("part") / pl.col("whole")).otherwise(empty)
    return pl.DataFrame({"part": part, "whole": whole}).select(ratio.alias("ratio"))["ratio"]
