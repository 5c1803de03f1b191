"""The edges of candidates and resolving; found by mutation (tests/mutation.py)."""

import polars as pl

from gateway.linkage.resolve import MAX_ALIKE, candidates
from gateway.linkage.scheme import V1


def test_a_crowd_is_more_than_a_hundred():
    """The number up to which slots may share a token: part of scheme v1, as docs/scheme-v1.md states it."""
    assert MAX_ALIKE == 100


def test_the_register_s_first_record_is_number_0():
    """Unless told otherwise a batch is the first, and its records are numbered from 0."""
    token = pl.DataFrame(
        {label: [b"x".ljust(16)] for label in V1.labels}, schema=dict.fromkeys(V1.labels, pl.Binary)
    )
    assert candidates(token, token).select("slot", "record").rows() == [(0, 0)]
