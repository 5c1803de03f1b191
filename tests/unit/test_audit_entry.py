"""Entries and commitments."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from audit.entry import MAX_LEAF_BYTES, Entry, canonical, check_leaf, commit, open_commitment
from audit.errors import CommitmentError, EntryError

ID = UUID("9c5b94b1-35ad-49bb-b118-8e8fc24abf80")
AT = datetime(2026, 11, 22, 10, 0, 0, 123456, UTC)
LEAF = (
    b'{"at":"2026-11-22T10:00:00.123Z","body":{"a":[1,true,{"b":"\xc3\xa9"}]},'
    b'"id":"9c5b94b1-35ad-49bb-b118-8e8fc24abf80","kind":"exchange.request-authorised",'
    b'"type":"flagstone/entry/v1"}'
)


def make(**changes) -> Entry:
    fields = {"id": ID, "kind": "exchange.request-authorised", "at": AT, "body": {"a": [1, True, {"b": "é"}]}}
    return Entry(**(fields | changes))


def test_the_leaf_is_pinned():
    """A leaf's bytes never change between versions: they are what was signed."""
    assert make().leaf() == LEAF


def test_parse_gives_the_entry_back():
    """Parsing a leaf gives an equal entry with the same leaf."""
    assert Entry.parse(LEAF) == make()
    assert Entry.parse(LEAF).leaf() == LEAF


def test_time_is_utc_cut_to_milliseconds():
    """A time in another zone is the same entry, and microseconds are cut, not rounded."""
    there = timezone(timedelta(hours=5, minutes=30))
    assert make(at=AT.astimezone(there)) == make()
    assert make(at=AT.replace(microsecond=123999)) == make()


def test_the_body_is_a_copy():
    """Changing what an entry was made from changes nothing of the entry."""
    inner = [1]
    made = make(body={"a": inner})
    inner.append(2)
    assert made.body["a"] == [1]
    assert b"[1]" in made.leaf()


def test_repr_shows_no_body():
    """The body never reaches a repr, and so no log line."""
    assert "é" not in repr(make())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.0, "float"),
        (None, "NoneType"),
        (b"x", "bytes"),
        ({1}, "set"),
        (2**53, "beyond 2"),
        (-(2**53), "beyond 2"),
        ("\ud800", "surrogate"),
        ({"é": 1}, "not ASCII"),
        ({1: 1}, "not ASCII"),
    ],
)
def test_values_outside_the_subset_are_refused(value, reason):
    """A value outside the subset is refused wherever it stands, with its reason and without the value."""
    for body in ({"a": value}, {"a": [value]}, {"a": {"b": [{"c": value}]}}):
        with pytest.raises(EntryError, match=reason) as caught:
            make(body=body)
        assert value is None or repr(value) not in str(caught.value)


def test_deep_and_large_bodies_are_refused():
    """Nesting and size have limits, so that no leaf can exhaust a verifier."""
    deep: list = []
    for _ in range(20):
        deep = [deep]
    with pytest.raises(EntryError, match="deeper"):
        make(body={"a": deep})
    with pytest.raises(EntryError, match="longer"):
        make(body={"a": "x" * MAX_LEAF_BYTES})


def test_a_leaf_is_at_most_what_two_bytes_can_count():
    """65,535 bytes make an entry, one more does not: a bundle of c2sp.org/tlog-tiles could not hold it."""
    assert MAX_LEAF_BYTES == 65_535
    spare = MAX_LEAF_BYTES - len(make(body={"a": ""}).leaf())
    longest = make(body={"a": "x" * spare}).leaf()
    assert Entry.parse(longest).leaf() == longest
    with pytest.raises(EntryError, match="longer"):
        make(body={"a": "x" * (spare + 1)})
    with pytest.raises(EntryError, match="longer"):
        Entry.parse(longest.replace(b"xx", b"xxx", 1))


@pytest.mark.parametrize(
    "kind", ["exchange", "Exchange.refused", "exchange.", ".x", "a.b\n", "a b.c", "a.b1", ""]
)
def test_malformed_kinds_are_refused(kind):
    """A kind is dotted lower-case words."""
    with pytest.raises(EntryError, match="kind"):
        make(kind=kind)


