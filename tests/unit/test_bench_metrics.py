"""The figures of the linkage study, against cases worked by hand and what must hold of any."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.linkage_quality_metrics import (
    Estimate,
    at,
    best_threshold,
    judged,
    one_best,
    recall_at,
    weights,
    wilson,
)

# five people, four of them on the register, in two households
TRUTH = pl.DataFrame(
    {"record": [10, 11, 12, None, 14], "unit": [0, 0, 1, 1, 1]},
    schema={"record": pl.UInt32, "unit": pl.UInt32},
)
PAIRS = pl.DataFrame(
    {"slot": [0, 1, 2, 3], "record": [10, 11, 99, 13], "score": [30.0, 25.0, 20.0, 5.0]},
    schema={"slot": pl.UInt32, "record": pl.UInt32, "score": pl.Float64},
)
DATA_ALONE = weights(2, 0, 1)

a_linkage = st.lists(
    st.tuples(st.booleans(), st.sampled_from([1.0, 2.0, 3.0]), st.integers(0, 4)), min_size=1, max_size=30
)


def linkage(rows):
    """Pairs and truth of people who are all on the register: right or wrong, score, household."""
    slots = pl.int_range(len(rows), dtype=pl.UInt32, eager=True)
    wrong = pl.Series([0 if right else 1_000 for right, _, _ in rows], dtype=pl.UInt32)
    pairs = pl.DataFrame({"slot": slots, "record": slots + wrong, "score": [score for _, score, _ in rows]})
    return pairs, pl.DataFrame(
        {"record": slots, "unit": pl.Series([unit for *_, unit in rows]).cast(pl.UInt32)}
    )


@pytest.mark.parametrize(
    ("threshold", "precision", "recall", "f1", "wrong"),
    [
        (25.0, 1.0, 2 / 4, 4 / 6, 0),
        (20.0, 2 / 3, 2 / 4, 4 / 7, 1),
        (0.0, 2 / 4, 2 / 4, 4 / 8, 2),
        (99.0, 1.0, 0.0, 0.0, 0),
    ],
)
def test_figures_are_those_worked_by_hand(threshold, precision, recall, f1, wrong):
    """At each threshold precision, recall, F1 and the wrong pairs are what one counts; nothing accepted is
    precise.
    """
    found = at(judged(PAIRS, TRUTH), TRUTH, threshold, DATA_ALONE)
    assert (found.precision.point, found.recall.point) == (precision, recall)
    assert found.f1.point == pytest.approx(f1)
    assert found.wrong == wrong


def test_recall_at_a_precision_is_the_best_threshold_that_is_precise_enough():
    """Two right pairs precede a wrong one: half of the four are found at full precision, and no more at two
    thirds.
    """
    pairs = judged(PAIRS, TRUTH)
    assert recall_at(pairs, TRUTH, 1.0, DATA_ALONE).point == 0.5
    assert recall_at(pairs, TRUTH, 0.6, DATA_ALONE).point == 0.5


def test_pairs_of_one_score_are_accepted_together():
    """A right and a wrong pair of equal score: no threshold lies between them, so nothing is found
    precisely.
    """
    level = judged(PAIRS.with_columns(score=pl.lit(1.0)), TRUTH)
    assert recall_at(level, TRUTH, 0.999, DATA_ALONE).point == 0.0


def test_no_pairs_give_no_recall():
    """A method that finds nothing has recall 0 at every precision."""
    assert recall_at(judged(PAIRS.clear(), TRUTH), TRUTH, 0.999, weights(2, 5, 1)) == Estimate(0.0, 0.0, 0.0)


def test_the_best_threshold_is_the_highest_with_the_largest_f1():
    """By hand: F1 is 4/6 at 25, less below it and above."""
    assert best_threshold(judged(PAIRS, TRUTH), TRUTH) == 25.0


@given(a_linkage)
def test_the_best_threshold_beats_every_other(rows):
    """No threshold has a larger F1 than the one that is called best."""
    pairs, truth = linkage(rows)
    ranked, alone = judged(pairs, truth), weights(5, 0, 1)
    best = at(ranked, truth, best_threshold(ranked, truth), alone).f1.point
    assert all(at(ranked, truth, score, alone).f1.point <= best for score in (1.0, 2.0, 3.0))


@given(a_linkage)
def test_an_interval_holds_its_figure(rows):
    """Low <= point <= high, of every figure, and all lie from 0 to 1."""
    pairs, truth = linkage(rows)
    ranked, drawn = judged(pairs, truth), weights(5, 20, 1)
    found = at(ranked, truth, 2.0, drawn)
    for each in (found.precision, found.recall, found.f1, recall_at(ranked, truth, 0.9, drawn)):
        assert 0 <= each.low <= each.point <= each.high <= 1


@given(a_linkage, st.floats(0.5, 1), st.floats(0.5, 1))
def test_more_precision_never_finds_more(rows, one, other):
    """Recall at a higher precision is never above that at a lower one."""
    pairs, truth = linkage(rows)
    ranked, alone = judged(pairs, truth), weights(5, 0, 1)
    low, high = sorted((one, other))
    assert recall_at(ranked, truth, high, alone).point <= recall_at(ranked, truth, low, alone).point


def test_resamples_draw_as_many_households_as_there_are():
    """Each resample draws the number of households, with replacement; the first column is the data;
    seeded.
    """
    drawn = weights(7, 50, 3)
    assert drawn.columns == [str(column) for column in range(51)]
    assert set(drawn.sum().row(0)) == {7}
    assert drawn["0"].to_list() == [1] * 7
    assert drawn.equals(weights(7, 50, 3))


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([1.0, 2.0, 3.0])),
        unique_by=lambda pair: pair[:2],
    )
)
def test_best_pairs_are_one_to_one(pairs):
    """No slot and no record is in two pairs, and a pair left in is above every other of its slot and
    record.
    """
    frame = pl.DataFrame(
        pairs, schema={"slot": pl.UInt32, "record": pl.UInt32, "score": pl.Float64}, orient="row"
    )
    kept = one_best(frame).rows()
    for slot, record, score in kept:
        rivals = [row for row in pairs if (row[0] == slot) != (row[1] == record)]
        assert all(rival[2] < score for rival in rivals)
    assert len({slot for slot, _, _ in kept}) == len({record for _, record, _ in kept}) == len(kept)


def test_wilson_agrees_with_the_textbook():
    """Of 10 with 8 hits the interval is .490 to .943; of none it is everything."""
    assert wilson(8, 10) == (pytest.approx(0.490, abs=5e-4), pytest.approx(0.943, abs=5e-4))
    assert wilson(0, 0) == (0.0, 1.0)
