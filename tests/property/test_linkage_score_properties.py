"""Scoring and resolving against a reference in plain Python, for schemes of any numbers and for v1."""

from dataclasses import replace

import linkage_reference as reference
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.linkage.resolve import PAIRS, resolve
from gateway.linkage.scheme import V1, Home, Level, MatchKey, PlaceLevel, Weights
from gateway.linkage.score import evidence, evidence_together, fitted, likelihoods, outcomes, threshold

SIZES = st.integers(1, 10_000_000)
OVERLAPS = st.sampled_from([1.0, 0.85, 0.2, 0.01])
MADE = {
    "forename": ["gk gk3 g1", "gk3 g1", "g1", ""],
    "surname": ["s sk3 s1", "sk3 s1", "s1", ""],
    "birth": ["born y", "y", ""],
    "nhs": ["nhs", ""],
}
PLACES = ["pc out", "out", ""]
LABELS = ["gs.born", "gs3.born", "gk.born", "s.y.pc", "g1.s1.out", "born.pc", "gs3.out", "nhs.born", "nhs.s"]


def split(draw, ways):
    """As many shares as `ways`, that sum to 1."""
    weights = draw(st.lists(st.integers(1, 1000), min_size=ways, max_size=ways))
    return [weight / sum(weights) for weight in weights]


def levels(draw, rows):
    columns = [split(draw, len(rows)) for _ in range(5)]
    return tuple(
        Level(frozenset(agree.split()), *shares) for agree, *shares in zip(rows, *columns, strict=True)
    )


@st.composite
def schemes(draw):
    """A small scheme: V1's pairs and a few levels, with any shares, weights and set of keys."""
    match, poor, kin, share = (split(draw, len(PLACES)) for _ in range(4))
    people = st.sampled_from([1, 60.0, 20_000, float("inf")])
    small = st.floats(1e-6, 0.5)
    return replace(
        V1,
        keys=tuple(map(MatchKey.parse, draw(st.lists(st.sampled_from(LABELS), min_size=1, unique=True)))),
        levels={component: levels(draw, rows) for component, rows in MADE.items()},
        swapped=(Level(frozenset({"gs", "gs3"}), *(draw(small) for _ in range(5))),),
        places=tuple(
            PlaceLevel(frozenset(agree.split()), *numbers, draw(people), part)
            for agree, *numbers, part in zip(PLACES, match, poor, kin, share, strict=True)
        ),
        weights=Weights(
            draw(small), draw(small), draw(small) / 1000, draw(st.floats(0.1, 9)), draw(st.floats(1, 99))
        ),
        home=Home(draw(small), draw(small), draw(st.floats(1, 99)), draw(st.floats(0.1, 9)), draw(small)),
        margin=draw(st.floats(0, 9)),
        caution=draw(small),
        most=0.85,
    )


def masks(draw, scheme):
    """(agree, both) of a pair that some outcome gives, and now and then of one that none gives."""
    labels = st.sets(st.sampled_from(scheme.labels))
    both = frozenset(draw(labels))
    possible = sorted(map(sorted, {found[0] for found in reference.outcomes(scheme)}))
    agree = draw(st.sampled_from(possible)) if draw(st.integers(0, 9)) else draw(labels)
    return frozenset(agree) & both, both


def bits(scheme, labels):
    return sum(1 << scheme.labels.index(label) for label in labels)


def frame(scheme, found):
    """Distinct masks, how many pairs have them: (agree, both), count."""
    rows = [(bits(scheme, agree), bits(scheme, both), count) for (agree, both), count in found.items()]
    return pl.DataFrame(rows, {"agree": pl.UInt32, "both": pl.UInt32, "pairs": pl.UInt32}, orient="row")


@st.composite
def scored(draw, scheme=None):
    chosen = scheme or draw(schemes())
    pairs = draw(st.integers(1, 6))
    return chosen, {masks(draw, chosen): draw(st.integers(1, 500)) for _ in range(pairs)}


def assert_alike(scheme, found, size, overlap, namesakes):
    table = frame(scheme, found)
    likely = likelihoods(table, size, scheme)
    for row, (agree, both) in zip(likely.iter_rows(named=True), found, strict=True):
        told = reference.likely(agree, both, size, scheme)
        assert {name: row[name] for name in told} == pytest.approx(told, rel=1e-9, abs=1e-300)
    weights = fitted(likely, 7, size, overlap, scheme)
    plain = reference.fitted(found, 7, size, overlap, scheme)
    assert (weights.poor, weights.kin) == pytest.approx((plain.poor, plain.kin), rel=1e-9)
    bearers = pl.lit(namesakes)
    shown = likely.select(
        alone=evidence(weights, size, bearers),
        home=evidence_together(weights, size, overlap, bearers, scheme.home),
    )
    for (agree, both), alone, home in zip(found, shown["alone"], shown["home"], strict=True):
        assert alone == pytest.approx(reference.score(agree, both, plain, size, scheme, namesakes), abs=3e-6)
        assert home == pytest.approx(
            reference.together(agree, both, plain, size, overlap, scheme, namesakes), abs=3e-6
        )


