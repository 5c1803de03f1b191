"""Resolving, against a plain reference: symmetric, order-free, one-to-one."""

import random
from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gateway.linkage.resolve import PAIRS, candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import score, threshold

ALL = (1 << len(V1.keys)) - 1
masks = st.integers(1, ALL)
pair_sets = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 6)), st.tuples(masks, masks), max_size=25
).map(lambda found: [(*ids, agree, agree | both) for ids, (agree, both) in found.items()])
registers = st.integers(1, 100_000)
token_rows = st.lists(
    st.dictionaries(st.sampled_from(V1.labels), st.sampled_from("abcd"), max_size=6), max_size=8
)


def frame(rows):
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


def accepted(rows, register):
    return resolve(frame(rows), register_size=register, overlap=0.5).rows()


def reference(rows, register):
    """The rule of LINKAGE.md in a loop."""
    scores = {(slot, record): score(agree, both) for slot, record, agree, both in rows}
    enough = threshold(register, 0.5)

    def sole_best(ids, side):
        rivals = [bits for other, bits in scores.items() if other[side] == ids[side]]
        return scores[ids] == max(rivals) and rivals.count(scores[ids]) == 1

    found = [ids for ids in scores if scores[ids] >= enough and sole_best(ids, 0) and sole_best(ids, 1)]
    return sorted((*ids, scores[ids]) for ids in found)


@given(pair_sets, registers)
def test_resolving_follows_the_rule(rows, register):
    """What is accepted is what the rule accepts, pair by pair."""
    assert accepted(rows, register) == reference(rows, register)


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


@given(pair_sets)
def test_a_larger_register_accepts_no_more(rows):
    """Every pair accepted on a larger register is accepted on a smaller one."""
    assert set(accepted(rows, 50_000)) <= set(accepted(rows, 50))


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
