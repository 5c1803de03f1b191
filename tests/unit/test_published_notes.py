"""Others' signed notes, checkpoints, cosignatures and keys. Provenance: tests/vectors/README.md."""

import base64
import json
from datetime import datetime
from pathlib import Path

import pytest

from audit.checkpoint import Checkpoint, NoteVerifier, open_note
from audit.cosignature import WitnessVerifier, open_cosigned
from audit.errors import NoteError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/notes/notes.json").read_text(encoding="utf-8"))
COSIGNED = VECTORS["cosigned"]
NOTE = COSIGNED["note"].encode()
LOG = NoteVerifier.parse(COSIGNED["log"])
WITNESSES = [WitnessVerifier.parse(vkey) for vkey in COSIGNED["witnesses"]]


def test_a_real_checkpoint_opens_with_four_real_cosignatures():
    """A public log's checkpoint opens with its key, and all four public witnesses' cosignatures hold."""
    checkpoint, cosigned = open_cosigned(NOTE, LOG, WITNESSES, quorum=4)
    assert checkpoint.size == 1_432_088_532
    assert {each.witness for each in cosigned} == set(WITNESSES)
    assert {each.at for each in cosigned} == {datetime.fromisoformat(COSIGNED["time"])}


@pytest.mark.parametrize("place", range(len(COSIGNED["note"].partition("\n\n")[0])))
def test_an_altered_real_checkpoint_is_refused(place):
    """Whichever character of its text is changed, it opens no more."""
    altered = NOTE[:place] + bytes([NOTE[place] ^ 1]) + NOTE[place + 1 :]
    with pytest.raises(NoteError):
        open_cosigned(altered, LOG, WITNESSES)


@pytest.mark.parametrize("witness", WITNESSES, ids=lambda witness: witness.name)
def test_an_altered_real_cosignature_is_refused(witness):
    """A bit of a witness' time or signature changed fails the note, though the other three hold."""
    line = next(line for line in NOTE.split(b"\n") if witness.name.encode() in line)
    mark, name, blob = line.split(b" ")
    for place in (4, 11, 12, 75):
        data = bytearray(base64.b64decode(blob))
        data[place] ^= 1
        altered = b" ".join([mark, name, base64.b64encode(data)])
        with pytest.raises(NoteError, match=r"is wrong|beyond the year"):
            open_cosigned(NOTE.replace(line, altered), LOG, WITNESSES)


def test_real_cosignatures_are_no_signatures_of_the_log():
    """A witness' key of the same bytes, taken for a log's, signed nothing: the type is part of the key id."""
    for witness in WITNESSES:
        with pytest.raises(NoteError, match="no trusted key"):
            open_note(NOTE, [NoteVerifier(witness.name, witness.key)])


@pytest.mark.parametrize("vector", VECTORS["signed"])
def test_published_notes_open(vector):
    """A published note opens with its published key, and with a changed text does not."""
    verifier = NoteVerifier.parse(vector["vkey"])
    text = vector["note"].partition("\n\n")[0] + "\n"
    assert open_note(vector["note"].encode(), [verifier]) == text
    with pytest.raises(NoteError, match="is wrong"):
        open_note(vector["note"].replace("example message", "exemplary message").encode(), [verifier])


@pytest.mark.parametrize(
    ("kind", "vkey"),
    [
        *((NoteVerifier, vkey) for vkey in VECTORS["vkeys"]["logs"]),
        *((WitnessVerifier, vkey) for vkey in VECTORS["vkeys"]["witnesses"]),
    ],
)
def test_published_keys_parse(kind, vkey):
    """A published key text parses, its key id holds, and it is written back the same."""
    assert kind.parse(vkey).vkey == vkey


@pytest.mark.parametrize("kind", [NoteVerifier, WitnessVerifier])
@pytest.mark.parametrize("vkey", VECTORS["vkeys"]["neither"])
def test_published_wrong_keys_are_refused(kind, vkey):
    """A key text that its publisher refuses is refused."""
    with pytest.raises(NoteError):
        kind.parse(vkey)


@pytest.mark.parametrize("name", VECTORS["not_checkpoints"])
def test_published_wrong_checkpoints_are_refused(name):
    """A text that its publisher refuses as a checkpoint is refused."""
    with pytest.raises(NoteError):
        Checkpoint.parse(VECTORS["not_checkpoints"][name])
