"""Notes that only one rule of c2sp.org/signed-note refuses; found by mutation (tests/mutation.py)."""

import base64

import pytest
from audit_samples import signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, NoteVerifier, open_note
from audit.errors import NoteError
from audit.merkle import EMPTY_ROOT

KEY = bytes(range(32))
TEXT = "a text\n"
NOTE = signer().sign(TEXT)


def signed_anyhow(text: str) -> bytes:
    """A note by the log's own key over a text that `NoteSigner` would not sign."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    verifier = signer().verifier
    signature = base64.b64encode(verifier.key_id + private.sign(text.encode())).decode()
    return f"{text}\n— {verifier.name} {signature}\n".encode()


def opened(note: bytes) -> str:
    return open_note(note, [signer().verifier])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "x" * 201])
def test_a_key_s_name_is_one_word_without_a_plus(name):
    """Another name could not be told from the rest of its line."""
    assert NoteVerifier("x" * 200, KEY).name == "x" * 200
    with pytest.raises(NoteError, match="key name"):
        NoteVerifier(name, KEY)


@pytest.mark.parametrize("key", [KEY[1:], KEY + b"x"])
def test_a_key_is_32_bytes(key):
    """RFC 8032 keys have 32 bytes."""
    with pytest.raises(NoteError, match="not 32 bytes"):
        NoteVerifier("name", key)


def test_a_key_text_of_another_type_is_refused():
    """The key id of the Ed25519 key does not make a key of another type one."""
    key_id, text = NoteVerifier("name", KEY).key_id.hex(), base64.b64encode(b"\x04" + KEY).decode()
    with pytest.raises(NoteError, match="not a key of type 0x01"):
        NoteVerifier.parse(f"name+{key_id}+{text}")


@pytest.mark.parametrize("text", ["no newline", "", "a\tb\n", "a\r\n", "a\x1fb\n"])
def test_no_other_text_is_signed(text):
    """A text that does not end in a newline or holds a control character is not signed."""
    with pytest.raises(NoteError, match="newline"):
        signer().sign(text)


@pytest.mark.parametrize(
    "fields",
    [("", 1), ("a\tb", 1), ("a\nb", 1), ("o", -1), ("o", 10**16), ("o", 1, ("a\tb",)), ("o", 1, ("",))],
)
def test_a_checkpoint_is_lines_of_text(fields):
    """No field of a checkpoint may be empty, hold a control character or be out of range."""
    origin, size, *extensions = fields
    assert Checkpoint("o", 10**16 - 1, EMPTY_ROOT, ("a b",)).size == 10**16 - 1
    with pytest.raises(NoteError, match="checkpoint"):
        Checkpoint(origin, size, EMPTY_ROOT, *extensions)


def test_the_longest_note_opens():
    """131,072 bytes are read, one more is not, signed as it may be."""
    around = len(signed_anyhow("\n")) - 1
    longest = signed_anyhow("x" * (131_072 - around - 1) + "\n")
    assert len(longest) == 131_072
    assert len(opened(longest)) == 131_072 - around
    with pytest.raises(NoteError, match="longer than"):
        opened(signed_anyhow("x" * (131_072 - around) + "\n"))


@pytest.mark.parametrize("text", ["a\tb\n", "a\rb\n", "a\x00\n", "a\x1f\n"])
def test_a_signed_text_with_a_control_character_is_refused(text):
    """Not even the log's own signature makes a control character text."""
    with pytest.raises(NoteError, match="control character"):
        opened(signed_anyhow(text))


def test_a_note_without_an_empty_line_is_refused():
    """A lone signature line, signed over a lone newline, has no text."""
    assert opened(signed_anyhow("\n")) == "\n"
    with pytest.raises(NoteError, match="empty line"):
        opened(signed_anyhow("\n").removeprefix(b"\n\n"))


def test_another_last_character_than_a_newline_is_refused():
    """What stands in the place of the last newline is not dropped unseen."""
    with pytest.raises(NoteError, match="empty line"):
        opened(NOTE[:-1] + b"x")


@pytest.mark.parametrize("line", ["x", "name AAAAAAAA", "— a+b AAAAAAAA", "—  AAAAAAAA"])
def test_a_malformed_line_beside_a_good_signature_is_refused(line):
    """Each line of the block is a signature line, though a trusted key signed on another."""
    with pytest.raises(NoteError, match="malformed signature line"):
        opened(NOTE + f"{line}\n".encode())


def test_a_signature_line_without_its_mark_is_refused():
    """A right name and signature without the em dash are no signature line."""
    with pytest.raises(NoteError, match="malformed signature line"):
        opened(NOTE.replace("— ".encode(), b""))


def test_a_signature_has_more_than_its_key_id():
    """A line of the four bytes of the key id alone is refused; one byte more is another's to judge."""
    with pytest.raises(NoteError, match="too short"):
        opened(NOTE + f"— other {base64.b64encode(bytes(4)).decode()}\n".encode())
    assert opened(NOTE + f"— other {base64.b64encode(bytes(5)).decode()}\n".encode()) == TEXT
