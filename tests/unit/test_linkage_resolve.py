"""Candidates and resolving: one record for one slot, or none."""

from dataclasses import replace
from math import log2

import polars as pl
import pytest

from gateway.domain.errors import BadInputError
from gateway.linkage.resolve import BESIDE, MAX_ALIKE, PAIRS, best, candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import evidence_together, fitted, likelihoods, outcomes, rounded, threshold

EVERY = (1 << len(V1.keys)) - 1
MOVED = sum(
    1 << bit
    for bit, key in enumerate(V1.keys)
    if not {"pc", "pcx", "out", "uprn", "nhs", "upn", "nino"} & set(key.parts)
)
"""Names and birth agree, place does not."""
FOUND = MOVED | sum(1 << bit for bit, key in enumerate(V1.keys) if {"pc", "pcx", "out"} & set(key.parts))
"""Everything agrees but numbers, of which one side has none."""


def tokens(*rows):
    """A token frame from rows of {label: text}."""
    columns = {
        label: [row[label].encode().ljust(16) if label in row else None for row in rows]
        for label in V1.labels
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(V1.labels, pl.Binary))


def pairs(*rows):
    """Pairs of (slot, record, agree), both sides having all that FOUND needs."""
    return pl.DataFrame([(*row, FOUND) for row in rows], schema=PAIRS, orient="row")


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


def test_candidates_carry_what_is_known_besides():
    """A slot's household and a record's name and place stand on each of their pairs (BESIDE)."""
    label = V1.labels[0]
    mine = tokens({label: "x"}, {label: "y"}).with_columns(household=pl.Series([7, 8], dtype=pl.UInt32))
    theirs = tokens({label: "y"}).with_columns(
        name=pl.Series([70], dtype=pl.UInt64), place=pl.Series([None], dtype=pl.UInt64)
    )
    found = candidates(mine, theirs)
    assert found.schema == pl.Schema(PAIRS | BESIDE)
    assert found.select("slot", *BESIDE).rows() == [(1, 8, 70, None)]


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


def test_a_token_of_a_crowd_counts_as_missing():
    """A crowd's token is no disagreement either: whoever has it is judged by the other keys."""
    crowded, own = V1.labels[:2]
    crowd = tokens(*({crowded: "x", own: str(number)} for number in range(MAX_ALIKE + 1)))
    found = candidates(crowd, tokens({crowded: "x", own: "7"}), V1)
    assert found.rows() == [(7, 0, 2, 2)]


def test_an_empty_side_gives_no_pairs():
    """No list or no register: no candidates and nothing accepted, with the right types."""
    none = candidates(tokens(), tokens({V1.labels[0]: "x"}), V1, 0)
    assert none.is_empty()
    assert none.schema == PAIRS
    result = resolve(none, register_size=1, overlap=1)
    assert result.schema == {"slot": pl.UInt32, "record": pl.UInt32, "score": pl.Float64}


def test_the_best_pair_of_both_sides_is_accepted_with_its_score():
    """Two slots and two records, each the other's best: both pairs, ordered by slot, with their evidence."""
    found = resolve(
        pairs((1, 10, FOUND), (0, 11, MOVED), (1, 11, MOVED & 3)), register_size=1000, overlap=0.85
    )
    assert found.select("slot", "record").rows() == [(0, 11), (1, 10)]
    assert found["score"][1] > found["score"][0] >= threshold(1000, 0.85)


def test_a_tie_on_either_side_is_no_match():
    """Two records equally good for a slot, or two slots for a record: neither is taken."""
    assert accepted(pairs((0, 10, FOUND), (0, 11, FOUND))) == []
    assert accepted(pairs((0, 10, FOUND), (1, 10, FOUND))) == []


def test_a_tie_below_the_best_does_not_matter():
    """A slot's two equally weak seconds leave its best alone."""
    assert accepted(pairs((0, 10, FOUND), (0, 11, MOVED), (0, 12, MOVED))) == [(0, 10)]


def test_best_for_one_side_only_is_no_match():
    """A record that has a better slot is not handed to another slot that has nothing better."""
    assert accepted(pairs((0, 10, FOUND), (1, 10, MOVED))) == [(0, 10)]


def test_a_refused_tie_frees_no_second_best():
    """Where the best is tied, the next best is not taken instead."""
    assert accepted(pairs((0, 10, FOUND), (0, 11, FOUND), (0, 12, MOVED))) == []


def test_what_no_true_pair_shows_is_never_best():
    """A pair whose keys no way of agreeing gives is nobody's best, however empty the register is else."""
    never = next(agree for agree in range(1, EVERY) if agree not in outcomes(V1)["agree"].to_list())
    frame = pl.DataFrame([(0, 10, never, EVERY)], schema=PAIRS, orient="row")
    assert best(frame, register_size=1, overlap=1).is_empty()


def test_the_threshold_is_inclusive_and_grows_with_the_register():
    """A pair that just reaches the threshold is accepted, and refused at a millionth of a bit more."""
    pair = pairs((0, 10, MOVED))
    score = best(pair, register_size=1000, overlap=1)["score"].item()
    for more, wanted in ((0, [(0, 10)]), (1e-6, [])):
        scheme = replace(V1, margin=V1.margin + score - threshold(1000, 1) + more)
        found = resolve(pair, register_size=1000, overlap=1, scheme=scheme)
        assert found.select("slot", "record").rows() == wanted


