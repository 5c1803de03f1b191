"""The log: entries in, signed tree heads and proofs out."""

import hmac
from collections.abc import Iterator, Sequence
from typing import Final

from audit.checkpoint import Checkpoint, NoteVerifier, Signer, open_checkpoint
from audit.entry import Entry
from audit.errors import EntryError, ProofError, StoreError
from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    appended_nodes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from audit.store import EMPTY, Head, Store

BATCH: Final = 1024


class Log:
    """An append-only log over a store. The signer's name is the log's origin.

    `head` is what it last signed or checked, handed on to spare the next one a question; a store that is
    somewhere else takes nothing on its word.
    """

    def __init__(self, store: Store, signer: Signer, head: Head | None = None) -> None:
        self._store = store
        self._signer = signer
        self.head = head

    @property
    def verifier(self) -> NoteVerifier:
        """The key that signs its checkpoints, with those it took the place of."""
        return self._signer.verifier

    def append(self, entries: Sequence[Entry]) -> int:
        """Append a batch; the index of its first entry. One signature, and one write unless others wrote.

        It goes on from what was signed last, and the store takes it only if it holds exactly that.

        Raises:
            EntryError: there is nothing to append.
            StoreError, NoteError: the store is damaged or was altered, or can't be written.
        """
        leaves = [entry.leaf() for entry in entries]
        if not leaves:
            raise EntryError("nothing to append")
        start = self.head or self._checked(self._store.head())
        present = self._write(start, leaves)
        if present:
            start = self._checked(present)
            if self._write(start, leaves):
                raise StoreError("the store changed while it was kept from others")
        return start.size

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

    def _write(self, start: Head, leaves: Sequence[bytes]) -> Head | None:
        """None when written, else where the store is."""
        frontier = Frontier(start.size, start.subtrees)
        nodes = appended_nodes(frontier, map(leaf_hash, leaves))
        note = self._signed(frontier.size, frontier.root())
        present = self._store.write(start, leaves, nodes, note)
        if present is None:
            self.head = Head(frontier.size, frontier.hashes(), note)
        return present

    def _checked(self, present: Head) -> Head:
        """What the store holds, if the last checkpoint signed it and it is no older than what we know."""
        known = self.head or EMPTY
        if present.size < known.size or (present.size == known.size and present.subtrees != known.subtrees):
            raise StoreError("the store holds less than it did, or another log")
        if present == EMPTY:
            return present
        if present.checkpoint is None:
            raise StoreError("the store has leaves without a checkpoint")
        signed = open_checkpoint(present.checkpoint, self._signer.verifier)
        root = Frontier(present.size, present.subtrees).root()
        if signed.size != present.size or not hmac.compare_digest(signed.root, root):
            raise StoreError("the store does not hold what the last checkpoint signed")
        return present

    def _signed(self, size: int, root: bytes) -> bytes:
        return self._signer.sign(Checkpoint(self.verifier.name, size, root).text)
