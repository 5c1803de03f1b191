"""What the agent knows of the council's log as its witness, and the one place that cosigns (DESIGN.md §6).

It never cosigns a smaller or an inconsistent tree, nor two roots of one size: whatever does not extend the
tree that was cosigned last raises an alarm instead.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.agent.council import Council
from adapters.agent.tray import Tray
from audit.checkpoint import Checkpoint, NoteVerifier, open_checkpoint
from audit.cosignature import Cosigner, open_cosigned
from audit.entry import Entry
from audit.errors import EntryError, NoteError, ProofError
from audit.merkle import verify_consistency
from audit.proof import LogProof
from audit.trust import Trust
from gateway.bundle.signers import by_any
from gateway.bundle.witness import ROTATED, LogKey, Reason, verify_log_key
from gateway.domain.errors import ConfigurationError, VerificationError

_SEEN: Final = "seen.json"


class Step(Protocol):
    """That a key of the log took another's place: the entry's canonical JSON, and its tlog-proof."""

    @property
    def leaf(self) -> str: ...

    @property
    def proof(self) -> str: ...


class Shown(Protocol):
    """The council's log as one poll shows it: its signed key, newest checkpoint, and proof in hex."""

    @property
    def key(self) -> str: ...

    @property
    def checkpoint(self) -> str: ...

    @property
    def proof(self) -> Sequence[str]: ...

    @property
    def successions(self) -> Sequence[Step]: ...


class DivergenceError(VerificationError):
    """The log that is shown is not the one that was cosigned before."""

    code = "witness-alarm"

    def __init__(self, reason: Reason) -> None:
        self.why = reason
        super().__init__(
            f"not the log that this witness saw before ({reason.value})",
            place="the council's log",
            way_out="Nothing is answered. See flagstone agent witness show",
        )


class KeptFile(BaseModel):
    """A small strict JSON file of the agent's own."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    def to_bytes(self) -> bytes:
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Self:
        """Raise ConfigurationError when the file `name` is damaged."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            raise ConfigurationError(
                "damaged",
                place=f"witness/{name}",
                way_out="Restore the file as it was last; an older copy would let the log be rolled back",
            ) from None


class Seen(KeptFile):
    """The log's key as the council signed it, and the newest cosigned checkpoint, "" before the first."""

    key: str
    note: str = ""


