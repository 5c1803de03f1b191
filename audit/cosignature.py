"""Witnesses' cosignatures of checkpoints: C2SP tlog-cosignature v1 with Ed25519 (signature type 0x04).

A witness says: as of this time, this is the largest tree of that log that I have seen, and it extends all
that I saw before. So a log that shows two histories to two witnesses is found out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from audit.checkpoint import (
    Checkpoint,
    NoteVerifier,
    SigningKey,
    open_checkpoint,
    signature_line,
    signatures_by,
    unsafe_read_checkpoint,
)
from audit.errors import NoteError

COSIGNATURE: Final = b"\x04"
_TIME_BYTES: Final = 8
_MAX_TIME: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class WitnessVerifier(NoteVerifier):
    """A witness' public key by its name; its signatures carry a time."""

    TYPE: ClassVar[bytes] = COSIGNATURE

    def verify(self, text: str, signature: bytes) -> None:
        """Check a `timestamped_signature` over the text.

        Raises:
            NoteError: it is malformed, or not this key's over this text at that time.
        """
        NoteVerifier.verify(self, _message(text, _time_of(signature)), signature[_TIME_BYTES:])


@dataclass(frozen=True, slots=True)
class Cosignature:
    """That a witness has seen the checkpoint, and when."""

    witness: WitnessVerifier
    at: datetime


class Cosigner:
    """Cosigns checkpoints under a name, with a key that signs nothing else."""

    __slots__ = ("_key", "verifier")

    def __init__(self, name: str, key: SigningKey) -> None:
        self._key = key
        self.verifier = WitnessVerifier(name, key.public_key().public_bytes_raw())

    def cosign(self, note: bytes, at: datetime) -> bytes:
        """The signature line for a checkpoint. That its tree is consistent, the caller has checked.

        Raises:
            NoteError: the note is no checkpoint.
        """
        text = unsafe_read_checkpoint(note).text
        seconds = int(at.timestamp())
        signature = self._key.sign(_message(text, seconds).encode())
        return signature_line(self.verifier, seconds.to_bytes(_TIME_BYTES, "big") + signature)


def open_cosigned(
    note: bytes, log: NoteVerifier, witnesses: Sequence[WitnessVerifier], quorum: int = 0
) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    """The checkpoint that the log signed, and who of the witnesses cosigned it: at least `quorum` of them.

    A witness counts once, with the newest of its cosignatures.

    Raises:
        NoteError: as `open_checkpoint`; a witness' signature is wrong; or too few cosigned.
    """
    checkpoint = open_checkpoint(note, log)
    newest: dict[WitnessVerifier, int] = {}
    for witness, signature in signatures_by(note, witnesses)[1]:
        newest[witness] = max(_time_of(signature), newest.get(witness, 0))
    if len(newest) < quorum:
        raise NoteError(f"{len(newest)} of the trusted witnesses cosigned this, {quorum} are asked for")
    return checkpoint, tuple(
        Cosignature(witness, datetime.fromtimestamp(at, UTC)) for witness, at in newest.items()
    )


def _time_of(signature: bytes) -> int:
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    if seconds > _MAX_TIME:
        raise NoteError("cosignature: a time beyond the year 9999")
    return seconds


def _message(text: str, seconds: int) -> str:
    return f"cosignature/v1\ntime {seconds}\n{text}"
