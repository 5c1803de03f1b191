"""Proofs about subtrees, draft-ietf-plants-merkle-tree-certs §4: a tree is the subtree that begins at leaf 0.

Our log has none. They stand here so that every published vector is run, and as another opinion on our own
proofs: this way of walking a proof is not that of `audit.merkle`.
"""

import hmac
from collections.abc import Sequence

from audit.errors import ProofError
from audit.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, verify_inclusion


def verify_subtree_inclusion(
    hashed_leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """§4.3: the proof of a leaf in the subtree is that in a tree of its own."""
    _check_subtree(start, end, end)
    verify_inclusion(hashed_leaf, index - start, end - start, proof, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, subtree: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """§4.4.3, with its names: the subtree [start, end) is part of the tree of `size` leaves under `root`."""
    if any(len(node) != HASH_BYTES for node in proof):
        raise ProofError("a hash is not 32 bytes")
    if start == end <= size:
        _check_empty(subtree, proof)
        return
    _check_subtree(start, end, size)
    fn, sn, tn = start, end - 1, size - 1
    while fn != sn and (sn == tn or sn & 1):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    path = list(proof)
    if fn != sn and not path:
        raise ProofError("too short")
    fr = sr = subtree if fn == sn else path.pop(0)
    for step in path:
        if tn == 0:
            raise ProofError("too long")
        if sn & 1 or sn == tn:
            fr = node_hash(step, fr) if fn < sn else fr
            sr = node_hash(step, sr)
            while not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            sr = node_hash(sr, step)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if tn or not (hmac.compare_digest(fr, subtree) and hmac.compare_digest(sr, root)):
        raise ProofError("another root")


def _check_empty(subtree: bytes, proof: Sequence[bytes]) -> None:
    """An empty subtree is part of every tree, and needs no proof."""
    if proof or subtree != EMPTY_ROOT:
        raise ProofError("not the empty subtree")


def _check_subtree(start: int, end: int, size: int) -> None:
    """§4.1: it begins at a multiple of a power of two that is no smaller than itself."""
    if not 0 <= start < end <= size or start % (1 << (end - start - 1).bit_length()):
        raise ProofError("not a subtree")
