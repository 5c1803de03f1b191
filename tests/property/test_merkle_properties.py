"""Merkle trees: what holds for every size, against the recursive definition of RFC 9162 §2.1.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ProofError
from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    appended_nodes,
    complete_subtrees,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

MOST = 300
HASHES = [leaf_hash(number.to_bytes(2, "big")) for number in range(MOST)]
NODES = appended_nodes(Frontier(), HASHES)


def read(ids):
    return [NODES[node] for node in ids]


def defined_root(hashes):
    """The definition: split at the largest power of two smaller than the length."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(defined_root(hashes[:split]), defined_root(hashes[split:]))


ROOTS = [defined_root(HASHES[:size]) for size in range(MOST + 1)]

sizes = st.integers(1, MOST)


@st.composite
def leaf_and_size(draw):
    size = draw(sizes)
    return draw(st.integers(0, size - 1)), size


@st.composite
def two_sizes(draw):
    size2 = draw(sizes)
    return draw(st.integers(1, size2)), size2


def test_roots_are_those_of_the_definition():
    """The root from stored nodes and the root of a frontier are the recursive definition's, at every size."""
    frontier = Frontier()
    for size in range(MOST + 1):
        assert root(size, read) == frontier.root() == ROOTS[size]
        if size < MOST:
            frontier.add(HASHES[size])


@given(two_sizes())
def test_a_resumed_frontier_goes_on_alike(pair):
    """Appending in two batches completes the same nodes and gives the same root as in one."""
    first, size = pair
    resumed = Frontier(first, read(complete_subtrees(0, first)))
    assert Frontier(first, resumed.hashes()).root() == resumed.root()
    assert list(resumed.hashes()) == list(read(complete_subtrees(0, first)))
    completed = appended_nodes(resumed, HASHES[first:size])
    assert resumed.root() == ROOTS[size]
    assert all(NODES[node] == hashed for node, hashed in completed.items())
    assert len(completed) == 2 * size - size.bit_count() - (2 * first - first.bit_count())


def test_a_frontier_needs_all_its_subtrees():
    """A frontier resumed with another number of hashes than its size asks for is refused."""
    with pytest.raises(ProofError):
        Frontier(3, HASHES[:1])


@given(leaf_and_size())
def test_inclusion_proofs_verify(pair):
    """The proof of any leaf in any tree verifies and is as short as the tree is high."""
    index, size = pair
    proof = inclusion_proof(index, size, read)
    assert len(proof) <= (size - 1).bit_length()
    verify_inclusion(HASHES[index], index, size, proof, ROOTS[size])


@given(two_sizes())
def test_consistency_proofs_verify(pair):
    """The proof between any two sizes verifies."""
    size1, size2 = pair
    verify_consistency(size1, size2, ROOTS[size1], ROOTS[size2], consistency_proof(size1, size2, read))


def _altered(draw, proof):
    """The proof with one hash altered, dropped, doubled or added."""
    place = draw(st.integers(0, len(proof)))
    kinds = ["add"] if place == len(proof) else ["add", "alter", "drop", "double"]
    kind = draw(st.sampled_from(kinds))
    if kind == "add":
        return [*proof[:place], HASHES[0], *proof[place:]]
    if kind == "drop":
        return proof[:place] + proof[place + 1 :]
    if kind == "double":
        return proof[: place + 1] + proof[place:]
    bit = draw(st.integers(0, 255))
    hashed = int.from_bytes(proof[place], "big") ^ (1 << bit)
    return [*proof[:place], hashed.to_bytes(32, "big"), *proof[place + 1 :]]


@given(st.data(), leaf_and_size())
def test_altered_inclusion_proofs_fail(data, pair):
    """A proof with any hash altered, dropped, doubled or added proves nothing."""
    index, size = pair
    proof = _altered(data.draw, inclusion_proof(index, size, read))
    with pytest.raises(ProofError):
        verify_inclusion(HASHES[index], index, size, proof, ROOTS[size])


@given(st.data(), two_sizes())
def test_altered_consistency_proofs_fail(data, pair):
    """A proof with any hash altered, dropped, doubled or added proves nothing."""
    size1, size2 = pair
    proof = _altered(data.draw, consistency_proof(size1, size2, read))
    with pytest.raises(ProofError):
        verify_consistency(size1, size2, ROOTS[size1], ROOTS[size2], proof)


@given(leaf_and_size(), leaf_and_size())
def test_a_proof_proves_its_own_place_only(one, other):
    """A leaf's proof does not show it at another index, nor another leaf at its own."""
    (index, size), (index2, _) = one, other
    if index2 >= size or index2 == index:
        return
    proof = inclusion_proof(index, size, read)
    for hashed, place in ((HASHES[index], index2), (HASHES[index2], index)):
        with pytest.raises(ProofError):
            verify_inclusion(hashed, place, size, proof, ROOTS[size])


@given(two_sizes(), sizes)
def test_a_fork_can_not_be_proven(pair, changed):
    """If any of the first leaves differs, no proof of the log's own leads from the one root to the other."""
    size1, size2 = pair
    if changed > size1:
        return
    forked = [*HASHES[: changed - 1], EMPTY_ROOT, *HASHES[changed:size1]]
    with pytest.raises(ProofError):
        verify_consistency(
            size1, size2, defined_root(forked), ROOTS[size2], consistency_proof(size1, size2, read)
        )


@given(st.binary(max_size=100), st.binary(min_size=32, max_size=32))
def test_leaves_and_nodes_never_hash_alike(left, right):
    """A leaf that spells out two hashes is not the node over them (RFC 9162 §2.1.1's prefixes)."""
    assert leaf_hash(left + right) != node_hash(left, right)
