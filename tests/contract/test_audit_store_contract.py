"""The contract of `audit.store.Store`, held against memory, the fake, the file store and PostgreSQL alike."""

from dataclasses import replace

import pytest
from audit_samples import entry, signer
from audit_stores import KINDS, append, check, place

from audit.checkpoint import Checkpoint
from audit.errors import StoreError
from audit.log import Log
from audit.merkle import Frontier, appended_nodes, complete_subtrees, leaf_hash
from audit.store import EMPTY, Head


@pytest.fixture(params=[pytest.param(k, marks=[pytest.mark.postgres] * (k == "postgres")) for k in KINDS])
def log_place(request):
    return place(request.param, request)


def next_write(after, count):
    """What adds that many entries: leaves, nodes and checkpoint; and where the log is then."""
    frontier = Frontier(after.size, after.subtrees)
    leaves = [entry(number).leaf() for number in range(after.size, after.size + count)]
    nodes = appended_nodes(frontier, map(leaf_hash, leaves))
    note = signer().sign(Checkpoint(signer().name, frontier.size, frontier.root()).text)
    return (leaves, nodes, note), Head(frontier.size, frontier.hashes(), note)


def test_a_new_store_is_empty(log_place):
    """Before the first write there are no leaves, no nodes and no checkpoint."""
    with log_place.begin() as store:
        assert (store.size(), store.checkpoint(), store.nodes([]), store.head()) == (0, None, [], EMPTY)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 3), (7, 1, 8, 100)])
def test_what_is_written_is_there(log_place, sizes):
    """After each write, of any number, leaves, nodes, checkpoint and head are those that were written."""
    head, all_nodes = EMPTY, {}
    for count in sizes:
        (leaves, nodes, note), then = next_write(head, count)
        all_nodes |= nodes
        with log_place.begin() as store:
            assert store.write(head, leaves, nodes, note) is None
        with log_place.begin() as store:
            assert store.head() == then
            assert (store.size(), store.checkpoint()) == (then.size, note)
            assert list(store.leaves(head.size, then.size)) == leaves
            assert store.nodes(list(all_nodes)) == list(all_nodes.values())
            assert tuple(store.nodes(complete_subtrees(0, then.size))) == then.subtrees
        head = then


@pytest.mark.parametrize(
    "other",
    [
        lambda head: EMPTY,
        lambda head: replace(head, size=head.size - 1),
        lambda head: replace(head, subtrees=(bytes(32), *head.subtrees[1:])),
        lambda head: replace(head, checkpoint=head.checkpoint + b"\n"),
        lambda head: replace(head, checkpoint=None),
    ],
)
def test_a_write_after_anything_else_is_not_made(log_place, other):
    """A write after another size, hash or checkpoint changes nothing, and is told the true ones.

    In the same transaction, the write after these goes through.
    """
    head = append(log_place, 5)
    write, then = next_write(head, 2)
    with log_place.begin() as store:
        assert store.write(other(head), *write) == head
        assert (store.size(), store.checkpoint()) == (5, head.checkpoint)
        assert store.write(head, *write) is None
    with log_place.begin() as store:
        assert store.head() == then
    check(log_place, 7)


def test_two_logs_that_remember_go_on_from_each_other(log_place):
    """Writers in turn, each remembering where it left the log itself, make one log."""
    heads = [None, None]
    for turn in range(6):
        heads[turn % 2] = append(log_place, turn + 1, heads[turn % 2])
        check(log_place, sum(range(turn + 2)))


def test_a_store_that_was_rolled_back_is_not_signed_again(log_place):
    """A log that remembers entries the store lacks refuses to append: the store has been rolled back."""
    append(log_place, 3)
    _, ahead = next_write(append(log_place, 2), 1)
    with log_place.begin() as store, pytest.raises(StoreError, match="less than it did"):
        Log(store, signer(), ahead).append([entry(5)])
    check(log_place, 5)


def test_another_log_of_the_same_size_is_not_signed(log_place):
    """A store that holds other entries than those remembered, as many of them, gets no signature."""
    head = append(log_place, 4)
    forked = replace(head, subtrees=(bytes(32),))
    with log_place.begin() as store, pytest.raises(StoreError, match="another log"):
        Log(store, signer(), forked).append([entry(4)])
    check(log_place, 4)
