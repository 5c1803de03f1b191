"""Others' vectors, must-fail ones included. Provenance: tests/vectors/README.md."""

import base64
import json
from pathlib import Path

import pytest
from subtrees import verify_subtree_consistency, verify_subtree_inclusion

from audit.checkpoint import NoteSigner, NoteVerifier, open_note
from audit.entry import canonical
from audit.errors import EntryError, NoteError, ProofError
from audit.merkle import verify_consistency, verify_inclusion

VECTORS = Path(__file__).parent.parent / "vectors"


def _lines(name: str):
    return [json.loads(line) for line in (VECTORS / name).read_text(encoding="utf-8").splitlines()]


def _merkle(folder: str):
    return [pytest.param(line["vector"], id=line["file"]) for line in _lines(f"merkle/{folder}.jsonl")]


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _proof(vector) -> list[bytes]:
    return [_bytes(node) for node in vector["proof"] or []]


def _expect(vector, verify) -> None:
    if vector["wantErr"]:
        with pytest.raises(ProofError):
            verify()
    else:
        verify()


@pytest.mark.parametrize("vector", _merkle("inclusion"))
def test_inclusion_vectors(vector):
    """Every published inclusion probe is judged as its publisher judges it."""
    root, leaf = _bytes(vector["root"]), _bytes(vector["leafHash"])
    _expect(
        vector,
        lambda: verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], _proof(vector), root),
    )


@pytest.mark.parametrize("vector", _merkle("consistency"))
def test_consistency_vectors(vector):
    """Every published consistency probe is judged as its publisher judges it."""
    roots = _bytes(vector["root1"]), _bytes(vector["root2"])
    _expect(vector, lambda: verify_consistency(vector["size1"], vector["size2"], *roots, _proof(vector)))


@pytest.mark.parametrize("vector", _merkle("subtreeinclusion"))
def test_subtree_inclusion_vectors(vector):
    """Every published inclusion probe in a subtree is judged as published; by ours, those from leaf 0."""
    leaf, proof, root = _bytes(vector["leafHash"]), _proof(vector), _bytes(vector["root"])
    start, end, index = vector["start"], vector["end"], vector["leafIdx"]
    _expect(vector, lambda: verify_subtree_inclusion(leaf, index, start, end, proof, root))
    if start == 0:
        _expect(vector, lambda: verify_inclusion(leaf, index, end, proof, root))


@pytest.mark.parametrize("vector", _merkle("subtreeconsistency"))
def test_subtree_consistency_vectors(vector):
    """Every published subtree consistency probe is judged as published; by ours, those from leaf 0."""
    subtree, root, proof = _bytes(vector["root1"]), _bytes(vector["root2"]), _proof(vector)
    start, end, size = vector["start"], vector["end"], vector["size"]
    _expect(vector, lambda: verify_subtree_consistency(start, end, size, subtree, root, proof))
    if start == 0 < end:
        _expect(vector, lambda: verify_consistency(end, size, subtree, root, proof))


@pytest.mark.parametrize("vector", _merkle("consistency"))
def test_consistency_vectors_by_another_algorithm(vector):
    """A tree that is not empty is a subtree: the draft's algorithm judges RFC 9162's probes as ours does."""
    roots = _bytes(vector["root1"]), _bytes(vector["root2"])
    sizes = vector["size1"], vector["size2"]
    if sizes[0]:
        _expect(vector, lambda: verify_subtree_consistency(0, *sizes, *roots, _proof(vector)))


@pytest.mark.parametrize(
    ("folder", "files", "failing"),
    [
        ("inclusion", 98, 92),
        ("consistency", 98, 92),
        ("subtreeinclusion", 204, 192),
        ("subtreeconsistency", 118, 106),
    ],
)
def test_all_published_merkle_vectors_are_here(folder, files, failing):
    """As many files as their publisher has at the commit named, and as many that must fail."""
    lines = _lines(f"merkle/{folder}.jsonl")
    assert len({line["file"] for line in lines}) == len(lines) == files
    assert sum(line["vector"]["wantErr"] for line in lines) == failing


def test_all_published_jcs_vectors_are_here():
    """The six files of each of their publisher's three folders."""
    lines = _lines("jcs/testdata.jsonl")
    assert {line["file"] for line in lines} == {"unicode.json", *OUTSIDE}
    assert all(line["input"] and line["output"] and line["outhex"] for line in lines)


OUTSIDE = {
    "arrays.json": "NoneType",
    "french.json": "a key that is not ASCII",
    "structures.json": "float",
    "values.json": "float",
    "weird.json": "a key that is not ASCII",
}
"""JCS vectors outside the subset of entries, with the reason that the encoder must give."""


def test_jcs_vectors_inside_the_subset():
    """A JCS vector of strings and ASCII keys is written as published; only unicode.json is one whole."""
    inside = [line for line in _lines("jcs/testdata.jsonl") if line["file"] not in OUTSIDE]
    assert [line["file"] for line in inside] == ["unicode.json"]
    for line in inside:
        assert canonical(json.loads(line["input"])) == bytes.fromhex(line["outhex"])


@pytest.mark.parametrize("name", OUTSIDE)
def test_jcs_vectors_outside_the_subset_are_refused(name):
    """A JCS vector with null, a float or a non-ASCII key is refused, and the error says which it was."""
    (line,) = [line for line in _lines("jcs/testdata.jsonl") if line["file"] == name]
    with pytest.raises(EntryError, match=OUTSIDE[name]):
        canonical(json.loads(line["input"]))


def _subset(value):
    """The part of a JCS vector that the subset can hold, numbers that are whole as integers."""
    if isinstance(value, dict):
        return {
            key: kept for key, item in value.items() if key.isascii() and (kept := _subset(item)) is not None
        }
    if isinstance(value, list):
        return [kept for item in value if (kept := _subset(item)) is not None]
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else None
    return value


@pytest.mark.parametrize("line", _lines("jcs/testdata.jsonl"), ids=lambda line: line["file"])
def test_the_subset_of_every_jcs_vector(line):
    """What a JCS vector leaves without null, fractions and non-ASCII keys is written as published."""
    published = json.loads(line["output"])
    assert canonical(_subset(json.loads(line["input"]))) == canonical(_subset(published))
    for text in _ascii_members(published):
        assert text in bytes.fromhex(line["outhex"])


def _ascii_members(value):
    """`"key":"string"` as bytes, for each member with an ASCII key and a string."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key.isascii() and isinstance(item, str):
                yield canonical(key) + b":" + canonical(item)
            yield from _ascii_members(item)
    if isinstance(value, list):
        for item in value:
            yield from _ascii_members(item)


NEUMANN = NoteVerifier.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
"""The example of the Go package golang.org/x/mod/sumdb/note, which c2sp.org/signed-note describes."""


def test_published_note_opens():
    """The published example note opens with its published key."""
    assert open_note(NOTE, [NEUMANN]).startswith("If you think cryptography")


def test_published_note_is_what_we_sign():
    """Signing the published text with the published private key writes the published note byte for byte."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
    signer = NoteSigner("PeterNeumann", Ed25519PrivateKey.from_private_bytes(seed))
    text = open_note(NOTE, [NEUMANN])
    assert signer.verifier == NEUMANN
    assert signer.sign(text) == NOTE


def test_altered_published_note_is_refused():
    """Any changed bit of the published example note makes it fail."""
    for place in range(len(NOTE)):
        altered = NOTE[:place] + bytes([NOTE[place] ^ 1]) + NOTE[place + 1 :]
        with pytest.raises(NoteError):
            open_note(altered, [NEUMANN])