@given(scored(), SIZES, OVERLAPS, st.floats(0.5, 5000))
def test_any_scheme_scores_as_the_reference_does(case, size, overlap, namesakes):
    """Likelihoods, fitted weights and bits are those of the loops, whatever the scheme's numbers."""
    assert_alike(*case, size, overlap, namesakes)


@settings(max_examples=15)
@given(scored(V1), SIZES, OVERLAPS, st.floats(0.5, 5000))
def test_v1_scores_as_the_reference_does(case, size, overlap, namesakes):
    """So do the published scheme's own tables."""
    assert_alike(*case, size, overlap, namesakes)


@given(schemes())
def test_what_complete_pairs_show_adds_up(scheme):
    """Each true pair agrees on one set of keys: over all sets the shares sum to those of the levels."""
    one = sum(level.match for level in scheme.swapped) + 1
    kin = sum(level.kin for level in scheme.swapped) + 1
    found = outcomes(scheme).select(pl.col("match", "kin").sum())
    assert found.row(0) == pytest.approx((one, kin))


@given(scored(), SIZES)
def test_what_a_missing_key_would_say_is_summed_over(case, size):
    """The likelihoods of every way in which some keys can agree sum to the same, whichever keys are there."""
    scheme, found = case
    everything = likelihoods(frame(scheme, {(frozenset(), frozenset()): 1}), size, scheme)
    for _, both in found:
        ways = {(labels & both, both): 1 for labels, *_ in reference.outcomes(scheme)}
        parts = likelihoods(frame(scheme, ways), size, scheme)
        for kind in ("match", "poor", "kin", "other", "namesake"):
            assert parts[kind].sum() == pytest.approx(everything[kind].sum())


@given(schemes(), SIZES, st.floats(0.001, 1))
def test_threshold_is_the_formula_s(scheme, size, overlap):
    """log2(register size), what is expected to be there, and the scheme's margin."""
    wanted = reference.threshold(size, overlap, scheme)
    assert threshold(size, overlap, scheme) == pytest.approx(wanted, abs=1e-6)


@st.composite
def worlds(draw, homes):
    """A scheme and the pairs of a few slots and records, with households and places or without."""
    scheme = draw(schemes())
    known = st.none() | st.integers(0, 2)
    households = draw(st.lists(known, min_size=5, max_size=5))
    places = draw(st.lists(known, min_size=5, max_size=5))
    ids = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12, unique=True))
    pairs = [
        reference.Pair(
            slot,
            record,
            *masks(draw, scheme),
            household=households[slot] if homes else None,
            place=places[record] if homes else None,
        )
        for slot, record in ids
    ]
    return scheme, pairs


def resolved(scheme, pairs, size, overlap, *, homes):
    rows = [
        (
            pair.slot,
            pair.record,
            bits(scheme, pair.agree),
            bits(scheme, pair.both),
            pair.household,
            pair.place,
        )
        for pair in pairs
    ]
    schema = PAIRS | {"household": pl.UInt32, "place": pl.UInt64}
    made = pl.DataFrame(rows, schema, orient="row")
    if not homes:
        made = made.drop("household", "place")
    found = resolve(made, register_size=size, overlap=overlap, scheme=scheme)
    return {(slot, record): score for slot, record, score in found.iter_rows()}


@given(worlds(homes=False), st.integers(1, 50), OVERLAPS)
def test_any_scheme_resolves_as_the_reference_does(world, size, overlap):
    """What is accepted, and its score, is what the loops accept."""
    scheme, pairs = world
    told = reference.resolve(pairs, size=size, overlap=overlap, scheme=scheme)
    assert resolved(scheme, pairs, size, overlap, homes=False) == pytest.approx(told, abs=3e-6)


@given(worlds(homes=True), st.integers(1, 50), OVERLAPS)
def test_households_count_as_in_the_reference(world, size, overlap):
    """So it is with household context, whoever lives where and whatever of it is unknown."""
    scheme, pairs = world
    told = reference.resolve(pairs, size=size, overlap=overlap, scheme=scheme, homes=True)
    assert resolved(scheme, pairs, size, overlap, homes=True) == pytest.approx(told, abs=3e-6)
