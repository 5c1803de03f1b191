"""The evidence file: what a log says of one exchange, in one file that is checked offline.

Format: docs/log-format.md. The order of the checks:

1. the file is strict canonical JSON of its type, within its limits;
2. every proof ends in one and the same checkpoint, which the trusted log and a quorum of witnesses signed; a
   checkpoint seen before is the beginning of its tree;
3. each entry stands in that tree (a C2SP tlog-proof each), in the log's order;
4. all are about one exchange, with one recipient and under one agreement; the permit comes first;
5. each opening opens a commitment of its entry;
6. each item leads to the root that its entry holds.

The file can't show that the log holds no further entry of the exchange: for that, verify an export.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from audit.checkpoint import Checkpoint, open_checkpoint
from audit.cosignature import Cosignature
from audit.entry import Entry, open_commitment
from audit.errors import AuditError, EvidenceError, NoteError, SeenError
from audit.evidence_file import EvidenceFile
from audit.items import verify_item
from audit.merkle import verify_consistency
from audit.proved import PERMITTED, Proved, Told
from audit.trust import Trust

_SAME: Final = ("exchange", "recipient", "agreement", "dataset", "purpose")


def verify_evidence(data: bytes, trust: Trust, seen: bytes | None = None) -> Proved:
    """Verify an evidence file against the trusted keys and, if given, a checkpoint (signed note) seen before.

    Raises:
        EvidenceError: it fails; the text names the entry where it can be told.
        SeenError: the file does not lead from the checkpoint seen before to its own.
    """
    file = EvidenceFile.parse(data)
    checkpoint, cosigned = _opened(file, trust)
    older = _older(file, trust, checkpoint)
    remembered = _check_seen(seen, trust, checkpoint, older) if seen is not None else None
    entries = {
        proved.proof.index: _entry(file, number, checkpoint) for number, proved in enumerate(file.entries)
    }
    _check_one_exchange(entries)
    by_id = {entry.id: (index, entry) for index, entry in entries.items()}
    if len(by_id) < len(entries):
        raise EvidenceError("two entries have one id")
    return Proved(
        checkpoint,
        cosigned,
        entries,
        _openings(file, by_id),
        _items(file, by_id),
        older.size if older else None,
        remembered,
    )


_ById = Mapping[UUID, tuple[int, Entry]]


def _opened(file: EvidenceFile, trust: Trust) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    note = file.entries[0].proof.note
    if any(proved.proof.note != note for proved in file.entries):
        raise EvidenceError("the entries are not proved under one and the same checkpoint")
    try:
        return trust.open(note)
    except NoteError as error:
        raise EvidenceError(f"the checkpoint in the file: {error}") from None


def _older(file: EvidenceFile, trust: Trust, checkpoint: Checkpoint) -> Checkpoint | None:
    """The older checkpoint in the file, whose tree is the beginning of this one's."""
    if file.older is None:
        return None
    try:
        older = open_checkpoint(file.older.note, trust.log)
        verify_consistency(older.size, checkpoint.size, older.root, checkpoint.root, file.older.proof)
    except AuditError as error:
        raise EvidenceError(f"the older checkpoint in the file: {error}") from None
    return older


def _check_seen(note: bytes, trust: Trust, checkpoint: Checkpoint, older: Checkpoint | None) -> int:
    try:
        seen = open_checkpoint(note, trust.log)
    except NoteError as error:
        raise EvidenceError(f"the checkpoint seen before: {error}") from None
    known = next((each for each in (checkpoint, older) if each and each.size == seen.size), None)
    if known is None:
        raise SeenError(
            f"the checkpoint seen before is of {seen.size} entries, and the evidence does not lead from it "
            f"to its own of {checkpoint.size}: make it anew with that checkpoint, or verify an export"
        )
    if not hmac.compare_digest(known.root, seen.root):
        raise EvidenceError(
            f"forked: the first {seen.size} entries of this log are not those that were seen before"
        )
    return seen.size


def _entry(file: EvidenceFile, number: int, checkpoint: Checkpoint) -> Entry:
    proved = file.entries[number]
    place = f"entry {proved.proof.index}"
    if number and proved.proof.index <= file.entries[number - 1].proof.index:
        raise EvidenceError(f"{place} does not stand in the order of the log")
    try:
        proved.proof.verify_under(checkpoint, proved.leaf)
        return Entry.parse(proved.leaf)
    except AuditError as error:
        raise EvidenceError(f"{place}: {error}") from None


def _check_one_exchange(entries: Mapping[int, Entry]) -> None:
    first = next(iter(entries.values()))
    if first.kind != PERMITTED or not all(isinstance(first.body.get(key), str) for key in _SAME):
        raise EvidenceError(f"the first entry is not the permit of an exchange ({PERMITTED})")
    for index, entry in entries.items():
        # what is not the exchange's own step may say less, but nothing else
        asked = _SAME if entry.kind.startswith("exchange.") else [key for key in _SAME if key in entry.body]
        for key in ("exchange", *asked):
            if entry.body.get(key) != first.body[key]:
                raise EvidenceError(f"entry {index} ({entry.kind}) is about another {key} than the permit")


def _openings(file: EvidenceFile, by_id: _ById) -> tuple[Told, ...]:
    told = []
    for opening in file.openings:
        index, entry = _of(by_id, opening.entry)
        commitments = entry.body.get("commitments")
        committed = commitments.get(opening.path) if isinstance(commitments, Mapping) else None
        try:
            if not isinstance(committed, str):
                raise EvidenceError("it has no such commitment")
            open_commitment(committed, opening.salt, entry.id, opening.path, opening.value)
        except AuditError as error:
            raise EvidenceError(f"an opening of entry {index} ({entry.kind}): {error}") from None
        told.append(Told(entry.id, opening.path, opening.value))
    _check_told_once((each.entry, each.path) for each in file.openings)
    return tuple(told)


def _items(file: EvidenceFile, by_id: _ById) -> tuple[Told, ...]:
    told = []
    for each in file.items:
        index, entry = _of(by_id, each.entry)
        try:
            verify_item(each.item, entry.id, each.path, entry.body.get("items", ""))
        except AuditError as error:
            raise EvidenceError(f"an item of entry {index} ({entry.kind}): {error}") from None
        told.append(Told(entry.id, each.path, each.item.value))
    _check_told_once((each.entry, each.path, each.item.index) for each in file.items)
    return tuple(told)


def _check_told_once(places: Iterable[tuple[object, ...]]) -> None:
    found = list(places)
    if len(set(found)) < len(found):
        raise EvidenceError("it opens something twice")


def _of(by_id: _ById, entry: UUID) -> tuple[int, Entry]:
    if entry not in by_id:
        raise EvidenceError("it opens something of an entry that it does not prove")
    return by_id[entry]
