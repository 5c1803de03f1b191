"""The edges of candidates and resolving; found by mutation (tests/mutation.py)."""

from dataclasses import replace

import polars as pl
import pytest

from gateway.linkage.resolve import MAX_ALIKE, PAIRS, candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import score

FULL = (1 << 14) - 1


def test_a_crowd_is_more_than_a_hundred():
    """The number up to which slots may share a token: part of scheme v1, as docs/scheme-v1.md states it."""
    assert MAX_ALIKE == 100


def test_the_register_s_first_record_is_number_0():
    """Unless told otherwise a batch is the first, and its records are numbered from 0."""
    token = pl.DataFrame(
        {label: [b"x".ljust(16)] for label in V1.labels}, schema=dict.fromkeys(V1.labels, pl.Binary)
    )
    assert candidates(token, token).select("slot", "record").rows() == [(0, 0)]


@pytest.mark.parametrize(("short", "accepted"), [(0, [(0, 7)]), (2**-20, [])])
def test_a_pair_that_just_reaches_the_threshold_is_accepted(short, accepted):
    """The threshold is the least score accepted, to the last bit."""
    pair = pl.DataFrame([(0, 7, FULL, FULL)], schema=PAIRS, orient="row")
    scheme = replace(V1, margin=score(FULL, FULL) - 10 + short)
    found = resolve(pair, register_size=1024, overlap=1, scheme=scheme)
    assert found.select("slot", "record").rows() == accepted
