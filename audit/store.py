"""Where a log is kept: the Protocol."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

NodeId: TypeAlias = tuple[int, int]
"""(level, index) of a complete subtree: level 0 are leaf hashes; (l, i) covers leaves [i·2^l, (i+1)·2^l)."""


class Store(Protocol):
    """Keeps leaves, nodes and the newest checkpoint. It is not trusted: `Log` checks what it hands out.

    Whoever controls a store can withhold or destroy the log; altering it without being found out also takes
    the log's key.
    """

    def lock(self) -> None:
        """Wait until no other writer is at work, then keep others out until the transaction ends.

        Calling it again inside the same transaction does nothing.
        """

    def size(self) -> int:
        """How many leaves are written."""

    def nodes(self, ids: Sequence[NodeId]) -> list[bytes]:
        """The 32-byte hashes of these nodes, in this order. Raise StoreError when one is missing."""

    def write(
        self, start: int, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> None:
        """Add leaves from index `start`, the nodes that they complete (level 0 included) and the checkpoint.

        Atomic: all of it or nothing. Raise StoreError when `start` is not the present size.
        """

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Raw leaf bytes of [start, stop), in order. Raise StoreError when one is missing."""

    def checkpoint(self) -> bytes | None:
        """The newest signed checkpoint; None before the first write."""
