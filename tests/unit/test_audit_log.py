"""The log over a store in memory."""

import pytest
from audit_samples import MemoryStore, entry, log_of, signer

from audit.checkpoint import open_checkpoint
from audit.entry import Entry
from audit.errors import AuditError, EntryError, NoteError, ProofError, StoreError
from audit.log import Log
from audit.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion


def test_an_empty_log_signs_size_0():
    """Before the first entry there is a checkpoint, of nothing."""
    log = Log(MemoryStore(), signer())
    checkpoint = open_checkpoint(log.checkpoint(), signer().verifier)
    assert (checkpoint.size, checkpoint.root, log.size()) == (0, EMPTY_ROOT, 0)


def test_append_returns_the_first_index():
    """A batch stands in order from the index returned."""
    log = Log(MemoryStore(), signer())
    assert log.append([entry(0), entry(1)]) == 0
    assert log.append([entry(2)]) == 2
    assert [Entry.parse(leaf) for leaf in log.leaves(0, 3)] == [entry(0), entry(1), entry(2)]
    assert list(log.leaf_hashes(0, 3)) == [leaf_hash(entry(number).leaf()) for number in range(3)]


def test_nothing_can_not_be_appended():
    """An empty batch is an error: who thinks it recorded something must have."""
    with pytest.raises(EntryError, match="nothing"):
        log_of(1).append([])


def test_batches_make_no_difference():
    """The checkpoint depends on the entries alone, not on how they were batched."""
    assert log_of(100, 1).checkpoint() == log_of(100, 33).checkpoint() == log_of(100, 100).checkpoint()


def test_every_proof_of_a_log_verifies():
    """Each entry's inclusion, and each older size's consistency, is proven against the signed root."""
    size = 37
    log = log_of(size)
    root = open_checkpoint(log.checkpoint(), signer().verifier).root
    for index, leaf in enumerate(log.leaves(0, size)):
        verify_inclusion(leaf_hash(leaf), index, size, log.inclusion(index, size), root)
    for older in range(1, size + 1):
        then = open_checkpoint(log_of(older).checkpoint(), signer().verifier).root
        verify_consistency(older, size, then, root, log.consistency(older, size))


def test_proofs_beyond_the_log_are_refused():
    """No proof is made of entries or sizes that are not there, nor from an empty tree."""
    log = log_of(5)
    for call in (
        lambda: log.inclusion(5, 5),
        lambda: log.inclusion(-1, 5),
        lambda: log.inclusion(0, 6),
        lambda: log.consistency(0, 5),
        lambda: log.consistency(4, 3),
        lambda: log.consistency(1, 6),
    ):
        with pytest.raises(ProofError):
            call()


def _altered_node(store):
    store.hashes[0, 4] = bytes(32)


def _dropped_leaf(store):
    store.kept.pop()


def _lost_checkpoint(store):
    store.note = None


def _older_checkpoint(store):
    store.note = log_of(4).checkpoint()


def _foreign_checkpoint(store):
    store.note = log_of(5, by=signer(2)).checkpoint()


@pytest.mark.parametrize(
    ("alter", "error"),
    [
        (_altered_node, StoreError),
        (_dropped_leaf, StoreError),
        (_lost_checkpoint, StoreError),
        (_older_checkpoint, StoreError),
        (_foreign_checkpoint, NoteError),
    ],
)
def test_an_altered_store_is_never_signed_again(alter, error):
    """A store that does not hold what was signed last gets no new signature, and nothing is written."""
    store = MemoryStore()
    log = Log(store, signer())
    log.append([entry(number) for number in range(5)])
    alter(store)
    kept, note = list(store.kept), store.note
    with pytest.raises(AuditError) as caught:
        log.append([entry(9)])
    assert isinstance(caught.value, error)
    assert (store.kept, store.note) == (kept, note)
