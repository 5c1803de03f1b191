"""Signed notes and checkpoints."""

import base64

import pytest
from audit_samples import signer

from audit.checkpoint import (
    Checkpoint,
    NoteVerifier,
    open_checkpoint,
    open_note,
    unsafe_read_checkpoint,
)
from audit.errors import NoteError
from audit.merkle import EMPTY_ROOT

CHECKPOINT = Checkpoint("flagstone.example/council", 20852163, EMPTY_ROOT)
NOTE = signer().sign(CHECKPOINT.text)


def test_text_is_that_of_tlog_checkpoint():
    """Origin, size and base64 root stand on a line each."""
    root = base64.b64encode(EMPTY_ROOT).decode()
    assert CHECKPOINT.text == f"flagstone.example/council\n20852163\n{root}\n"


def test_text_round_trips():
    """Parsing a checkpoint's text gives it back, extension lines included."""
    extended = Checkpoint("o p", 0, EMPTY_ROOT, ("one", "two 2"))
    assert Checkpoint.parse(CHECKPOINT.text) == CHECKPOINT
    assert Checkpoint.parse(extended.text) == extended


def test_signed_checkpoint_opens():
    """A checkpoint signed by the log's key opens with it."""
    assert open_checkpoint(NOTE, signer().verifier) == CHECKPOINT
    assert unsafe_read_checkpoint(NOTE) == CHECKPOINT


def test_vkey_round_trips():
    """A key's text form parses to the same key."""
    assert NoteVerifier.parse(signer().verifier.vkey) == signer().verifier


def test_another_key_is_refused():
    """A checkpoint by another key under the same name is signed by nobody we know."""
    with pytest.raises(NoteError, match="no trusted key"):
        open_checkpoint(NOTE, signer(2).verifier)


def test_unknown_signatures_are_ignored():
    """Another's signature beside the known one changes nothing, before or after it."""
    text, line = NOTE.split(b"\n\n")
    other = signer(2, "witness.example/w").sign(CHECKPOINT.text).split(b"\n\n")[1]
    for block in (line + other, other + line):
        assert open_checkpoint(text + b"\n\n" + block, signer().verifier) == CHECKPOINT


def test_a_wrong_signature_by_a_known_key_is_an_error():
    """A known key's wrong signature fails the note, even beside a right one."""
    text, line = NOTE.split(b"\n\n")
    wrong = signer().sign("other\n").split(b"\n\n")[1]
    with pytest.raises(NoteError, match="wrong"):
        open_note(text + b"\n\n" + line + wrong, [signer().verifier])


def test_another_logs_checkpoint_is_refused():
    """A key signs for the log of its own name only."""
    note = signer().sign(Checkpoint("flagstone.example/other", 1, EMPTY_ROOT).text)
    with pytest.raises(NoteError, match="another log"):
        open_checkpoint(note, signer().verifier)


def test_nobody_trusted_opens_nothing():
    """Without verifiers no note opens."""
    with pytest.raises(NoteError, match="no trusted key"):
        open_note(NOTE, [])


@pytest.mark.parametrize("cut", [1, 5, 80, len(NOTE) - 1, len(NOTE)])
def test_cut_notes_are_refused(cut):
    """A note that lost its end is malformed."""
    with pytest.raises(NoteError):
        open_note(NOTE[:-cut], [signer().verifier])


@pytest.mark.parametrize(
    "note",
    [
        b"\xff" + NOTE,
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"\xe2\x80\x94 ", b"- "),
        NOTE.replace(b"council\n2", b"coun\tcil\n2"),
        NOTE[:-1] + b" \n",
        NOTE[:-2] + b"\n",
        NOTE + b"\n",
        NOTE + b"x" * (1 << 17),
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n\xe2\x80\x94  AAAAAAAA\n",
    ],
)
def test_malformed_notes_are_refused(note):
    """Anything but the format of c2sp.org/signed-note is refused."""
    with pytest.raises(NoteError):
        open_note(note, [signer().verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n1\n" + "A" * 44 + "\n",
        "\n1\n" + base64.b64encode(EMPTY_ROOT).decode() + "\n",
        "o\n01\n" + base64.b64encode(EMPTY_ROOT).decode() + "\n",
        "o\n-1\n" + base64.b64encode(EMPTY_ROOT).decode() + "\n",
        "o\n1\n" + base64.b64encode(EMPTY_ROOT).decode(),
        "o\n1\n" + base64.b64encode(EMPTY_ROOT[1:]).decode() + "\n",
        "o\n1\n" + base64.b64encode(EMPTY_ROOT).decode() + "\n\n",
    ],
)
def test_malformed_checkpoints_are_refused(text):
    """Anything but origin, decimal size and a 32-byte root is refused."""
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(),
        signer().verifier.vkey[:-1],
        signer().verifier.vkey.replace("council", "councix"),
        "name+00000000+" + base64.b64encode(b"\x04" + bytes(32)).decode(),
        "a b" + signer().verifier.vkey,
    ],
)
def test_malformed_keys_are_refused(vkey):
    """A key text with another name, id, type or length is refused."""
    with pytest.raises(NoteError):
        NoteVerifier.parse(vkey)


def test_two_spellings_of_one_signature_are_not_accepted():
    """The unused last bits of base64 must be zero, so a signature has one spelling."""
    altered = NOTE[:-3] + bytes([NOTE[-3] + 1]) + NOTE[-2:]
    with pytest.raises(NoteError, match="canonical"):
        open_note(altered, [signer().verifier])
