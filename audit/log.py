"""The log: entries in, signed tree heads and proofs out."""

import hmac
from collections.abc import Iterator, Sequence
from typing import Final

from audit.checkpoint import Checkpoint, NoteSigner, NoteVerifier, open_checkpoint
from audit.entry import Entry
from audit.errors import EntryError, ProofError, StoreError
from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    appended_nodes,
    complete_subtrees,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from audit.store import Store

BATCH: Final = 1024


class Log:
    """An append-only log over a store. The signer's name is the log's origin."""

    def __init__(self, store: Store, signer: NoteSigner) -> None:
        self._store = store
        self._signer = signer

    @property
    def verifier(self) -> NoteVerifier:
        """The key that signs its checkpoints."""
        return self._signer.verifier

    def append(self, entries: Sequence[Entry]) -> int:
        """Append a batch; the index of its first entry. One lock, one write, one signature.

        Before it signs anything new, it checks that the store still holds what was signed last.

        Raises:
            EntryError: there is nothing to append.
            StoreError, NoteError: the store is damaged or was altered, or can't be written.
        """
        leaves = [entry.leaf() for entry in entries]
        if not leaves:
            raise EntryError("nothing to append")
        self._store.lock()
        start = self._store.size()
        frontier = self._checked_frontier(start)
        nodes = appended_nodes(frontier, map(leaf_hash, leaves))
        self._store.write(start, leaves, nodes, self._signed(frontier.size, frontier.root()))
        return start

    def size(self) -> int:
        return self._store.size()

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint; of an empty log, one of size 0 that is not stored."""
        return self._store.checkpoint() or self._signed(0, EMPTY_ROOT)

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Raw leaf bytes of [start, stop)."""
        return self._store.leaves(start, stop)

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """The hashes of [start, stop) as they were stored with the leaves, not worked out again."""
        for first in range(start, stop, BATCH):
            yield from self._store.nodes([(0, index) for index in range(first, min(first + BATCH, stop))])

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """RFC 9162 §2.1.3.1 proof of entry `index` in the first `size`. Raise ProofError otherwise."""
        self._check_size(size)
        return inclusion_proof(index, size, self._store.nodes)

    def consistency(self, size1: int, size2: int) -> list[bytes]:
        """RFC 9162 §2.1.4.1 proof between two sizes, 0 < size1 <= size2. Raise ProofError otherwise."""
        self._check_size(size2)
        return consistency_proof(size1, size2, self._store.nodes)

    def _check_size(self, size: int) -> None:
        if size > self.size():
            raise ProofError("the log is not that long")

    def _checked_frontier(self, size: int) -> Frontier:
        note = self._store.checkpoint()
        frontier = Frontier(size, self._store.nodes(complete_subtrees(0, size)))
        if note is None and size == 0:
            return frontier
        if note is None:
            raise StoreError("the store has leaves without a checkpoint")
        signed = open_checkpoint(note, self._signer.verifier)
        if signed.size != size or not hmac.compare_digest(signed.root, frontier.root()):
            raise StoreError("the store does not hold what the last checkpoint signed")
        return frontier

    def _signed(self, size: int, root: bytes) -> bytes:
        return self._signer.sign(Checkpoint(self._signer.name, size, root).text)
