"""Proofs that lead to the right root by the wrong way; found by mutation (tests/mutation.py)."""

import pytest

from audit.errors import ProofError
from audit.merkle import (
    Frontier,
    appended_nodes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([number])) for number in range(4)]
NODES = appended_nodes(Frontier(), LEAVES)
STRANGE = leaf_hash(b"strange")


def read(ids):
    return [NODES[node] for node in ids]


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_no_inclusion_proof_is_made_of_what_is_not_inside(index):
    """A leaf before the first or after the last has no audit path."""
    with pytest.raises(ProofError, match="not inside"):
        inclusion_proof(index, 3, read)


@pytest.mark.parametrize("sizes", [(0, 3), (-1, 3), (4, 3)])
def test_no_consistency_proof_is_made_between_other_sizes(sizes):
    """Nothing is consistent with the empty tree, nor a tree with a smaller one."""
    with pytest.raises(ProofError, match="sizes"):
        consistency_proof(*sizes, read)


def test_a_leaf_before_the_first_is_not_included():
    """Index -1 is no place, although the lone leaf's hash is the root."""
    with pytest.raises(ProofError, match="not inside"):
        verify_inclusion(LEAVES[0], -1, 1, [], LEAVES[0])


def test_a_longer_path_does_not_prove_inclusion_in_a_smaller_tree():
    """A leaf of the tree of two is not proven to be the only leaf of a tree of one under the same root."""
    with pytest.raises(ProofError, match="too long"):
        verify_inclusion(LEAVES[1], 0, 1, [LEAVES[0]], root(2, read))


def test_a_longer_path_does_not_prove_consistency():
    """Two roots lifted by one further node are not the roots of trees of these sizes."""
    proof = [*consistency_proof(3, 4, read), STRANGE]
    lifted = [node_hash(STRANGE, root(size, read)) for size in (3, 4)]
    with pytest.raises(ProofError, match="too long"):
        verify_consistency(3, 4, *lifted, proof)
