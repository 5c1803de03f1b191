"""Verify an exported log, a file or a folder of tiles, offline, and name the wrong entry.

An evidence file is checked by `audit.evidence`.

The order of the checks of a log:

1. the checkpoint is signed by the trusted log key and cosigned by the quorum of trusted witnesses, and no
   smaller than the checkpoint seen before;
2. each leaf has the leaf hash listed for it, and is an entry in canonical form;
3. nothing is missing, added or follows;
4. the leaf hashes lead to the checkpoint's root; if the leaves do instead, the hashes were altered;
5. the first entries are those of the checkpoint seen before;
6. of a folder, the tiles above the leaf hashes are those that these lead to.

Memory does not grow with the log: a tile and two frontiers are kept.
"""

import copy
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from audit.checkpoint import Checkpoint, open_checkpoint
from audit.cosignature import Cosignature
from audit.entry import check_leaf
from audit.errors import EntryError, ExportError, NoteError
from audit.evidence import verify_evidence
from audit.evidence_file import MAX_BYTES
from audit.export import TILE, ExportReader, Reader
from audit.merkle import Frontier, leaf_hash
from audit.proved import Proved
from audit.tiles import TilesReader
from audit.trust import Trust

MAX_NAMED: Final = 10
_KIND = re.compile(rb'"kind":"([a-z]+(?:\.[a-z-]+)+)","type":"flagstone/entry/v1"\}\Z')


@dataclass(frozen=True, slots=True)
class Verified:
    """What held: every entry under this checkpoint, who cosigned it, and that it extends one seen before."""

    checkpoint: Checkpoint
    cosigned: tuple[Cosignature, ...] = ()
    seen: int | None = None

    def __str__(self) -> str:
        size, origin = self.checkpoint.size, self.checkpoint.origin
        text = f"Verified: all {size} entries of {origin} are as its key signed them."
        for each in self.cosigned:
            text += f" {each.witness.name} saw this same log on {each.at:%Y-%m-%d at %H:%M UTC}."
        if self.seen is not None:
            return f"{text} They extend the {self.seen} entries seen before."
        if self.cosigned:
            return text
        return f"{text} No checkpoint seen before was given, so a fork or a rollback would not show."


@dataclass(frozen=True, slots=True)
class _Finding:
    """An entry that is not what its place asks for. `text` completes "entry 17 (its.kind) ..."."""

    index: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"entry {self.index}{self.kind} {self.text}"


def verify_file(file: Path, trust: Path, seen: Path | None = None) -> Verified | Proved:
    """As `verify_tiles` for a folder, `verify_evidence` for JSON, else `verify_export`.

    Raises:
        TrustError: the trust file can't be used.
        SeenError: the evidence can't be compared with the checkpoint seen before.
        ExportError, EvidenceError: the file fails verification.
        OSError: a file can't be read.
    """
    trusted = Trust.parse(trust.read_bytes())
    remembered = seen.read_bytes() if seen else None
    if file.is_dir():
        return verify_tiles(file, trusted, remembered)
    with file.open("rb") as stream:
        if stream.peek(1)[:1] == b"{":
            return verify_evidence(stream.read(MAX_BYTES + 1), trusted, remembered)
        return verify_export(stream, trusted, remembered)


def verify_export(stream: BinaryIO, trust: Trust, seen: bytes | None = None) -> Verified:
    """Verify an export against the trusted key and, if given, a checkpoint (signed note) seen before.

    Raises:
        ExportError: it fails; `index` and the text name the first wrong entry where it can be told.
    """
    return _verified(ExportReader(stream), trust, seen)


def verify_tiles(folder: Path, trust: Trust, seen: bytes | None = None) -> Verified:
    """The same for a folder in the layout of c2sp.org/tlog-tiles, as `audit.tiles` writes it.

    Raises:
        ExportError: as `verify_export`; or a file is missing, or is no part of this log.
    """
    reader = TilesReader(folder)
    verified = _verified(reader, trust, seen)
    reader.check_levels()
    return verified


def _verified(reader: Reader, trust: Trust, seen: bytes | None) -> Verified:
    checkpoint, cosigned = _opened(reader.note(), trust)
    remembered = _remembered(seen, trust) if seen is not None else None
    if remembered and remembered.size > checkpoint.size:
        raise ExportError(
            f"rolled back: the log holds {checkpoint.size} entries, and held {remembered.size} when last seen"
        )
    audit = _Audit(checkpoint, remembered)
    try:
        for start in range(0, checkpoint.size, TILE):
            audit.tile(reader, start)
        reader.end()
    except ExportError as error:
        raise audit.named(error) from None
    audit.conclude()
    return Verified(checkpoint, cosigned, remembered.size if remembered else None)


