"""Witnesses' cosignatures, and the quorum of them that a trust file asks for."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from audit_samples import exported, log_of, signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import NoteVerifier, open_note
from audit.cosignature import Cosignature, Cosigner, WitnessVerifier, open_cosigned
from audit.errors import ExportError, NoteError, TrustError
from audit.trust import Trust
from audit.verify import verify_export

NOTE = log_of(5).checkpoint()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def witness(number: int = 1, name: str | None = None) -> Cosigner:
    private = Ed25519PrivateKey.from_private_bytes(bytes([100 + number]) * 32)
    return Cosigner(name or f"partner{number}.example/witness", private)


def opened(note: bytes, *witnesses: Cosigner, quorum: int = 0):
    return open_cosigned(note, signer().verifier, [each.verifier for each in witnesses], quorum)


def test_a_cosignature_names_its_witness_and_time():
    """Who cosigned, and when, to the second."""
    checkpoint, by = opened(NOTE + witness().cosign(NOTE, NOON), witness(), quorum=1)
    assert checkpoint.size == 5
    assert by == (Cosignature(witness().verifier, NOON),)


def test_the_signed_bytes_are_those_of_tlog_cosignature():
    """A header line, a time line, then the note's text: c2sp.org/tlog-cosignature, made here by hand."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([101]) * 32)
    text = NOTE.partition(b"\n\n")[0] + b"\n"
    seconds = int(NOON.timestamp())
    signature = private.sign(b"cosignature/v1\ntime %d\n" % seconds + text)
    verifier = witness().verifier
    blob = base64.b64encode(verifier.key_id + seconds.to_bytes(8, "big") + signature).decode()
    assert witness().cosign(NOTE, NOON) == f"— {verifier.name} {blob}\n".encode()


def test_vkeys_of_witnesses_and_logs_are_told_apart():
    """A witness key's text form has type 0x04, and neither kind parses as the other."""
    vkey = witness().verifier.vkey
    assert WitnessVerifier.parse(vkey) == witness().verifier
    assert base64.b64decode(vkey.split("+", 2)[2])[:1] == b"\x04"
    for kind, text in ((NoteVerifier, vkey), (WitnessVerifier, signer().verifier.vkey)):
        with pytest.raises(NoteError, match="not a key of type"):
            kind.parse(text)


def test_too_few_witnesses_fail():
    """A quorum counts distinct trusted witnesses: strangers and repetitions don't add to it."""
    one = NOTE + witness(1).cosign(NOTE, NOON)
    again = one + witness(1).cosign(NOTE, NOON + timedelta(hours=1))
    stranger = one + witness(3).cosign(NOTE, NOON)
    for note in (one, again, stranger):
        with pytest.raises(NoteError, match="1 of the trusted witnesses cosigned this, 2 are asked for"):
            opened(note, witness(1), witness(2), quorum=2)
    _, by = opened(again, witness(1))
    assert [each.at for each in by] == [NOON + timedelta(hours=1)]
    _, both = opened(one + witness(2).cosign(NOTE, NOON), witness(1), witness(2), quorum=2)
    assert len(both) == 2


def test_a_cosignature_of_another_checkpoint_fails():
    """A cosignature moved to another note is a wrong signature, not a missing one."""
    other = log_of(6).checkpoint()
    with pytest.raises(NoteError, match=r"signature by partner1.example/witness is wrong"):
        opened(other + witness().cosign(NOTE, NOON), witness())


@pytest.mark.parametrize("at", [0, 7, 8, 71])
def test_every_byte_of_a_cosignature_counts(at):
    """A flipped bit in the time or the signature fails; so does a shortened one."""
    line = witness().cosign(NOTE, NOON)
    blob = bytearray(base64.b64decode(line.split()[-1]))
    blob[4 + at] ^= 1
    name = line.rpartition(b" ")[0]
    for bad in (bytes(blob), bytes(blob)[:-1]):
        with pytest.raises(NoteError):
            opened(NOTE + name + b" " + base64.b64encode(bad) + b"\n", witness())


def test_a_cosignature_is_no_log_signature():
    """Only the log's own key makes a checkpoint; a witness' line alone opens nothing."""
    text = NOTE.partition(b"\n\n")[0] + b"\n\n"
    cosigned = text + witness().cosign(NOTE, NOON)
    with pytest.raises(NoteError, match="no trusted key"):
        opened(cosigned, witness())
    with pytest.raises(NoteError):
        open_note(cosigned, [NoteVerifier(witness().verifier.name, witness().verifier.key)])


def test_only_checkpoints_are_cosigned():
    """Other notes are not."""
    with pytest.raises(NoteError):
        witness().cosign(signer().sign("not a checkpoint\n"), NOON)


def test_a_trust_file_with_witnesses_round_trips():
    """Keys and quorum come back as they were written."""
    trust = Trust(signer().verifier, (witness(1).verifier, witness(2).verifier), 1)
    assert Trust.parse(json.dumps(trust.to_json()).encode()) == trust


@pytest.mark.parametrize(
    ("witnesses", "quorum", "reason"),
    [
        ((witness(1), witness(1)), 1, "names a witness twice"),
        ((witness(1), witness(1, "another.example/name")), 2, "one key"),
        ((witness(1),), 2, "quorum"),
        ((witness(1),), -1, "quorum"),
    ],
)
def test_a_trust_file_that_would_count_wrongly_is_refused(witnesses, quorum, reason):
    """One witness can't count twice, and a quorum must be reachable."""
    with pytest.raises(TrustError, match=reason):
        Trust(signer().verifier, tuple(each.verifier for each in witnesses), quorum)


def test_an_export_needs_the_quorum():
    """An export whose checkpoint too few cosigned fails; with the quorum, the verdict names who saw it."""
    trust = Trust(signer().verifier, (witness().verifier,), 1)
    log = log_of(5)
    plain = exported(log)
    with pytest.raises(ExportError, match="0 of the trusted witnesses"):
        verify_export(io.BytesIO(plain), trust)
    note = log.checkpoint()
    cosigned = note + witness().cosign(note, NOON)
    data = plain.replace(b"checkpoint 5\n" + note, b"checkpoint %d\n" % cosigned.count(b"\n") + cosigned, 1)
    told = str(verify_export(io.BytesIO(data), trust))
    assert "partner1.example/witness saw this same log on 2026-11-22 at 12:00 UTC" in told
