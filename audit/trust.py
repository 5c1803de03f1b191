"""The trust file: which log key and witnesses an auditor believes. It comes by another way than the log."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from audit.checkpoint import Checkpoint, NoteVerifier
from audit.cosignature import Cosignature, WitnessVerifier, open_cosigned
from audit.errors import NoteError, TrustError

TYPE: Final = "flagstone/trust/v1"
MAX_BYTES: Final = 1 << 16
_FIELDS: Final = frozenset({"type", "log", "witnesses", "quorum"})


@dataclass(frozen=True, slots=True)
class Trust:
    """The log's key, the witnesses' and how many of these must have cosigned a checkpoint.

    Raises:
        TrustError: a witness stands there twice, or the quorum is not 0 to the number of witnesses.
    """

    log: NoteVerifier
    witnesses: tuple[WitnessVerifier, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        if len({witness.name for witness in self.witnesses}) < len(self.witnesses):
            raise TrustError("the trust file names a witness twice")
        if len({self.log.key, *(witness.key for witness in self.witnesses)}) <= len(self.witnesses):
            raise TrustError("two names in the trust file have one key, which would count twice")
        if not 0 <= self.quorum <= len(self.witnesses):
            raise TrustError("the trust file's quorum is not 0 to the number of its witnesses")

    def open(self, note: bytes) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
        """The checkpoint in a note, and the trusted witnesses that cosigned it.

        Raises:
            NoteError: the log's key did not sign it, a signature is wrong, or the quorum is missed.
        """
        return open_cosigned(note, self.log, self.witnesses, self.quorum)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse strictly.

        Raises:
            TrustError: it is malformed, or as `Trust`.
        """
        try:
            fields = json.loads(data[: MAX_BYTES + 1].decode(), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise TrustError("the trust file is not JSON, or names a key twice") from None
        if not isinstance(fields, dict) or fields.keys() != _FIELDS or fields["type"] != TYPE:
            raise TrustError(f"the trust file is not of type {TYPE} with log, witnesses and quorum")
        log, witnesses, quorum = fields["log"], fields["witnesses"], fields["quorum"]
        if not isinstance(log, str):
            raise TrustError("the trust file's log is not a key text")
        if not isinstance(witnesses, list) or not all(isinstance(key, str) for key in witnesses):
            raise TrustError("the trust file's witnesses are not a list of key texts")
        if not isinstance(quorum, int) or isinstance(quorum, bool):
            raise TrustError("the trust file's quorum is not a number")
        try:
            return cls(NoteVerifier.parse(log), tuple(map(WitnessVerifier.parse, witnesses)), quorum)
        except NoteError as error:
            raise TrustError(f"the trust file: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """What `parse` reads."""
        keys = [witness.vkey for witness in self.witnesses]
        return {"type": TYPE, "log": self.log.vkey, "witnesses": keys, "quorum": self.quorum}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two, a reader may see one and `json` take the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def write_trust(path: Path, trust: Trust) -> None:
    """Write a trust file."""
    path.write_bytes(json.dumps(trust.to_json(), indent=2).encode() + b"\n")
