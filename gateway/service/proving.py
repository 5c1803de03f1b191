"""Evidence of one exchange for somebody outside: `audit.evidence` says what it is and checks it.

It shows nobody unless asked to. Each request for it is recorded first, whatever comes of it: evidence that is
opened, or that proves a person, is a disclosure to whoever receives it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from audit.checkpoint import unsafe_read_checkpoint
from audit.entry import Entry
from audit.errors import EvidenceError, NoteError
from audit.evidence_file import EntryItem, EvidenceFile, Older, Opening, ProvedEntry
from audit.items import ItemTree, Sealed
from audit.proof import LogProof
from audit.proved import PERMITTED
from gateway.domain.errors import BadInputError, NotFoundError
from gateway.domain.exchange import Exchange, ExchangeId, Role
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.cosigned import best_note
from gateway.service.exchanges import require_not_own
from gateway.service.itemising import PERSON, UNIT, get_items
from gateway.service.recording import OPENINGS, actor_of, record_exchange
from gateway.service.sealing import ACCOUNT_KEY, ACCOUNTING, get_sealed

REQUESTED = "log.evidence-requested"
_DESTROYED = "what was kept of it is destroyed: its clock has run out"
_Value: TypeAlias = Mapping[str, Any]


def prove(
    ctx: Context,
    user: User,
    exchange_id: ExchangeId,
    *,
    person: str | None = None,
    openings: bool = False,
    seen: bytes | None = None,
) -> bytes:
    """The evidence file of an exchange, under the newest cosigned checkpoint that holds all of it, if any.

    `person`: a person_id or household_id of the list, whose items are proved and nobody else's; where it is
    both, the person's. `openings`: open every commitment that is still kept. `seen`: a checkpoint of this log
    that the reader has; the file proves that the log extends it.

    Raises:
        NotAllowedError: no reviewer, or the user's own exchange.
        NotFoundError: no such exchange; nobody of it has the reference; or what opens it is destroyed.
        BadInputError: `seen` is no checkpoint, or of a longer log; or the evidence is over 8 MiB.
    """
    require_role(user, Role.REVIEWER)
    _record(ctx, user, exchange_id, person, openings=openings)
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        steps = list(_steps(uow, exchange_id, uow.log.size()))
        if not steps or steps[0].entry.kind != PERMITTED:
            raise NotFoundError("its permit stands in an earlier log", place="evidence")
        note = best_note(uow, max(steps[-1].index + 1, _size(seen) if seen is not None else 0))
        entries = [step.entry for step in steps]
        file = EvidenceFile(
            tuple(step.proved(uow, note) for step in steps),
            tuple(_openings(ctx, uow, exchange, entries)) if openings else (),
            tuple(_items(ctx, uow, exchange, entries, person)) if person is not None else (),
            _older(uow, note, seen) if seen is not None else None,
        )
    try:
        return file.to_bytes()
    except EvidenceError as error:
        raise BadInputError(str(error), place="evidence", way_out="Ask for one person") from None


def _record(ctx: Context, user: User, exchange_id: ExchangeId, person: str | None, *, openings: bool) -> None:
    with ctx.store.begin() as uow:
        kept = person is not None and _accounted(ctx, exchange_id)
        exchange = uow.exchanges.get(exchange_id)
        require_not_own(user, exchange)
        record_exchange(
            ctx,
            uow,
            REQUESTED,
            exchange,
            actor=actor_of(ctx, user),
            at=ctx.clock(),
            body={"openings": openings, "one_person": person is not None},
            accounted={"person": person or ""} if kept else None,
        )
        uow.commit()


def _accounted(ctx: Context, exchange: ExchangeId) -> bool:
    """Whether it is still kept who was told about whom."""
    try:
        ctx.exchange_keys.get(exchange, ACCOUNT_KEY)
    except NotFoundError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Step:
    index: int
    leaf: bytes
    entry: Entry

    def proved(self, uow: UnitOfWork, note: bytes) -> ProvedEntry:
        path = uow.log.inclusion(self.index, unsafe_read_checkpoint(note).size)
        return ProvedEntry(self.leaf, LogProof(self.index, tuple(path), note))


def _steps(uow: UnitOfWork, exchange: ExchangeId, size: int) -> Iterator[_Step]:
    """The entries about an exchange; those about the log, who asked for evidence say, are no step of it."""
    mark = f'"exchange":"{exchange}"'.encode()
    for index, leaf in enumerate(uow.log.leaves(0, size)):
        if mark in leaf:
            entry = Entry.parse(leaf)
            if entry.body.get("exchange") == str(exchange) and not entry.kind.startswith("log."):
                yield _Step(index, leaf, entry)


def _openings(
    ctx: Context, uow: UnitOfWork, exchange: Exchange, entries: Sequence[Entry]
) -> Iterator[Opening]:
    found = False
    for entry, clock in product(entries, (ACCOUNTING, "")):
        try:
            kept = get_sealed(ctx, uow, exchange.id, f"{clock}{OPENINGS}{entry.id}")
        except NotFoundError:
            continue
        for path, opening in kept.items():
            found = True
            yield Opening(entry.id, path, bytes.fromhex(opening["salt"]), opening["value"])
    if not found:
        raise NotFoundError(_DESTROYED, place="openings")


def _items(
    ctx: Context, uow: UnitOfWork, exchange: Exchange, entries: Sequence[Entry], ref: str
) -> Iterator[EntryItem]:
    """Each item about the person or household; what was released only for as long as it is kept."""
    with_items = [entry for entry in entries if "items" in entry.body]
    if not with_items:
        raise NotFoundError("nobody was asked about, or it was before items were kept", place="person")
    persons: Sequence[_Value] | None = None
    for entry, path in product(with_items, (PERSON, UNIT)):
        try:
            sealed = get_items(ctx, uow, exchange.id, entry.id, path)
        except NotFoundError:
            continue
        if path == PERSON:
            persons = _meant(sealed, ref)
        yield from _chosen(sealed, entry, path, persons or ())
    if persons is None:
        raise NotFoundError(_DESTROYED, place="person")


def _meant(sealed: Sealed, ref: str) -> list[_Value]:
    values = [value for value in sealed.values if value is not None]
    for key in ("person_id", "household_id"):
        if found := [value for value in values if value[key] == ref]:
            return found
    raise NotFoundError("nobody of this exchange has this reference", place="person")


def _chosen(sealed: Sealed, entry: Entry, path: str, persons: Sequence[_Value]) -> Iterator[EntryItem]:
    tree = ItemTree(sealed, entry.id, path)
    for index, value in enumerate(sealed.values):
        if value is not None and _is_about(value, persons):
            yield EntryItem(entry.id, path, tree.item(index))


def _is_about(value: _Value, persons: Sequence[_Value]) -> bool:
    """What is about a household is about each person of it."""
    key = "person_id" if "person_id" in value else "household_id"
    return any(value[key] == each[key] for each in persons)


def _size(seen: bytes) -> int:
    try:
        return unsafe_read_checkpoint(seen).size
    except NoteError as error:
        raise BadInputError(str(error), place="seen") from None


def _older(uow: UnitOfWork, note: bytes, seen: bytes) -> Older:
    then, now = _size(seen), unsafe_read_checkpoint(note).size
    if not 0 < then <= now:
        raise BadInputError("a checkpoint of an empty log, or of a longer one than this", place="seen")
    return Older(seen, tuple(uow.log.consistency(then, now)))
