"""Who was told about one person: the answer to a request under UK GDPR Article 15, and the list that a notice
under Article 19 goes to.

Nothing typed is kept, logged or digested. Each use stands in the log before anything is looked at.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import polars as pl

from audit.entry import Entry, Json
from gateway.domain.errors import BadInputError, ConflictError, NotFoundError, TooManyError, VerificationError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.legal_date import legal_date, start_of
from gateway.domain.people import IDENTIFYING
from gateway.intake import read_person_file
from gateway.linkage.scheme import V1
from gateway.linkage.tokens import parts_of
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.review_ports import Wanted
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.finding import catch_up, catch_up_within, read
from gateway.service.limiting import until_tomorrow
from gateway.service.recording import actor_of, record
from gateway.service.sealing import TAGS_KEY
from gateway.service.search_context import SearchContext
from gateway.service.subject_tags import LABELS, agreeing, unsealed

SEARCHED: Final = "log.searched"
NOTE: Final = (
    "Found by keyed hashes of the details typed. A match may be another person who shares them; "
    "no match is no proof that the person was never asked about: details may have been recorded otherwise, "
    "and what was destroyed at the end of its time can't be searched."
)
_MANY: Final = 10_000  # entries of one exchange: more than it can have


class Reason(StrEnum):
    """Why a search is made; nothing else about it is written down."""

    SUBJECT_ACCESS = "subject-access"  # UK GDPR Article 15
    RECTIFICATION = "rectification-notice"  # Articles 16 and 19
    ERASURE = "erasure-notice"  # Articles 17 and 19
    RESTRICTION = "restriction-notice"  # Articles 18 and 19
    OBJECTION = "objection"  # Article 21
    COMPLAINT = "complaint"
    AUDIT = "audit"


class Outcome(StrEnum):
    """How far an exchange went; from `sent` on, the list counts as disclosed."""

    NOT_SENT = "not-sent"
    SENT = "sent"
    ANSWERED = "answered"
    RELEASED = "released"
    REFUSED = "refused"  # by the partner
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_OUTCOMES: Final = {
    "exchange.permitted": Outcome.NOT_SENT,
    "exchange.request-authorised": Outcome.SENT,
    "exchange.delivered": Outcome.ANSWERED,
    "exchange.release-authorised": Outcome.RELEASED,
    "exchange.declined": Outcome.REFUSED,
    "exchange.failed": Outcome.FAILED,
    "exchange.expired": Outcome.EXPIRED,
    "exchange.cancelled": Outcome.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One exchange that asked about the person, as the log tells it. `law`: what the permit rests on.

    `earlier_entries`: those about it in logs that a relink set aside, by the log's number.
    """

    exchange: str
    matched_by: tuple[str, ...]
    asked_at: str
    dataset: str
    recipient: str
    purpose: str
    framework: str
    agreement: str
    law: tuple[dict[str, str], ...]
    indicators_asked: tuple[str, ...]
    outcome: Outcome
    outcome_at: str
    disclosed: bool
    released_at: str
    retention_days: Mapping[str, int]
    entries: tuple[int, ...]
    earlier_entries: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`asked`: newest first. `unreadable`: exchanges whose tags were altered, or sealed for another key."""

    looked_at: int
    asked: tuple[Asked, ...]
    unreadable: tuple[str, ...]
    note: str = NOTE


def search(review: SearchContext, user: User, details: Mapping[str, str], reason: Reason) -> Answer:
    """Every exchange that asked about a person, while the accounting clock runs.

    `details`: columns of a person file, as typed.

    Raises:
        BadListError: a detail is malformed; named by column, never by value.
        BadInputError: too little was given to search by.
        TooManyError: the user has made as many searches today as are allowed; the log says so.
        ConflictError: the search key is not on this machine; the log says so.
        LogUnavailableError: the log can't be written, so nothing was looked at.
    """
    require_role(user, Role.REVIEWER)
    ctx = review.context
    person = _parts(ctx, details)
    try:
        opened = review.search_key.opener()
    except NotFoundError:
        _refuse(ctx, user, reason, "no-search-key")
        raise ConflictError(
            "the search key is not on this machine",
            place="subject search",
            way_out="Search where it is kept (SECURITY.md)",
        ) from None
    sealed = _sealed_keys(ctx)
    _allow(review, user, reason, len(sealed))
    asked, unreadable = [], []
    with ctx.store.begin() as uow:
        for exchange, key in sealed.items():
            try:
                by = _agreeing(uow, exchange, opened(exchange, key), person)
            except VerificationError:
                unreadable.append(str(exchange))
                continue
            told = _asked(uow, exchange, by) if by else None
            if told is not None:
                asked.append(told)
            elif by:
                unreadable.append(str(exchange))
    asked.sort(key=lambda each: each.asked_at, reverse=True)
    return Answer(len(sealed), tuple(asked), tuple(unreadable))


def _parts(ctx: Context, details: Mapping[str, str]) -> pl.DataFrame:
    """The parts of match keys of one person.

    It is read as a file of one row: so the rules for each column are those of every other list.
    """
    given = {name: text for name, text in details.items() if text.strip()}
    if not given or not given.keys() <= IDENTIFYING.keys():
        raise BadInputError(
            "nothing to search by, or not a column of a person file",
            place="subject search",
            way_out=f"Give any of {', '.join(IDENTIFYING)}",
        )
    text = io.StringIO()
    csv.writer(text).writerows([list(given), list(given.values())])
    today = legal_date(ctx.clock())
    person = read_person_file([text.getvalue().encode()], today=today, postcode_check=False).people
    parts = parts_of(person.frame, V1)
    if not any(all(parts[part][0] is not None for part in label.split(".")) for label in LABELS):
        raise BadInputError(
            "too little to search by, or details that stand for nobody",
            place="subject search",
            way_out="Give forename, surname and date of birth, or a number with one of them",
        )
    return parts


def _sealed_keys(ctx: Context) -> dict[ExchangeId, bytes]:
    """The sealed secrets of all exchanges that can still be searched."""
    with ctx.store.begin() as uow:
        exchanges = uow.subject_tags.exchanges()
    found = {}
    for exchange in exchanges:
        try:
            found[exchange] = ctx.exchange_keys.get(exchange, TAGS_KEY)
        except NotFoundError:
            continue  # its accounting clock has ended
    return found


def _allow(review: SearchContext, user: User, reason: Reason, exchanges: int) -> None:
    """Record the use, unless it is one too many. The log's lock lets no two uses count at once."""
    ctx = review.context
    catch_up(ctx)
    at = ctx.clock()
    body: dict[str, Json] = {"reason": reason.value, "exchanges": exchanges}
    with ctx.store.begin() as uow:
        record(ctx, uow, SEARCHED, actor=actor_of(ctx, user), body=body, at=at)
        catch_up_within(uow)
        today = Wanted(kind=SEARCHED, user=str(user.id), since=start_of(legal_date(at)))
        if uow.log_index.count(today) <= review.per_day:
            uow.commit()
            return
    _refuse(ctx, user, reason, "too-many")
    raise TooManyError(
        f"this user has searched {review.per_day} times today",
        place="subject search",
        way_out="Go on tomorrow, or have FLAGSTONE_SEARCHES_PER_DAY raised",
        limit="searches-a-day",
        retry_after=until_tomorrow(ctx.clock()),
    )


