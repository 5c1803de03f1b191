"""C2SP signed notes and tlog-checkpoints, signed with Ed25519 (signature type 0x01).

Formats: c2sp.org/signed-note and c2sp.org/tlog-checkpoint, unchanged, so that others' tools read ours.
Witnesses' signatures are in `audit.cosignature`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import NoteError
from audit.merkle import HASH_BYTES

ED25519: Final = b"\x01"
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
MAX_NOTE_BYTES: Final = 1 << 17  # room for the 16 post-quantum signatures that c2sp.org/signed-note asks for

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_MARK = "— "  # an em dash and a space begin a signature line


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A public key by its name. Both stand in the text form (vkey): name+hex key id+base64(type ‖ key).

    `earlier`: keys of the same name that this one has taken the place of. Where a log's signature is asked
    for, theirs counts too; the text form is without them.
    """

    TYPE: ClassVar[bytes] = ED25519
    name: str
    key: bytes
    earlier: tuple["NoteVerifier", ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NoteError("key name: 1 to 200 characters, none of them white space or a plus")
        if len(self.key) != KEY_BYTES:
            raise NoteError(f"key: not {KEY_BYTES} bytes")
        if any(each.name != self.name or each.earlier for each in self.earlier):
            raise NoteError("earlier key: of another name, or with earlier keys of its own")
        if len({self.key, *(each.key for each in self.earlier)}) <= len(self.earlier):
            raise NoteError("earlier key: given twice")

    @property
    def keys(self) -> tuple["NoteVerifier", ...]:
        """This key and the earlier ones."""
        return (self, *self.earlier)

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name ‖ newline ‖ type ‖ key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.TYPE + self.key).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Parse the text form.

        Raises:
            NoteError: it is malformed, of another key type, or its key id is not that of name and key.
        """
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        typed = _base64(encoded, "key text")
        if typed[:1] != cls.TYPE:
            raise NoteError(f"key text: not a key of type 0x{cls.TYPE.hex()}")
        verifier = cls(name, typed[1:])
        if verifier.key_id.hex() != key_id:
            raise NoteError("key text: the key id is not that of this name and key")
        return verifier

    @property
    def vkey(self) -> str:
        """The text form, as it stands in a trust file."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self.TYPE + self.key).decode()}"

    def verify(self, text: str, signature: bytes) -> None:
        """Check a signature of this key's type over the text; here Ed25519 (RFC 8032).

        Raises:
            NoteError: the signature is not this key's over this text.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except InvalidSignature:
            raise NoteError(f"the signature by {self.name} is wrong") from None


class SigningKey(Protocol):
    """An Ed25519 key, wherever its private half lives: in memory, a security module or a key service."""

    def sign(self, data: bytes, /) -> bytes:
        """The signature (RFC 8032 §5.1.6), 64 bytes."""

    def public_key(self) -> Ed25519PublicKey: ...


class Signer(Protocol):
    """What a log signs its checkpoints with."""

    @property
    def verifier(self) -> NoteVerifier:
        """The key, with those it took the place of; its name is the log's origin."""

    def sign(self, text: str) -> bytes:
        """The note: the text, an empty line, a signature line for each key in use.

        Raise NoteError when the text does not end in a newline, or holds other control characters.
        """


class NoteSigner:
    """`Signer` over keys that stay the same.

    `beside`: a key that `key` is taking the place of, which signs too while both are in use;
    `earlier`: keys of this name that sign no more.
    """

    __slots__ = ("_keys", "verifier")

    def __init__(
        self, name: str, key: SigningKey, *beside: SigningKey, earlier: Sequence[NoteVerifier] = ()
    ) -> None:
        verifiers = [NoteVerifier(name, each.public_key().public_bytes_raw()) for each in (key, *beside)]
        self._keys = tuple(zip(verifiers, (key, *beside), strict=True))
        self.verifier = NoteVerifier(name, verifiers[0].key, (*verifiers[1:], *earlier))

    @property
    def name(self) -> str:
        return self.verifier.name

    def sign(self, text: str) -> bytes:
        """The note, as `Signer.sign`.

        Raises:
            NoteError: the text does not end in a newline, or holds other control characters.
        """
        _check_text(text)
        signed = [signature_line(verifier, key.sign(text.encode())) for verifier, key in self._keys]
        return text.encode() + b"\n" + b"".join(signed)


