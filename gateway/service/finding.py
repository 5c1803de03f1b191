"""Entries of the log by what they are about, newest first.

The index is made by whoever searches, from the entries added since the last search, so that no append waits
for it. It only says where to look: what is shown is read from the log itself.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final, Protocol

from audit.entry import Entry, Json
from gateway.domain.errors import BadInputError, NotFoundError, StoreAlteredError
from gateway.domain.exchange import Role
from gateway.domain.legal_date import start_of
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.review_ports import EarlierLog, IndexRow, Wanted
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.logs import MAX_PAGE, record_reading, shown

_BATCH: Final = 5_000  # entries indexed in one transaction
_LONGEST: Final = 200  # characters of a value that can be searched for
_YEARS: Final = range(1996, 9999)  # those whose days `legal_date` knows


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and before which entry to ask for the next page; None when there is no more."""

    entries: list[dict[str, Any]]
    before: int | None


def find(
    ctx: Context,
    user: User,
    wanted: Wanted,
    *,
    first: date | None = None,
    last: date | None = None,
    before: int | None = None,
    limit: int = 100,
    log: int | None = None,
) -> Page:
    """Entries in which all that is wanted holds, of the London days `first` to `last`; newest first.

    `log`: the number of an earlier log, which a relink set aside. That the log was read is recorded, by
    which of these, and not for what.

    Raises:
        BadInputError: a limit outside 1 to 1000, a negative `before`, or days that end before they begin.
        NotFoundError: there is no such earlier log.
    """
    require_role(user, Role.REVIEWER)
    if not 1 <= limit <= MAX_PAGE or (before is not None and before < 0):
        raise BadInputError(f"before must be 0 or more, limit 1 to {MAX_PAGE}", place="log")
    wanted = _within(wanted, first, last)
    catch_up(ctx)
    with ctx.store.begin() as uow:
        leaves, index = (uow.log, uow.log_index) if log is None else (_earlier(uow, log),) * 2
        found = index.find(wanted, before=before, limit=limit + 1)
        entries = [shown(number, entry) for number, entry in read(leaves, found[:limit])]
        by: list[Json] = [each.name for each in fields(wanted) if getattr(wanted, each.name)]
        record_reading(ctx, uow, user, {"by": by} | ({} if log is None else {"log": log}))
        uow.commit()
    return Page(entries, found[limit - 1] if len(found) > limit else None)


def _within(wanted: Wanted, first: date | None, last: date | None) -> Wanted:
    if any(day and day.year not in _YEARS for day in (first, last)) or (first and last and last < first):
        raise BadInputError("not days from 1996 on, the first before the last", place="log from, to")
    return replace(
        wanted,
        since=start_of(first) if first else wanted.since,
        until=start_of(last + timedelta(days=1)) if last else wanted.until,
    )


def _earlier(uow: UnitOfWork, number: int) -> EarlierLog:
    for log in uow.earlier_logs():
        if log.number == number:
            return log
    raise NotFoundError("there is no such earlier log", place="log")


def catch_up(ctx: Context) -> None:
    """Index the entries that were added since it was last done; a crash loses no more than one batch."""
    while True:
        with ctx.store.begin() as uow:
            if not _index_some(uow):
                return
            uow.commit()


def catch_up_within(uow: UnitOfWork) -> None:
    """The same for few entries, this unit's own included."""
    while _index_some(uow):
        pass


def _index_some(uow: UnitOfWork) -> bool:
    start = uow.log_index.following()
    stop = min(uow.log.size(), start + _BATCH)
    if start < stop:
        uow.log_index.add([row_of(start + i, leaf) for i, leaf in enumerate(uow.log.leaves(start, stop))])
    return start < stop


class Leaves(Protocol):
    """The leaves of a log, the one that runs or an earlier one."""

    def leaves(self, start: int, stop: int) -> Iterator[bytes]: ...


def read(log: Leaves, indexes: Sequence[int]) -> Iterator[tuple[int, Entry]]:
    """The entries at `indexes`, which descend; neighbours are read at once."""
    for _, run in groupby(enumerate(indexes), key=lambda placed: placed[0] + placed[1]):
        wanted = [index for _, index in run]
        leaves = list(log.leaves(wanted[-1], wanted[0] + 1))
        yield from zip(wanted, map(Entry.parse, reversed(leaves)), strict=True)


def row_of(index: int, leaf: bytes) -> IndexRow:
    """What of an entry can be searched for.

    Raises:
        StoreAlteredError: it is no entry.
    """
    try:
        said = json.loads(leaf)
        body: Mapping[str, Any] = said["body"]
        decision = _mapping(body.get("decision"))
        grounds = [*decision.get("basis", ()), *_mapping(body.get("legal_basis")).get("grounds", ())]
        return IndexRow(
            index,
            at=datetime.fromisoformat(said["at"]),
            kind=said["kind"],
            exchange=_text(body.get("exchange")),
            dataset=_text(body.get("dataset")),
            recipient=_text(body.get("recipient") or body.get("partner")),
            purpose=_text(body.get("purpose") or decision.get("purpose")),
            users=_texts([_mapping(body.get("actor")).get("id"), body.get("user"), body.get("released_to")]),
            law=_texts(_mapping(each).get("id") for each in grounds),
            refusals=_texts(
                [*(_mapping(each).get("code") for each in decision.get("unmet", ())), body.get("code")]
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StoreAlteredError(
            "not what was written", place=f"log entry {index}", way_out="Export the log and verify it"
        ) from None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    """A text that can be searched for; PostgreSQL stores no NUL, and nobody looks for one."""
    searchable = isinstance(value, str) and len(value) <= _LONGEST and "\0" not in value
    return str(value) if searchable else ""


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(_text, values))))
