"""Entries: the standard library writes what RFC 8785 asks, as another implementation (`rfc8785`) does."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.entry import MAX_DEPTH, MAX_INTEGER, TYPE, Entry, canonical, check_leaf, commit, open_commitment
from audit.errors import CommitmentError, EntryError

keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.booleans()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(keys, values, max_size=5)
kinds = st.from_regex(r"[a-z]{1,10}(\.[a-z-]{1,20}){1,3}", fullmatch=True)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones() | st.just(UTC))  # noqa: DTZ001 - the zone is drawn
entries = st.builds(Entry, st.uuids(), kinds, times, bodies)


def _depth(value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


@given(values)
def test_canonical_bytes_are_those_of_rfc8785(value):
    """For every value of the subset the bytes are those that the package `rfc8785` writes."""
    if _depth(value) <= MAX_DEPTH:
        assert canonical(value) == rfc8785.dumps(value)


@given(entries)
def test_leaves_are_those_of_rfc8785(entry):
    """A leaf is what the package `rfc8785` writes of the same fields."""
    at = entry.at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    fields = {"type": TYPE, "id": str(entry.id), "kind": entry.kind, "at": at, "body": dict(entry.body)}
    assert entry.leaf() == rfc8785.dumps(fields)


@given(entries)
def test_entries_round_trip(entry):
    """Parsing an entry's leaf gives the entry back, a verifier accepts it, and no leaf holds a newline."""
    check_leaf(entry.leaf())
    assert Entry.parse(entry.leaf()) == entry
    assert b"\n" not in entry.leaf()


@given(st.binary(max_size=300) | entries.map(Entry.leaf), st.integers(0, 10_000), st.integers(0, 255))
def test_whatever_parses_is_canonical(leaf, place, byte):
    """Any bytes either parse to an entry that writes the same bytes, or raise EntryError and nothing else."""
    if leaf:
        place %= len(leaf)
        leaf = leaf[:place] + bytes([byte]) + leaf[place + 1 :]
    try:
        entry = Entry.parse(leaf)
    except EntryError:
        return
    assert entry.leaf() == leaf


@given(
    st.binary(min_size=32, max_size=32),
    st.uuids(),
    keys.filter(lambda path: "\0" not in path),
    values,
    values,
)
def test_commitments_open_to_one_value(salt: bytes, entry: UUID, path: str, value, other):
    """A commitment opens to its value, and to no value that is written otherwise."""
    made = commit(salt, entry, path, value)
    open_commitment(made, salt, entry, path, value)
    if canonical(other) != canonical(value):
        with pytest.raises(CommitmentError):
            open_commitment(made, salt, entry, path, other)


@given(entries, st.data())
def test_what_a_verifier_accepts_is_an_entry(entry, data):
    """Whatever byte of a leaf is changed, to check it and to parse it come to the same verdict."""
    leaf = bytearray(entry.leaf())
    leaf[data.draw(st.integers(0, len(leaf) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_leaf(bytes(leaf))
    except EntryError:
        with pytest.raises(EntryError):
            Entry.parse(bytes(leaf))
    else:
        assert Entry.parse(bytes(leaf)).leaf() == leaf