def _refuse(ctx: Context, user: User, reason: Reason, code: str) -> None:
    with ctx.store.begin() as uow:
        body = {"reason": reason.value, "code": code}
        record(ctx, uow, "log.search-refused", actor=actor_of(ctx, user), body=body, at=ctx.clock())
        uow.commit()


def _agreeing(uow: UnitOfWork, exchange: ExchangeId, secret: bytes, person: pl.DataFrame) -> tuple[str, ...]:
    try:
        tags = unsealed(exchange, secret, uow.subject_tags.get(exchange))
    except NotFoundError:
        return ()  # its accounting clock ends at this moment
    return tuple(LABELS[label] for label in agreeing(person, secret, tags))


def _asked(uow: UnitOfWork, exchange: ExchangeId, by: tuple[str, ...]) -> Asked | None:
    """None where no log tells of its permit."""
    wanted = Wanted(exchange=str(exchange))
    indexes = uow.log_index.find(wanted, before=None, limit=_MANY)
    entries = list(read(uow.log, indexes))
    earlier: dict[int, tuple[int, ...]] = {}
    for log in uow.earlier_logs():
        if found := log.find(wanted, before=None, limit=_MANY):
            entries += read(log, found)
            earlier[log.number] = tuple(sorted(found))
    told = [entry for _, entry in entries if entry.kind in _OUTCOMES]
    by_kind = {entry.kind: entry for entry in reversed(told)}
    if "exchange.permitted" not in by_kind:
        return None
    permitted, last = by_kind["exchange.permitted"], told[0]
    body: Any = permitted.body
    released = by_kind.get("exchange.release-authorised")
    return Asked(
        exchange=str(exchange),
        matched_by=by,
        asked_at=permitted.at.isoformat(),
        dataset=body["dataset"],
        recipient=body["recipient"],
        purpose=body["purpose"],
        framework=body["framework"],
        agreement=body["agreement"],
        law=tuple(
            {name: str(ground[name]) for name in ("role", "id", "title", "citation")}
            for ground in body["decision"]["basis"]
        ),
        indicators_asked=tuple(body["indicators_asked"]),
        outcome=_OUTCOMES[last.kind],
        outcome_at=last.at.isoformat(),
        disclosed="exchange.request-authorised" in by_kind,
        released_at=released.at.isoformat() if isinstance(released, Entry) else "",
        retention_days=dict(body.get("retention_days", {})),
        entries=tuple(sorted(indexes)),
        earlier_entries=earlier,
    )