class Witness:
    """One process at a time looks; others may read at any moment."""

    def __init__(self, tray: Tray, cosigner: Cosigner, council: Council) -> None:
        self._tray = tray
        self._cosigner = cosigner
        self._council = council

    @property
    def vkey(self) -> str:
        """This witness' public key, as a trust file has it."""
        return self._cosigner.verifier.vkey

    @property
    def tray(self) -> Tray:
        """Where evidence lies too."""
        return self._tray

    def seen(self) -> Seen | None:
        """What was seen last; None before the first look."""
        data = self._tray.get(_SEEN)
        return None if data is None else Seen.from_bytes(data, _SEEN)

    def size(self) -> int:
        """How large the tree was that was cosigned last."""
        checkpoint = self.cosigned()
        return checkpoint.size if checkpoint else 0

    def cosigned(self) -> Checkpoint | None:
        """The newest checkpoint that was cosigned, its signatures verified."""
        seen = self.seen()
        return self._opened(seen) if seen else None

    def key(self, token: str) -> LogKey:
        """The log key that the council signed, now or long ago. Raise VerificationError otherwise."""
        return by_any(self._council.lineage.identities, lambda each: verify_log_key(token, each))

    def look(self, shown: Shown, at: datetime) -> str:
        """Verify what is shown, cosign what is new, and keep it; the newest cosigned note, fit to hand out.

        Raises:
            DivergenceError: it does not extend what was seen; nothing was signed or kept.
        """
        seen = self.seen()
        key = self._shown_key(shown, seen, at)
        try:
            new = open_checkpoint(shown.checkpoint.encode(), key.verifier)
        except NoteError:
            raise DivergenceError(Reason.NOT_SIGNED) from None
        old = self._opened(seen) if seen else None
        if old is not None:
            _check_extends(old, new, shown.proof)
        turned = seen is not None and self.key(seen.key).vkey != key.vkey
        if seen and (new.size == 0 or (old and old.size == new.size)) and not turned:
            return seen.note
        if new.size == 0:
            self.turn_to(shown.key)  # an empty tree says nothing that could be cosigned; its key is pinned
            return ""
        line = self._cosigner.cosign(shown.checkpoint.encode(), at)
        note = shown.checkpoint + line.decode()
        # commit point: on this disk before anyone is given the cosignature, so that no restart forgets it
        self._tray.put(_SEEN, Seen(key=shown.key, note=note).to_bytes())
        return note

    def linked(self, key: LogKey) -> bool:
        """Whether a new log names the very checkpoint that was cosigned last of the pinned one."""
        seen = self.seen()
        old = self._opened(seen) if seen else None
        if seen is None or old is None:
            return bool(key.follows)
        before = self.key(seen.key).verifier
        for note in key.follows:
            try:
                if open_checkpoint(note.encode(), before).text == old.text:
                    return True
            except NoteError:
                continue
        return False

    def turn_to(self, key: str) -> None:
        """Pin another log, of which nothing has been seen. The caller has seen to its link."""
        self._tray.put(_SEEN, Seen(key=key).to_bytes())

    def _shown_key(self, shown: Shown, seen: Seen | None, at: datetime) -> LogKey:
        try:
            accepted = self._council.lineage.accepted(at)
            key = by_any(accepted, lambda each: verify_log_key(shown.key, each))
        except VerificationError:
            raise DivergenceError(Reason.OTHER_KEY) from None
        if seen and not _follows(self.key(seen.key).verifier, key.verifier, shown.successions):
            raise DivergenceError(Reason.NEW_LOG if self.linked(key) else Reason.OTHER_KEY)
        return key

    def _opened(self, seen: Seen) -> Checkpoint | None:
        if not seen.note:
            return None
        try:
            log = self.key(seen.key).verifier
            return open_cosigned(seen.note.encode(), log, [self._cosigner.verifier], 1)[0]
        except NoteError as error:
            raise ConfigurationError(str(error), place=f"witness/{_SEEN}") from None


def _follows(pinned: NoteVerifier, shown: NoteVerifier, steps: Sequence[Step]) -> bool:
    """Whether the shown key is the pinned one, or each key from the pinned one on announced the next.

    A step counts only as an entry of the log, proved under a checkpoint that the key before it signed: so the
    council's signature on a new log key is not enough, nor is the new key itself.
    """
    key = pinned
    for step in steps:
        key = _next(key, step) or key
    return key.vkey == shown.vkey and shown.name == pinned.name


def _next(key: NoteVerifier, step: Step) -> NoteVerifier | None:
    """The key that `key` announced in this step; None where the step is not of this key."""
    try:
        leaf = step.leaf.encode()
        LogProof.parse(step.proof).verify(leaf, Trust(key))
        entry = Entry.parse(leaf)
        told = (entry.kind, entry.body.get("key_kind"), entry.body.get("before"))
        return NoteVerifier.parse(str(entry.body.get("key"))) if told == (ROTATED, "log", key.vkey) else None
    except (NoteError, ProofError, EntryError, ValueError):
        return None


def _check_extends(old: Checkpoint, new: Checkpoint, proof: Sequence[str]) -> None:
    """RFC 9162 §2.1.4: `new` is `old` with more behind it, or the very same."""
    if new.size < old.size:
        raise DivergenceError(Reason.SMALLER)
    if new.size == old.size:
        if new.text != old.text:
            raise DivergenceError(Reason.OTHER_ROOT)
        return
    try:
        hashes = [bytes.fromhex(each) for each in proof]
        verify_consistency(old.size, new.size, old.root, new.root, hashes)
    except (ProofError, ValueError):
        raise DivergenceError(Reason.INCONSISTENT) from None
