"""The trust file: which log key an auditor believes. It must not come by the same way as the log."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from audit.checkpoint import NoteVerifier
from audit.errors import NoteError, TrustError

TYPE: Final = "flagstone/trust/v1"
MAX_BYTES: Final = 1 << 16
_FIELDS: Final = frozenset({"type", "log", "witnesses", "quorum"})


@dataclass(frozen=True, slots=True)
class Trust:
    """The log's key. Witnesses and a quorum of them have their place in the format, and no support yet."""

    log: NoteVerifier

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse strictly.

        Raises:
            TrustError: it is malformed, or asks for witnesses: ignoring them would trust more than told.
        """
        try:
            fields = json.loads(data[: MAX_BYTES + 1].decode())
        except (ValueError, RecursionError):
            raise TrustError("the trust file is not JSON") from None
        if not isinstance(fields, dict) or fields.keys() != _FIELDS or fields["type"] != TYPE:
            raise TrustError(f"the trust file is not of type {TYPE} with log, witnesses and quorum")
        if fields["witnesses"] != [] or fields["quorum"] != 0 or isinstance(fields["quorum"], bool):
            raise TrustError("the trust file asks for witnesses, which this version can't check")
        if not isinstance(fields["log"], str):
            raise TrustError("the trust file's log is not a key text")
        try:
            return cls(NoteVerifier.parse(fields["log"]))
        except NoteError as error:
            raise TrustError(f"the trust file's log: {error}") from None


def write_trust(path: Path, log: str) -> None:
    """Write the trust file of a log's key text (`NoteVerifier.vkey`).

    Raises:
        TrustError: it is not a key text.
    """
    document = {"type": TYPE, "log": log, "witnesses": [], "quorum": 0}
    data = json.dumps(document, indent=2).encode() + b"\n"
    Trust.parse(data)
    path.write_bytes(data)
