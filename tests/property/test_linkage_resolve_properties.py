"""Resolving by v1: symmetric, order-free, one-to-one. Its scores: test_linkage_score_properties.py."""

import random
from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gateway.linkage.resolve import PAIRS, best, candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import evidence, likelihoods, outcomes, threshold

ALL = (1 << len(V1.keys)) - 1
WAYS = sorted(set(outcomes(V1)["agree"]) - {0})
LIKELY = sorted(set(outcomes(V1).filter(pl.col("match") > 1e-4)["agree"]) - {0})
# few kinds, so that there are ties; now and then keys that never agree so
masks = st.sampled_from(LIKELY[:3] + LIKELY[-3:]) | st.sampled_from(WAYS) | st.integers(1, ALL)
ids = st.tuples(st.integers(0, 6), st.integers(0, 6))
pair_sets = st.dictionaries(ids, st.tuples(masks, st.sampled_from([ALL, 0])), max_size=25).map(
    lambda found: [(*pair, agree, agree | both) for pair, (agree, both) in found.items()]
)
registers = st.integers(1, 100_000)
KINDS = {"agree": pl.UInt32, "both": pl.UInt32}
places = st.lists(st.none() | st.integers(0, 2), min_size=7, max_size=7)
token_rows = st.lists(
    st.dictionaries(st.sampled_from(V1.labels), st.sampled_from("abcd"), max_size=6), max_size=8
)


def frame(rows):
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


def accepted(rows, register):
    return resolve(frame(rows), register_size=register, overlap=0.5).rows()


def at_home(rows, homes, places):
    """With the slots' households and the records' places."""
    return frame(rows).with_columns(
        household=pl.Series([homes[row[0]] for row in rows], dtype=pl.UInt32),
        place=pl.Series([places[row[1]] for row in rows], dtype=pl.UInt64),
    )


@given(pair_sets, registers)
def test_what_is_accepted_is_best_and_reaches_the_threshold(rows, register):
    """Resolving is the best pairs at or above the threshold, each with the score of its masks alone."""
    enough = threshold(register, 0.5)
    found = best(frame(rows), register_size=register, overlap=0.5).rows()
    assert accepted(rows, register) == [row for row in found if row[2] >= enough]
    kinds = {(slot, record): (agree, both) for slot, record, agree, both in rows}
    scores = {}
    for slot, record, bits in found:
        assert scores.setdefault(kinds[slot, record], bits) == bits


@given(pair_sets, registers)
def test_the_best_of_a_slot_is_never_one_of_several_alike(rows, register):
    """No accepted pair has a rival of the same masks, on either side."""
    kinds = {(slot, record): (agree, both) for slot, record, agree, both in rows}
    for slot, record, _ in accepted(rows, register):
        rivals = [pair for pair in kinds if pair != (slot, record) and (pair[0] == slot or pair[1] == record)]
        assert all(kinds[pair] != kinds[slot, record] for pair in rivals)


@given(pair_sets, registers, places, places, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter_to_households(rows, register, homes, there, rng: random.Random):
    """Nor does any order of pairs change an answer that knows households and places."""
    shuffled = rng.sample(rows, len(rows))
    one, other = (
        resolve(at_home(pairs, homes, there), register_size=register, overlap=0.5)
        for pairs in (rows, shuffled)
    )
    assert one.equals(other)


@given(pair_sets, registers, places)
def test_nothing_known_of_households_changes_nothing(rows, register, there):
    """Slots without a household, and records without a place, are resolved as if nobody had asked."""
    unknown = [None] * 7
    for homes, where in ((unknown, there), (there, unknown)):
        found = resolve(at_home(rows, homes, where), register_size=register, overlap=0.5)
        assert found.rows() == accepted(rows, register)


@given(pair_sets, registers, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(rows, register, rng: random.Random):
    """Any order of the same pairs gives the same answer."""
    shuffled = rng.sample(rows, len(rows))
    assert accepted(shuffled, register) == accepted(rows, register)


@given(pair_sets, registers)
def test_the_sides_are_treated_alike(rows, register):
    """With slots and records swapped, the same pairs are accepted, swapped."""
    swapped = [(record, slot, agree, both) for slot, record, agree, both in rows]
    assert sorted((slot, record, bits) for record, slot, bits in accepted(swapped, register)) == accepted(
        rows, register
    )


@given(pair_sets, registers)
def test_nobody_is_matched_twice(rows, register):
    """No slot and no record stands in two accepted pairs."""
    found = accepted(rows, register)
    for side in (0, 1):
        assert all(count == 1 for count in Counter(pair[side] for pair in found).values())


@given(masks, masks, registers, registers)
def test_a_larger_register_accepts_no_more(agree, both, one, other):
    """A pair is no further above the threshold of a larger register than above that of a smaller one."""
    smaller, larger = sorted([one, other])
    excess = []
    for size in (smaller, larger):
        likely = likelihoods(pl.DataFrame([(agree & both, both)], KINDS, orient="row"), size)
        bearers = pl.lit(V1.weights.namesakes * size)
        bits = likely.select(evidence(V1.weights, size, bearers)).item()
        excess.append(bits - threshold(size, 0.5))
    assert excess[1] <= excess[0] + 2e-6


@given(token_rows, token_rows, st.integers(1, 4))
def test_candidates_are_exactly_the_pairs_that_agree(wanted, register, size):
    """Each pair with an equal token, once, with both masks; whole or in batches."""

    def tokens(rows):
        columns = {
            label: [row[label].encode() if label in row else None for row in rows] for label in V1.labels
        }
        return pl.DataFrame(columns, schema=dict.fromkeys(V1.labels, pl.Binary))

    def bits(labels):
        return sum(1 << V1.labels.index(label) for label in labels)

    expected = []
    for slot, one in enumerate(wanted):
        for record, other in enumerate(register):
            both = one.keys() & other.keys()
            if agree := {label for label in both if one[label] == other[label]}:
                expected.append((slot, record, bits(agree), bits(both)))
    mine, theirs = tokens(wanted), tokens(register)
    starts = range(0, max(1, len(register)), size)
    found = pl.concat(candidates(mine, theirs[start : start + size], V1, start) for start in starts)
    assert sorted(found.rows()) == expected
