"""RFC 9162 §2.1 Merkle trees over SHA-256: roots, proofs, and their verification."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from audit.errors import ProofError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()

NodeId: TypeAlias = tuple[int, int]
"""(level, index) of a complete subtree: level 0 are leaf hashes; (l, i) covers leaves [i·2^l, (i+1)·2^l)."""

NodeReader: TypeAlias = Callable[[Sequence[NodeId]], Sequence[bytes]]
"""Gives the hashes of complete subtrees by (level, index); `Store.nodes` is one."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf), RFC 9162 §2.1.1."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


def complete_subtrees(start: int, stop: int) -> list[NodeId]:
    """The fewest complete subtrees that cover the leaves [start, stop), left to right.

    `start` must be a multiple of a power of two that is no smaller than stop - start: so every range that
    RFC 9162 §2.1 hashes is, and then the subtrees shrink from left to right.
    """
    ids: list[NodeId] = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        ids.append((level, start >> level))
        start += 1 << level
    return ids


class Frontier:
    """A growing tree, held as the hashes of its complete subtrees only: log2(size) of them."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Resume at `size`, given the hashes of `complete_subtrees(0, size)`."""
        if size.bit_count() != len(hashes):
            raise ProofError(f"a tree of {size} leaves has {size.bit_count()} complete subtrees")
        self.size = size
        self._hashes = list(hashes)

    def add(self, hashed_leaf: bytes) -> list[tuple[NodeId, bytes]]:
        """Add one leaf hash; the nodes that it completes, itself first."""
        node, index = hashed_leaf, self.size
        completed = [((0, index), node)]
        while index & 1:
            node, index = node_hash(self._hashes.pop(), node), index >> 1
            completed.append(((len(completed), index), node))
        self._hashes.append(node)
        self.size += 1
        return completed

    def hashes(self) -> tuple[bytes, ...]:
        """Of `complete_subtrees(0, size)`: what resumes it."""
        return tuple(self._hashes)

    def root(self) -> bytes:
        return _folded(self._hashes)


def appended_nodes(frontier: Frontier, hashed_leaves: Iterable[bytes]) -> dict[NodeId, bytes]:
    """Add the leaf hashes to the frontier; every node completed on the way."""
    return dict(node for hashed in hashed_leaves for node in frontier.add(hashed))


def root(size: int, read: NodeReader) -> bytes:
    """The root of the first `size` leaves."""
    return _folded(read(complete_subtrees(0, size)))


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, RFC 9162 §2.1.3.1.

    Raises:
        ProofError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError("inclusion: the index is not inside the tree")
    ranges = []
    start, stop = 0, size
    while stop - start > 1:
        split = _split(start, stop)
        if index < split:
            ranges.append((split, stop))
            stop = split
        else:
            ranges.append((start, split))
            start = split
    return _hashes_of(reversed(ranges), read)


def consistency_proof(size1: int, size2: int, read: NodeReader) -> list[bytes]:
    """The proof that the first `size1` of `size2` leaves are unchanged, RFC 9162 §2.1.4.1.

    Raises:
        ProofError: the sizes are not 0 < size1 <= size2.
    """
    _check_sizes(size1, size2)
    ranges = []
    start, stop = 0, size2
    while stop != size1:
        split = _split(start, stop)
        if size1 <= split:
            ranges.append((split, stop))
            stop = split
        else:
            ranges.append((start, split))
            start = split
    if start:  # else the verifier starts from root1, which it has
        ranges.append((start, stop))
    return _hashes_of(reversed(ranges), read)


def verify_inclusion(hashed_leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 §2.1.3.2: `hashed_leaf` stands at `index` in the tree of `size` leaves under `root`.

    Raises:
        ProofError: it is not proven.
    """
    if not 0 <= index < size:
        raise ProofError("inclusion: the index is not inside the tree")
    node, *path = _checked([hashed_leaf, *proof])
    fn, sn = index, size - 1
    for step in path:
        if sn == 0:
            raise ProofError("inclusion: the proof is too long")
        if fn & 1 or fn == sn:
            node = node_hash(step, node)
            fn, sn = _above_right_border(fn, sn)
        else:
            node = node_hash(node, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("inclusion: the proof is too short")
    _check_root(node, root, "inclusion")


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 §2.1.4.2: the tree of `size2` leaves under `root2` extends that of `size1` under `root1`.

    Raises:
        ProofError: it is not proven; `size1` = 0 is refused, for an empty tree proves nothing.
    """
    _check_sizes(size1, size2)
    if size1 == size2:
        if proof:
            raise ProofError("consistency: equal sizes need no proof")
        _check_root(root1, root2, "consistency")
        return
    path = _checked([root1, *proof])
    if size1 & (size1 - 1):  # only of a complete subtree the root is a node that the proof needn't repeat
        path = path[1:]
    if not path:
        raise ProofError("consistency: the proof is too short")
    _verify_extension(size1 - 1, size2 - 1, root1, root2, path)


def _verify_extension(fn: int, sn: int, root1: bytes, root2: bytes, path: Sequence[bytes]) -> None:
    """Steps 3 to 6 of RFC 9162 §2.1.4.2, with its names."""
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for step in path[1:]:
        if sn == 0:
            raise ProofError("consistency: the proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(step, fr), node_hash(step, sr)
            fn, sn = _above_right_border(fn, sn)
        else:
            sr = node_hash(sr, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofError("consistency: the proof is too short")
    _check_root(fr, root1, "consistency")
    _check_root(sr, root2, "consistency")


def _above_right_border(fn: int, sn: int) -> tuple[int, int]:
    """Skip the levels at which a node on the right border has no sibling."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _split(start: int, stop: int) -> int:
    """Where RFC 9162 §2.1.1 splits [start, stop): at the largest power of two smaller than its length."""
    return start + (1 << (stop - start - 1).bit_length() - 1)


def _folded(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return EMPTY_ROOT
    node = hashes[-1]
    for left in reversed(hashes[:-1]):
        node = node_hash(left, node)
    return node


def _hashes_of(ranges: Iterable[tuple[int, int]], read: NodeReader) -> list[bytes]:
    """The roots of these ranges, in one read."""
    ids = [complete_subtrees(*span) for span in ranges]
    hashes: Iterator[bytes] = iter(read([node for group in ids for node in group]))
    return [_folded([next(hashes) for _ in group]) for group in ids]


def _check_sizes(size1: int, size2: int) -> None:
    if not 0 < size1 <= size2:
        raise ProofError("consistency: the sizes are not 0 < size1 <= size2")


def _checked(proof: Sequence[bytes]) -> Sequence[bytes]:
    """Hashes of another length would let two different pairs of nodes join to the same bytes."""
    if any(len(node) != HASH_BYTES for node in proof):
        raise ProofError(f"a hash is not {HASH_BYTES} bytes")
    return proof


def _check_root(found: bytes, root: bytes, what: str) -> None:
    if not hmac.compare_digest(found, root):
        raise ProofError(f"{what}: the proof leads to another root")
