"""Candidates and resolving: one record for one slot, or none."""

import polars as pl
import pytest

from gateway.domain.errors import BadInputError
from gateway.linkage.resolve import MAX_ALIKE, PAIRS, candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import score, threshold

FULL = (1 << 14) - 1  # every key without an NHS number
MOVED = sum(1 << V1.labels.index(label) for label in ("gs3.dob", "s.dob", "gk.dob", "g1.sS.dob"))
WEAK = 1 << V1.labels.index("gk.dob")


def tokens(*rows):
    """A token frame from rows of {label: text}."""
    columns = {
        label: [row[label].encode().ljust(16) if label in row else None for row in rows]
        for label in V1.labels
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(V1.labels, pl.Binary))


def pairs(*rows):
    """Pairs of (slot, record, agree), both sides having all that FULL needs."""
    return pl.DataFrame([(*row, FULL) for row in rows], schema=PAIRS, orient="row")


def accepted(frame, register_size=1000, overlap=0.85):
    return resolve(frame, register_size=register_size, overlap=overlap).select("slot", "record").rows()


def test_candidates_carry_masks_of_agreeing_and_of_shared_keys():
    """Bit i is set where both tokens of key i are equal (agree), or are there on both sides (both)."""
    a, b, c = V1.labels[0], V1.labels[3], V1.labels[16]
    found = candidates(
        tokens({}, {a: "x", b: "y", c: "z"}), tokens({a: "x", b: "other"}, {c: "z"}, {b: "nobody"}), V1, 500
    )
    assert found.schema == PAIRS
    assert sorted(found.rows()) == [(1, 500, 1, 1 | 1 << 3), (1, 501, 1 << 16, 1 << 16)]


def test_missing_tokens_agree_with_nothing():
    """Two records that both lack a token are no candidates by it."""
    assert candidates(tokens({}, {}), tokens({}, {}), V1, 0).is_empty()


def test_batches_of_the_register_give_what_the_whole_gives():
    """Cutting the register into batches changes no pair, whatever the cut."""
    key = V1.labels[5]
    register = tokens(*({key: f"person {number % 7}"} for number in range(20)))
    wanted = tokens(*({key: f"person {number}"} for number in range(5)))
    whole = candidates(wanted, register, V1, 0)
    for size in (1, 3, 20):
        cut = [candidates(wanted, register[start : start + size], V1, start) for start in range(0, 20, size)]
        assert pl.concat(cut).sort("slot", "record").equals(whole.sort("slot", "record"))


def test_a_token_of_a_crowd_names_nobody():
    """A token that more than MAX_ALIKE slots share is left out, so that no request makes a bucket explode."""
    key = V1.labels[0]
    crowd = tokens(*({key: "x"} for _ in range(MAX_ALIKE + 1)))
    assert candidates(crowd, tokens({key: "x"}), V1, 0).is_empty()
    assert candidates(crowd[1:], tokens({key: "x"}), V1, 0).height == MAX_ALIKE


def test_an_empty_side_gives_no_pairs():
    """No list or no register: no candidates and nothing accepted, with the right types."""
    none = candidates(tokens(), tokens({V1.labels[0]: "x"}), V1, 0)
    assert none.is_empty()
    assert none.schema == PAIRS
    result = resolve(none, register_size=1, overlap=1)
    assert result.schema == {"slot": pl.UInt32, "record": pl.UInt32, "score": pl.Float64}


def test_the_best_pair_of_both_sides_is_accepted_with_its_score():
    """Two slots and two records, each the other's best: both pairs, ordered by slot."""
    found = resolve(pairs((1, 10, FULL), (0, 11, MOVED), (1, 11, WEAK)), register_size=1000, overlap=0.85)
    assert found.rows() == [(0, 11, score(MOVED, FULL)), (1, 10, score(FULL, FULL))]


def test_a_tie_on_either_side_is_no_match():
    """Two records equally good for a slot, or two slots for a record: neither is taken."""
    assert accepted(pairs((0, 10, FULL), (0, 11, FULL))) == []
    assert accepted(pairs((0, 10, FULL), (1, 10, FULL))) == []


def test_a_tie_below_the_best_does_not_matter():
    """A slot's two equally weak seconds leave its best alone."""
    assert accepted(pairs((0, 10, FULL), (0, 11, MOVED), (0, 12, MOVED))) == [(0, 10)]


def test_best_for_one_side_only_is_no_match():
    """A record that has a better slot is not handed to another slot that has nothing better."""
    assert accepted(pairs((0, 10, FULL), (1, 10, MOVED))) == [(0, 10)]


def test_a_refused_tie_frees_no_second_best():
    """Where the best is tied, the next best is not taken instead."""
    assert accepted(pairs((0, 10, FULL), (0, 11, FULL), (0, 12, MOVED))) == []


def test_the_threshold_is_inclusive_and_grows_with_the_register():
    """The same pair is accepted on a small register and refused on a large one, or with less overlap."""
    moved = pairs((0, 10, MOVED))
    bits = score(MOVED, FULL)
    assert bits >= threshold(1 << 25, 1)
    assert accepted(moved, 1 << 25, 1) == [(0, 10)]  # 25 + 4 bits: just enough
    assert accepted(moved, 1 << 26, 1) == []
    assert accepted(moved, 1 << 25, 0.5) == []


def test_resolving_refuses_nonsense():
    """A register or an overlap out of range is an error."""
    with pytest.raises(BadInputError):
        resolve(pairs(), register_size=0, overlap=0.5)
