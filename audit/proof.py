"""C2SP tlog-proof: that an entry stands in a log, in one text that is checked offline.

Format: c2sp.org/tlog-proof@v1, unchanged, but that the extra data it allows, which nothing authenticates, are
neither written nor accepted.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from audit.checkpoint import MAX_NOTE_BYTES, Checkpoint
from audit.cosignature import Cosignature
from audit.errors import ProofError
from audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from audit.trust import Trust

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 64
_MAX_CHARS: Final = MAX_NOTE_BYTES + 4096
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True)
class LogProof:
    """The entry's index, its RFC 9162 inclusion proof, and the checkpoint (a signed note) it leads to."""

    index: int
    path: tuple[bytes, ...]
    note: bytes

    @property
    def text(self) -> str:
        """The tlog-proof.

        Raises:
            ProofError: the note is not UTF-8.
        """
        try:
            note = self.note.decode()
        except UnicodeDecodeError:
            raise ProofError("log proof: the checkpoint is not UTF-8") from None
        hashes = (base64.b64encode(node).decode() for node in self.path)
        return "\n".join((HEADER, f"index {self.index}", *hashes, "", note))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse strictly. The checkpoint is neither parsed nor checked here.

        Raises:
            ProofError: it is malformed, too long, or carries extra data.
        """
        if len(text) > _MAX_CHARS:
            raise ProofError("log proof: too long")
        head, blank, note = text.partition("\n\n")
        magic, *lines = head.split("\n")
        if magic != HEADER or not blank or not lines:
            raise ProofError(f"log proof: not a {HEADER} with an index and a checkpoint")
        if lines[0].startswith("extra "):
            raise ProofError("log proof: it carries extra data, which nothing authenticates")
        index = _INDEX.fullmatch(lines[0])
        if not index:
            raise ProofError("log proof: the index is malformed")
        return cls(int(index[1]), _hashes(lines[1:]), _encoded(note))

    def verify(self, leaf: bytes, trust: Trust) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
        """The leaf stands at the index, under a checkpoint that the trusted log and a quorum signed.

        Raises:
            NoteError: the checkpoint is not trusted.
            ProofError: the proof does not lead from the leaf to it.
        """
        checkpoint, cosigned = trust.open(self.note)
        self.verify_under(checkpoint, leaf)
        return checkpoint, cosigned

    def verify_under(self, checkpoint: Checkpoint, leaf: bytes) -> None:
        """As `verify`, for a checkpoint that was opened before.

        Raises:
            ProofError: the proof does not lead from the leaf to it.
        """
        verify_inclusion(leaf_hash(leaf), self.index, checkpoint.size, self.path, checkpoint.root)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_HASHES:
        raise ProofError("log proof: more hashes than any tree is high")
    return tuple(map(_hash, lines))


def _hash(line: str) -> bytes:
    try:
        value = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != HASH_BYTES or base64.b64encode(value).decode() != line:
        raise ProofError(f"log proof: a line is not the canonical base64 of {HASH_BYTES} bytes")
    return value


def _encoded(note: str) -> bytes:
    try:
        return note.encode()
    except UnicodeEncodeError:
        raise ProofError("log proof: the checkpoint is not UTF-8") from None