def test_namesakes_are_counted_on_the_register():
    """The same agreement is worth less the more records have the name; without one it counts as usual."""
    frame = pairs((0, 10, MOVED), (1, 11, MOVED), (2, 12, MOVED)).with_columns(
        name=pl.Series([1, 2, None], dtype=pl.UInt64)
    )
    names = pl.Series([1, 2, *[2] * 50, None], dtype=pl.UInt64)
    rare, common, unknown = best(frame, register_size=1_000_000, overlap=1, names=names)["score"]
    plain = best(frame, register_size=1_000_000, overlap=1)["score"]
    assert rare > unknown > common
    assert unknown == plain[0] == plain[1] == plain[2]


def test_a_name_on_no_record_of_the_register_counts_as_usual():
    """A pair whose record's name was not counted is judged by the scheme's average."""
    frame = pairs((0, 10, MOVED)).with_columns(name=pl.Series([5], dtype=pl.UInt64))
    names = pl.Series([1, 1], dtype=pl.UInt64)
    counted, plain = (
        best(frame, register_size=1000, overlap=1, names=told)["score"].item() for told in (names, None)
    )
    assert counted == plain


def at(*rows):
    """Pairs of (slot, record, agree, household, place)."""
    schema = pl.Schema(PAIRS | {"household": pl.UInt32, "place": pl.UInt64})
    return pl.DataFrame(
        [(slot, record, agree, FOUND, home, place) for slot, record, agree, home, place in rows],
        schema=schema,
        orient="row",
    )


def scores(frame, size=1_000_000, overlap=0.85):
    found = best(frame, register_size=size, overlap=overlap)
    return {(slot, record): bits for slot, record, bits in found.iter_rows()}


def alone(frame):
    return scores(frame.drop("household", "place"))


def test_a_pair_where_another_of_the_household_was_found_is_lifted():
    """It scores as `evidence_together` says, by the weights that all pairs gave."""
    frame = at((0, 10, MOVED, 1, 100), (1, 11, FOUND, 1, 100))
    masks = frame.group_by("agree", "both").agg(pairs=pl.len()).sort("agree", "both")
    likely = likelihoods(masks, 1_000_000)
    weights = fitted(likely, 2, 1_000_000, 0.85)
    usual = pl.lit(weights.namesakes * 1_000_000)
    told = likely.filter(agree=MOVED).select(evidence_together(weights, 1_000_000, 0.85, usual, V1.home))
    assert scores(frame)[0, 10] == pytest.approx(told.item())
    assert scores(frame)[0, 10] > alone(frame)[0, 10]


def test_a_pair_elsewhere_than_the_household_is_sunk():
    """It loses the bits of the scheme's share of members who live apart."""
    frame = at((0, 10, MOVED, 1, 200), (1, 11, FOUND, 1, 100))
    assert scores(frame)[0, 10] == pytest.approx(alone(frame)[0, 10] + log2(V1.home.apart))
    assert pl.select(rounded(pl.lit(scores(frame)[0, 10]))).item() == scores(frame)[0, 10]


def test_one_member_there_and_one_elsewhere_lifts():
    """Of a household that was found at several addresses, each of them counts as one of theirs."""
    frame = at((0, 10, MOVED, 1, 100), (1, 11, FOUND, 1, 100), (2, 12, FOUND, 1, 200))
    assert scores(frame)[0, 10] > alone(frame)[0, 10]


@pytest.mark.parametrize(
    ("home", "place"),
    [(None, 100), (1, None), (None, None), (2, 100)],
    ids=["no home", "no place", "neither", "another home"],
)
def test_without_a_household_or_a_place_nothing_changes(home, place):
    """A null, and another household at the address, leave a score as it is."""
    frame = at((0, 10, MOVED, home, place), (1, 11, FOUND, 1, 100))
    assert scores(frame)[0, 10] == alone(frame)[0, 10]


def test_nobody_lifts_or_sinks_themselves():
    """A slot's own pairs, whichever was accepted, say nothing of where the rest of its household is."""
    frame = at((0, 10, FOUND, 1, 100), (0, 11, MOVED, 1, 100), (0, 12, MOVED & 3, 1, 200))
    assert scores(frame) == alone(frame)
    both = at((0, 10, FOUND, 1, 100), (1, 11, FOUND, 1, 200))
    assert scores(both) == {
        ids: pytest.approx(bits + log2(V1.home.apart)) for ids, bits in alone(both).items()
    }


def test_a_member_who_was_not_accepted_tells_nothing():
    """A pair below the threshold, or tied, moves nobody of the household."""
    weak = at((0, 10, MOVED, 1, 100), (1, 11, 1 << V1.labels.index("born.out"), 1, 100))
    assert scores(weak)[0, 10] == alone(weak)[0, 10]
    tied = at((0, 10, MOVED, 1, 100), (1, 11, FOUND, 1, 100), (1, 12, FOUND, 1, 100))
    assert scores(tied)[0, 10] == alone(tied)[0, 10]


def test_columns_of_households_or_of_places_alone_change_nothing():
    """Household context needs both."""
    frame = at((0, 10, MOVED, 1, 100), (1, 11, FOUND, 1, 100))
    for column in ("household", "place"):
        assert scores(frame.drop(column)) == alone(frame)


def test_everybody_in_one_household_costs_no_more():
    """A list that calls twenty thousand people one household is resolved as fast as any other."""
    rows = pl.select(slot=pl.int_range(20_000, dtype=pl.UInt32)).with_columns(
        record="slot",
        agree=pl.lit(FOUND, pl.UInt32),
        both=pl.lit(FOUND, pl.UInt32),
        household=pl.lit(1, pl.UInt32),
        place=pl.col("slot").cast(pl.UInt64) % 100,
    )
    assert resolve(rows, register_size=20_000, overlap=1).height == rows.height


def test_resolving_refuses_nonsense():
    """A register or an overlap out of range is an error."""
    with pytest.raises(BadInputError):
        resolve(pairs(), register_size=0, overlap=0.5)