class _Audit:
    """The state of one verification: the tree as listed, the tree as found once they differ, and findings."""

    def __init__(self, checkpoint: Checkpoint, remembered: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._remembered = remembered
        self._root_then: bytes | None = None
        self._listed = Frontier()
        self._found: Frontier | None = None
        self._altered: list[_Finding] = []
        self._unreadable: list[_Finding] = []

    def tile(self, reader: Reader, start: int) -> None:
        """Check up to 256 entries against the hashes listed for them."""
        hashes = reader.hashes(start, self._checkpoint.size)
        for index, listed in enumerate(hashes, start):
            self._note_then()
            leaf = reader.leaf(index, self._checkpoint.size)
            found = leaf_hash(leaf)
            if not hmac.compare_digest(found, listed):
                self._record_altered(index, leaf, found, hashes)
            elif self._found is None:
                self._record_unreadable(index, leaf)
            if self._found:
                self._found.add(found)
            self._listed.add(listed)

    def named(self, error: ExportError) -> ExportError:
        """Where lines went missing or were added, the first entry that differs is the wrong one."""
        if not self._altered:
            return error
        first = self._altered[0]
        return ExportError(f"{first}; then {error}", first.index)

    def conclude(self) -> None:
        self._note_then()
        if not hmac.compare_digest(self._listed.root(), self._checkpoint.root):
            raise self._not_as_signed()
        for findings in (self._altered, self._unreadable):
            if findings:
                raise _summary(findings)
        if self._remembered and not hmac.compare_digest(self._root_then or b"", self._remembered.root):
            raise ExportError(
                f"forked: the first {self._remembered.size} entries are not those that were seen before"
            )

    def _note_then(self) -> None:
        if self._remembered and self._listed.size == self._remembered.size:
            self._root_then = self._listed.root()

    def _record_altered(self, index: int, leaf: bytes, found: bytes, hashes: Sequence[bytes]) -> None:
        if self._found is None:
            self._found = copy.deepcopy(self._listed)
        if len(self._altered) < MAX_NAMED:
            text = "is not what was signed there"
            if found in hashes:
                start = index - index % TILE
                text += f": it is a copy of entry {start + hashes.index(found)}"
            self._altered.append(_Finding(index, _kind(leaf), text))

    def _record_unreadable(self, index: int, leaf: bytes) -> None:
        try:
            check_leaf(leaf)
        except EntryError as error:
            if len(self._unreadable) < MAX_NAMED:
                self._unreadable.append(_Finding(index, _kind(leaf), f"is signed but not an entry: {error}"))

    def _not_as_signed(self) -> ExportError:
        if not self._altered:
            return ExportError(
                "entries and their leaf hashes agree with each other, but not with the signed root: both "
                "were altered, and the file can't tell where"
            )
        first = self._altered[0]
        if self._found and hmac.compare_digest(self._found.root(), self._checkpoint.root):
            text = f"the leaf hash listed for entry {first.index} is altered; the entry itself is as signed"
            return ExportError(text, first.index)
        text = "has not the leaf hash listed for it, and neither leads to the signed root"
        return ExportError(f"entry {first.index}{first.kind} {text}", first.index)


def _summary(findings: Sequence[_Finding]) -> ExportError:
    count = f"{MAX_NAMED} or more" if len(findings) == MAX_NAMED else str(len(findings))
    heading = "" if len(findings) == 1 else f"{count} entries are wrong: "
    return ExportError(heading + "; ".join(map(str, findings)), findings[0].index)


def _opened(note: bytes, trust: Trust) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    try:
        return trust.open(note)
    except NoteError as error:
        raise ExportError(f"the checkpoint in the file: {error}") from None


def _remembered(note: bytes, trust: Trust) -> Checkpoint:
    try:
        return open_checkpoint(note, trust.log)
    except NoteError as error:
        raise ExportError(f"the checkpoint seen before: {error}") from None


def _kind(leaf: bytes) -> str:
    """The kind as the leaf says it, which even an altered leaf mostly can."""
    match = _KIND.search(leaf)
    return f" ({match[1].decode()})" if match else ""
