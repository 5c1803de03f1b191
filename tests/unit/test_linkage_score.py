"""Scoring: what agreement and disagreement are worth, and what it may not depend on."""

import os
import subprocess
import sys
from dataclasses import replace
from math import inf, log2

import polars as pl
import pytest

from gateway.domain.errors import BadInputError
from gateway.linkage.scheme import V1
from gateway.linkage.score import evidence, evidence_together, fitted, likelihoods, outcomes, threshold

EVERY = (1 << len(V1.keys)) - 1
SIZE = 1_000_000


def mask(labels):
    return sum(1 << V1.labels.index(label) for label in labels)


def agreeing(*parts):
    """The keys of which all parts agree, when these do."""
    return mask(key.label for key in V1.keys if set(key.parts) <= set(parts))


def complete(component):
    """Every part of a component."""
    rows = V1.places if component == "place" else V1.levels[component]
    return frozenset().union(*(row.agree for row in rows))


NAMES = complete("forename") | complete("surname") | V1.pairs.keys()
PERSON = agreeing(*NAMES, *complete("birth"), *complete("place"))
MOVED = agreeing(*NAMES, *complete("birth"))
NO_NUMBERS = mask(key.label for key in V1.keys if not {"nhs", "upn", "nino", "uprn"} & set(key.parts))
NO_PLACE = NO_NUMBERS & ~mask(key.label for key in V1.keys if {"pc", "pcx", "out"} & set(key.parts))


def masks(*rows):
    return pl.DataFrame(rows, {"agree": pl.UInt32, "both": pl.UInt32}, orient="row")


def bits(agree, both, weights=V1.weights, size=SIZE, namesakes=8.0):
    likely = likelihoods(masks((agree & both, both)), size)
    return likely.select(evidence(weights, size, pl.lit(namesakes))).item()


def test_agreement_is_evidence_and_the_lack_of_it_evidence_against():
    """More that agrees is worth more; what a side does not have is neither."""
    assert bits(PERSON, NO_NUMBERS) > bits(MOVED, NO_NUMBERS)
    assert bits(MOVED, NO_PLACE) > bits(MOVED, NO_NUMBERS)
    assert bits(PERSON, EVERY & ~mask(["g1.uprn"])) < bits(PERSON, NO_NUMBERS)


def test_nothing_in_common_to_compare_is_no_evidence():
    """Two records that share no key are as anybody and anybody: no bits, give or take a household."""
    others = V1.weights.kin + SIZE * (1 + V1.weights.community)
    assert bits(0, 0) == pytest.approx(log2(SIZE / others), abs=0.5)


def test_what_no_pair_shows_is_no_match():
    """Keys that never agree without others that do not agree here: minus infinity, not a number made up."""
    other = mask(["nhs.born"])
    assert bits(other, other | mask(["nhs.gk", "gk.born"])) > -inf
    everything = outcomes(V1)["agree"].to_list()
    never = next(agree for agree in range(1, EVERY) if agree not in everything)
    assert bits(never, EVERY) == -inf


def test_a_common_name_is_worth_less_than_a_rare_one():
    """The more of the register have the whole name, the less it tells."""
    worth = [bits(MOVED, NO_NUMBERS, namesakes=namesakes) for namesakes in (0.5, 8.0, 100.0, 5000.0)]
    assert worth == sorted(worth, reverse=True)
    assert len(set(worth)) == len(worth)


def test_a_larger_register_has_more_who_agree_by_chance():
    """What is left above log2 of the register's size falls as it grows: more are there besides kin."""
    excess = [
        bits(MOVED, NO_NUMBERS, size=size, namesakes=size * 8e-6) - log2(size) for size in (1000, 60_000_000)
    ]
    assert excess[0] > excess[1]


def test_the_pairs_at_hand_say_how_badly_records_are_kept():
    """Many garbled pairs raise the share that is, many perfect ones lower it; none leave the scheme's."""
    garbled = next(
        row["agree"]
        for row in outcomes(V1).sort("agree").iter_rows(named=True)
        if row["poor"] > 20 * row["match"] > 0 and row["poor"] > 1e-4 and row["agree"]
    )

    def fit(agree, pairs):
        table = masks((agree & NO_NUMBERS, NO_NUMBERS)).with_columns(pairs=pl.lit(pairs, pl.UInt32))
        return fitted(likelihoods(table, SIZE), pairs, SIZE, 0.85)

    none = masks().with_columns(pairs=pl.lit(0, pl.UInt32))
    assert fit(garbled, 1000).poor > V1.weights.poor > fit(PERSON, 1000).poor
    found = fitted(likelihoods(none, SIZE), 0, SIZE, 0.85)
    assert (found.poor, found.kin) == pytest.approx((V1.weights.poor, V1.weights.kin))


