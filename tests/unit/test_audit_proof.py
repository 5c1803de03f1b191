"""C2SP tlog-proof: written, parsed strictly, verified."""

import pytest
from audit_samples import START, entry, log_of, signer, trust
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.cosignature import Cosigner
from audit.errors import AuditError, NoteError, ProofError
from audit.proof import LogProof
from audit.trust import Trust

LOG = log_of(37)


def proof(index, log=LOG):
    return LogProof(index, tuple(log.inclusion(index, log.size())), log.checkpoint())


@given(st.integers(0, 36))
def test_each_entry_is_proved(index):
    """What is written parses to itself and proves its entry."""
    text = proof(index).text
    again = LogProof.parse(text)
    assert again == proof(index)
    checkpoint, cosigned = again.verify(entry(index).leaf(), trust())
    assert (checkpoint.size, cosigned) == (37, ())


def test_the_text_is_that_of_the_spec():
    """Header, index, hashes in base64, an empty line, the checkpoint verbatim."""
    lines = proof(5).text.split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 5"]
    assert lines[2 + 6] == ""  # the tree is 6 high there
    assert "\n".join(lines[9:]).encode() == LOG.checkpoint()


def test_a_tree_of_one_entry_needs_no_hash():
    """The empty line follows the index at once."""
    alone = log_of(1)
    text = proof(0, alone).text
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 0\n\nflagstone.example/council\n1\n")
    LogProof.parse(text).verify(entry(0).leaf(), trust())


@given(st.integers(0, 10_000), st.integers(1, 127))
def test_any_altered_byte_is_found(place, flip):
    """No byte of a proof can be altered unseen."""
    data = bytearray(proof(20).text.encode())
    data[place % len(data)] ^= flip
    with pytest.raises((AuditError, UnicodeDecodeError)):
        LogProof.parse(data.decode()).verify(entry(20).leaf(), trust())


def test_another_leaf_or_log_is_not_proven():
    """The proof is of one leaf in one log."""
    with pytest.raises(ProofError):
        proof(3).verify(entry(4).leaf(), trust())
    with pytest.raises(NoteError):
        proof(3).verify(entry(3).leaf(), trust(signer(2)))


def test_the_quorum_counts():
    """A proof without the cosignatures that the trust file asks for is refused; with them it says who."""
    witness = Cosigner("witness.example", Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32))
    strict = Trust(signer().verifier, (witness.verifier,), 1)
    with pytest.raises(NoteError, match="0 of the trusted witnesses"):
        proof(3).verify(entry(3).leaf(), strict)
    note = LOG.checkpoint() + witness.cosign(LOG.checkpoint(), START)
    cosigned = LogProof(3, proof(3).path, note).verify(entry(3).leaf(), strict)[1]
    assert [each.witness.name for each in cosigned] == ["witness.example"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("proof@v1", "proof@v2"), "not a"),
        (("index 5", "extra AAAA\nindex 5"), "extra"),
        (("index 5", "index 05"), "index"),
        (("index 5", "index -5"), "index"),
        (("index 5", "index 99999999999999999"), "index"),
        (("index 5\n", ""), "index"),
        (("index 5\n", "index 5\nAAAA\n"), "base64"),
        (("index 5\n", "index 5\n" + 65 * ("A" * 43 + "=\n")), "more hashes"),
        (("index 5\n", "index 5\n" + "A" * 200_000 + "\n"), "too long"),
        (("— flagstone", "— \ud800flagstone"), "UTF-8"),
        (("\n\n", "\n"), "not a"),
        (("\n", "\r\n"), "not a"),
    ],
)
def test_what_is_not_a_proof_is_refused(change, reason):
    """Each malformed text is refused with a reason; extra data too, for nothing authenticates them."""
    text = proof(5).text.replace(*change)
    with pytest.raises(ProofError, match=reason):
        LogProof.parse(text)


def test_a_note_that_is_not_text_has_no_proof_text():
    """What is not UTF-8 can't be written."""
    with pytest.raises(ProofError, match="UTF-8"):
        LogProof(0, (), b"\xff").text  # noqa: B018 - the property raises