_Verifier = TypeVar("_Verifier", bound=NoteVerifier)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's name (origin), how many leaves, and the root (32 bytes) over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin or not self.origin.isprintable():
            raise NoteError("checkpoint origin: not a line of text")
        if not _SIZE.fullmatch(str(self.size)):
            raise NoteError("checkpoint size: not 0 to 16 decimal digits")
        if len(self.root) != HASH_BYTES:
            raise NoteError(f"checkpoint root: not {HASH_BYTES} bytes")
        if not all(line and line.isprintable() for line in self.extensions):
            raise NoteError("checkpoint extension: not a line of text")

    @property
    def text(self) -> str:
        """What is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a note's text.

        Raises:
            NoteError: it is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():  # noqa: PLR2004 - three lines, and nothing after the last newline
            raise NoteError("checkpoint: not origin, size and root, each on a line of its own")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise NoteError("checkpoint size: not a decimal number")
        return cls(origin, int(size), _base64(root, "checkpoint root"), tuple(extensions))


def open_note(note: bytes, verifiers: Sequence[NoteVerifier]) -> str:
    """The text of a note that at least one of the verifiers signed. Others' signatures are ignored.

    Raises:
        NoteError: the note is malformed, a known key's signature is wrong, or no known key signed.
    """
    text, signed = signatures_by(note, verifiers)
    if not signed:
        raise NoteError("no trusted key signed this")
    return text


def signatures_by(note: bytes, verifiers: Sequence[_Verifier]) -> tuple[str, list[tuple[_Verifier, bytes]]]:
    """The text, and each signature on it that is a verifier's, checked. Others' are ignored.

    Raises:
        NoteError: the note is malformed, or a known key's signature is wrong.
    """
    text, signatures = _parted(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed = []
    for name, signature in signatures:
        verifier = known.get((name, signature[:KEY_ID_BYTES]))
        if verifier:
            verifier.verify(text, signature[KEY_ID_BYTES:])
            signed.append((verifier, signature[KEY_ID_BYTES:]))
    return text, signed


def signature_line(verifier: NoteVerifier, signature: bytes) -> bytes:
    """A line of a note's signature block."""
    encoded = base64.b64encode(verifier.key_id + signature).decode()
    return f"{_MARK}{verifier.name} {encoded}\n".encode()


def open_checkpoint(note: bytes, log: NoteVerifier) -> Checkpoint:
    """The checkpoint in a note signed by the log's key or an earlier one, whose name is the origin.

    Raises:
        NoteError: as `open_note`; or the origin is another log's.
    """
    checkpoint = Checkpoint.parse(open_note(note, log.keys))
    if checkpoint.origin != log.name:
        raise NoteError("checkpoint: of another log than its key")
    return checkpoint


def unsafe_read_checkpoint(note: bytes) -> Checkpoint:
    """The checkpoint in a note, its signatures NOT checked: for a store that has no key.

    Raises:
        NoteError: the note is malformed.
    """
    return Checkpoint.parse(_parted(note)[0])


def _parted(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError(f"note: longer than {MAX_NOTE_BYTES} bytes")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise NoteError("note: not UTF-8") from None
    text, blank, block = whole.rpartition("\n\n")
    text += "\n"
    _check_text(text)
    if not blank or not block.endswith("\n"):
        raise NoteError("note: not a text, an empty line and signature lines")
    return text, [_signature(line) for line in block[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not _NAME.fullmatch(name):
        raise NoteError("note: a malformed signature line")
    signature = _base64(encoded, "note signature")
    if len(signature) <= KEY_ID_BYTES:
        raise NoteError("note: a signature that is too short")
    return name, signature


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(char < " " and char != "\n" for char in text):
        raise NoteError("note: the text must end in a newline and hold no other control character")


def _base64(text: str, place: str) -> bytes:
    """Strict: one text only for each value, so the unused last bits must be zero."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"{place}: not base64") from None
    if base64.b64encode(value).decode() != text:
        raise NoteError(f"{place}: not in the canonical form of base64")
    return value
