"""Items: one person proved alone, and nothing told by what stands beside."""

import secrets
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ProofError
from audit.items import MAX_LEAVES, MIN_LEAVES, ItemTree, Sealed, padded, verify_item
from audit.merkle import Frontier, leaf_hash

ENTRY, OTHER = UUID(int=1, version=4), UUID(int=2, version=4)
PATH = "items/person"


def people(count):
    return [{"person_id": f"p{number}", "household_id": f"h{number // 3}"} for number in range(count)]


def tree_of(count):
    sealed = Sealed.shuffled(people(count), secrets.token_bytes)
    return sealed, ItemTree(sealed, ENTRY, PATH)


def place(sealed, person):
    return next(i for i, value in enumerate(sealed.values) if value and value["person_id"] == person)


@given(st.integers(1, 70))
def test_every_item_is_proved_alone(count):
    """Each item's opening and path lead to the root in the entry, and no padding can be opened."""
    sealed, tree = tree_of(count)
    for index, value in enumerate(sealed.values):
        if value is None:
            with pytest.raises(ProofError, match="padding"):
                tree.item(index)
        else:
            verify_item(tree.item(index), ENTRY, PATH, tree.to_json())


@given(st.integers(0, 200))
def test_the_size_tells_no_exact_number(count):
    """The size is the next power of two, 16 at least; every count from 0 to 16 looks the same."""
    size = padded(count)
    assert size == MIN_LEAVES or size // 2 < count <= size
    assert size.bit_count() == 1


def test_the_order_is_not_that_of_the_list():
    """Of two trees over one list the places differ, and so do the roots."""
    sealed = [Sealed.shuffled(people(100), secrets.token_bytes) for _ in range(2)]
    assert sealed[0].values != sealed[1].values
    assert ItemTree(sealed[0], ENTRY, PATH).to_json() != ItemTree(sealed[1], ENTRY, PATH).to_json()


def test_nobody_is_lost_or_doubled_by_the_shuffle():
    """The values of the tree are those that were given, each with a salt of its own."""
    sealed, _ = tree_of(45)
    kept = [value["person_id"] for value in sealed.values if value]
    assert sorted(kept) == sorted(value["person_id"] for value in people(45))
    assert len(set(sealed.salts)) == len(sealed.values) == 64


@pytest.mark.parametrize("what", ["value", "salt", "index", "proof", "entry", "path", "root", "size"])
def test_another_anything_is_not_proven(what):
    """An item with any part exchanged, or for another entry or path, is refused."""
    sealed, tree = tree_of(20)
    item, items = tree.item(place(sealed, "p7")), tree.to_json()
    changed = {
        "value": {"value": {"person_id": "p8", "household_id": "h2"}},
        "salt": {"salt": bytes(32)},
        "index": {"index": item.index ^ 1},
        "proof": {"proof": item.proof[:-1]},
    }
    if what in changed:
        item = replace(item, **changed[what])
    items |= {"root": {"root": "00" * 32}, "size": {"size": 64}}.get(what, {})
    with pytest.raises(ProofError):
        verify_item(item, OTHER if what == "entry" else ENTRY, "items/x" if what == "path" else PATH, items)


@pytest.mark.parametrize(
    "items",
    [
        None,
        "x",
        {},
        {"root": "00" * 32},
        {"root": "00" * 32, "size": 8},
        {"root": "00" * 32, "size": 24},
        {"root": "00" * 32, "size": True},
        {"root": "00" * 32, "size": 2 * MAX_LEAVES},
        {"root": "AA" * 32, "size": 16},
        {"root": "00", "size": 16},
        {"root": 5, "size": 16},
        {"root": "x" * 64, "size": 16},
        {"root": "00" * 32, "size": 16, "more": 1},
    ],
)
def test_an_entry_that_commits_to_no_items_proves_nothing(items):
    """What stands in the entry must be a root and a size that padding makes."""
    sealed, tree = tree_of(20)
    with pytest.raises(ProofError, match="items"):
        verify_item(tree.item(place(sealed, "p7")), ENTRY, PATH, items)


def test_too_many_items_are_refused():
    """Over 2^24 items make no tree."""
    with pytest.raises(ProofError, match="more than"):
        padded(MAX_LEAVES + 1)


def test_the_tree_is_that_of_the_rfc():
    """The root is RFC 9162's over the commitments, worked out here by its definition."""
    sealed, tree = tree_of(16)
    frontier = Frontier()
    from audit.entry import commit

    for salt, value in zip(sealed.salts, sealed.values, strict=True):
        frontier.add(leaf_hash(bytes.fromhex(commit(salt, ENTRY, PATH, value))))
    assert tree.to_json() == {"root": frontier.root().hex(), "size": 16}