def test_a_household_s_address_counts_by_who_else_is_there():
    """Where another of the household was found, a record is worth more than its keys say."""
    likely = likelihoods(masks((MOVED, NO_NUMBERS)), SIZE)
    bearers = pl.lit(8.0)
    together = evidence_together(V1.weights, SIZE, 0.85, bearers, V1.home)
    alone, lifted = likely.select(evidence(V1.weights, SIZE, bearers), together=together).row(0)
    assert lifted > alone
    rare = likely.select(evidence_together(V1.weights, SIZE, 0.05, bearers, V1.home)).item()
    assert rare > lifted  # a household that is there at all is the more telling, the fewer are


@pytest.mark.parametrize(("register", "overlap"), [(1, 1), (1_000_000, 1), (200_000, 0.05)])
def test_threshold(register, overlap):
    """log2(register size) + log2(1 / overlap) + a margin, which grows with each halving of the overlap."""
    present = min(overlap, V1.most)
    margin = V1.margin + V1.caution * log2(1 / present)
    wanted = log2(register) + log2((1 - present) / present) + margin
    assert threshold(register, overlap) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("register", "overlap"), [(0, 0.5), (-1, 0.5), (10, 0), (10, -0.1), (10, 1.1), (10, float("nan"))]
)
def test_a_threshold_needs_a_register_and_an_overlap(register, overlap):
    """Nonsense is refused, not turned into a threshold that lets everybody through."""
    with pytest.raises(BadInputError):
        threshold(register, overlap)


def test_leaving_a_key_out_counts_it_as_missing():
    """A scheme less one key scores a pair as the whole scheme does where that key can't be compared."""
    fewer = V1.without(V1.labels[0])
    agree, both = MOVED & NO_PLACE & ~1, NO_PLACE & ~1
    found = likelihoods(masks((agree >> 1, both >> 1)), SIZE, fewer)
    whole = likelihoods(masks((agree, both)), SIZE)
    assert found.drop("agree", "both").row(0) == pytest.approx(whole.drop("agree", "both").row(0))


def test_more_kinds_of_missing_parts_than_fit_at_once_are_all_scored():
    """Hundreds of sets of keys that both sides have, as a list may hold them, score as each does alone."""
    boths = [NO_NUMBERS ^ (number * 77) for number in range(600)]
    found = likelihoods(masks(*((MOVED & both, both) for both in boths)), SIZE)
    assert found.height == len(boths)
    for row in (0, 255, 256, 511, 512, 599):
        alone = likelihoods(masks((MOVED & boths[row], boths[row])), SIZE)
        assert found[row].equals(alone) or found.row(row) == pytest.approx(alone.row(0))


_SCORES = """
import hashlib, polars as pl
from gateway.linkage.resolve import PAIRS, best
from gateway.linkage.score import outcomes
from gateway.linkage.scheme import V1
agree = outcomes(V1)["agree"].unique().sort()
every = pl.lit((1 << len(V1.keys)) - 1, pl.UInt32)
rows = pl.select(slot=pl.int_range(20_000, dtype=pl.UInt32)).with_columns(
    record=(pl.col("slot") * 7919) % 20_011, both=every ^ (pl.col("slot") % 9 * 33)
)
pairs = rows.with_columns(agree=agree.gather(rows["slot"] % len(agree)) & rows["both"])
found = best(pairs.select(PAIRS.names()).cast(PAIRS), register_size=1_000_000, overlap=0.85)
print(found.height, hashlib.sha256(found.write_csv(None).encode()).hexdigest())
"""


@pytest.mark.processes
def test_a_replay_gives_the_same_bytes_on_any_number_of_cores():
    """Neither the threads that add floats nor Python's hash seed change a bit of any score."""

    def run(threads, seed):
        environment = os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": seed}
        told = subprocess.run(
            [sys.executable, "-c", _SCORES], env=environment, check=True, capture_output=True, text=True
        )
        return told.stdout

    assert run("1", "1") == run("2", "2") == run("7", "3")


def test_the_fit_starts_from_the_scheme_s_own_weights():
    """A scheme with other weights gives others, when there is hardly anything to fit them to."""
    table = masks((PERSON, EVERY)).with_columns(pairs=pl.lit(1, pl.UInt32))
    other = replace(V1, weights=replace(V1.weights, poor=0.4, kin=9.0))
    plain, changed = (
        fitted(likelihoods(table, SIZE, scheme), 1, SIZE, 1.0, scheme) for scheme in (V1, other)
    )
    assert changed.poor > plain.poor
    assert changed.kin > plain.kin
