"""The trust file: which log key and witnesses an auditor believes. It comes by another way than the log."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from audit.checkpoint import Checkpoint, NoteVerifier
from audit.cosignature import Cosignature, WitnessVerifier, open_cosigned
from audit.errors import NoteError, TrustError

TYPE: Final = "flagstone/trust/v1"
WITH_EARLIER: Final = "flagstone/trust/v2"
"""Has `earlier` besides: keys that the log's key took the place of, whose signatures count too."""
MAX_BYTES: Final = 1 << 16
_FIELDS: Final = frozenset({"type", "log", "witnesses", "quorum"})
_FORMS: Final = ((TYPE, _FIELDS), (WITH_EARLIER, _FIELDS | {"earlier"}))


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
        keys = [*(key.key for key in self.log.keys), *(witness.key for witness in self.witnesses)]
        if len(set(keys)) < len(keys):
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
        if not isinstance(fields, dict) or (fields.get("type"), frozenset(fields)) not in _FORMS:
            raise TrustError(f"the trust file is not of type {TYPE} with log, witnesses and quorum")
        log, witnesses, quorum = fields["log"], fields["witnesses"], fields["quorum"]
        earlier = fields.get("earlier", [])
        if not isinstance(log, str):
            raise TrustError("the trust file's log is not a key text")
        for name, keys in (("witnesses", witnesses), ("earlier keys", earlier)):
            if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
                raise TrustError(f"the trust file's {name} are not a list of key texts")
        if not isinstance(quorum, int) or isinstance(quorum, bool):
            raise TrustError("the trust file's quorum is not a number")
        try:
            newest = NoteVerifier.parse(log)
            before = tuple(map(NoteVerifier.parse, earlier))
            verifier = NoteVerifier(newest.name, newest.key, before)
            return cls(verifier, tuple(map(WitnessVerifier.parse, witnesses)), quorum)
        except NoteError as error:
            raise TrustError(f"the trust file: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """What `parse` reads."""
        keys = [witness.vkey for witness in self.witnesses]
        told = {"type": TYPE, "log": self.log.vkey, "witnesses": keys, "quorum": self.quorum}
        if self.log.earlier:
            told |= {"type": WITH_EARLIER, "earlier": [key.vkey for key in self.log.earlier]}
        return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two, a reader may see one and `json` take the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def write_trust(path: Path, trust: Trust) -> None:
    """Write a trust file."""
    path.write_bytes(json.dumps(trust.to_json(), indent=2).encode() + b"\n")