def test_naive_times_are_refused():
    """A time without a zone means nothing."""
    with pytest.raises(EntryError, match="zone"):
        make(at=AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"\xef\xbb\xbf" + LEAF,
        LEAF.decode().encode("utf-16"),
        LEAF + b" ",
        LEAF + b"\n",
        b" " + LEAF,
        LEAF.replace(b'":', b'": ', 1),
        LEAF.replace(b"\xc3\xa9", b"\\u00e9"),
        LEAF.replace(b"[1,", b"[1.0,"),
        LEAF.replace(b"[1,", b"[NaN,"),
        LEAF.replace(b"[1,", b"[null,"),
        LEAF.replace(b"[1,", b"[-0,"),
        LEAF.replace(b"[1,", b"[" + b"9" * 30 + b","),
        LEAF.replace(b"[1,", b"[" + b"9" * 5000 + b","),
        LEAF.replace(b"[1,", b"[" * 100_000 + b"1,"),
        LEAF.replace(b'"b":', b'"b":1,"b":'),
        LEAF.replace(b"9c5b", b"9C5B"),
        LEAF.replace(b"9c5b94b1-", b"9c5b94b1"),
        LEAF.replace(b".123Z", b".123+00:00"),
        LEAF.replace(b".123Z", b"Z"),
        LEAF.replace(b".123Z", b".123"),
        LEAF.replace(b"2026-11", b"2026-13"),
        LEAF.replace(b'"2026-11-22T10:00:00.123Z"', b"1"),
        LEAF.replace(b'"exchange.request-authorised"', b"[]"),
        LEAF.replace(b"entry/v1", b"entry/v2"),
        LEAF.replace(b'"at"', b'"ab"'),
        LEAF.replace(b'{"a":[1,true,{"b":"\xc3\xa9"}]}', b"[]"),
        b"9" * (MAX_LEAF_BYTES + 1),
    ],
)
def test_other_bytes_than_a_canonical_leaf_are_refused(leaf):
    """Exactly the canonical bytes of an entry parse: no second spelling has the same meaning."""
    for judge in (Entry.parse, check_leaf):
        with pytest.raises(EntryError):
            judge(leaf)


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-22T24:00:00.000Z",
        "2026-11-22T10:60:00.000Z",
        "2026-11-22T10:00:60.000Z",
        "2026-02-29T10:00:00.000Z",
        "0000-01-01T10:00:00.000Z",
        "2026-11-22 10:00:00.123Z",
        "2026-11-22T10:00:00,123Z",
        "2026-W47-7T10:00:00.123Z",
        "2026-11-22T10:00:00.123456Z",
        "\u0662026-11-22T10:00:00.123Z",
    ],
)
def test_times_that_are_none_are_refused(at):
    """A time has one spelling, and is a time: no hour 24, no leap second, no day that is not in the year."""
    leaf = LEAF.replace(b"2026-11-22T10:00:00.123Z", at.encode())
    assert leaf != LEAF
    for judge in (Entry.parse, check_leaf):
        with pytest.raises(EntryError):
            judge(leaf)


def test_a_leaf_is_checked_as_it_is_parsed():
    """What the verifier accepts without making an entry is what makes one."""
    check_leaf(LEAF)
    assert Entry.parse(LEAF).leaf() == LEAF


SALT = bytes(range(32))


def test_commitment_is_pinned():
    """A commitment is SHA-256(salt, entry id, path, NUL, canonical value) for ever."""
    expected = hashlib.sha256(SALT + ID.bytes + b"body.subject" + b"\0" + b'{"a":1,"b":[]}').hexdigest()
    assert commit(SALT, ID, "body.subject", {"b": [], "a": 1}) == expected


def test_commitment_opens_to_its_own_parts_only():
    """A commitment opens with its salt, entry, path and value, and with nothing else."""
    made = commit(SALT, ID, "body.x", "value")
    open_commitment(made, SALT, ID, "body.x", "value")
    for other in (
        (bytes(32), ID, "body.x", "value"),
        (SALT, UUID(int=1), "body.x", "value"),
        (SALT, ID, "body.y", "value"),
        (SALT, ID, "body.x", "valuE"),
    ):
        with pytest.raises(CommitmentError):
            open_commitment(made, *other)


def test_commitment_parts_cannot_run_into_each_other():
    """Salts of another length and paths with a NUL are refused, so that no two openings share their bytes."""
    with pytest.raises(EntryError, match="salt"):
        commit(SALT[:-1], ID, "x", 1)
    with pytest.raises(EntryError, match="path"):
        commit(SALT, ID, "x\0", 1)


def test_canonical_sorts_and_escapes():
    """Keys are sorted, and characters escaped, as RFC 8785 §3.2 says."""
    value = {"b": '\u20ac$\u000f\nA\'B"\\\\"/\x7f', "a": [], "B": {}, "": False}
    assert canonical(value) == '{"":false,"B":{},"a":[],"b":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"}'.encode()
