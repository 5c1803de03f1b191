"""Exchanges, vault, mailbox, submissions and replays on PostgreSQL (`gateway.ports`)."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session
from gateway.db.rows import add, add_unless_there, found
from gateway.db.tables import UNFINISHED, exchanges, mailbox, replays, submissions, vault
from gateway.domain.errors import ConflictError
from gateway.domain.exchange import Exchange, ExchangeId, Granularity, Status
from gateway.ports import Submission

_FORGET_EVERY: Final = 16  # one use in so many, by its digest, saves the others a round trip
_FORGOTTEN_AT_ONCE: Final = 200  # more than were added in between, so that what is over never piles up


class PostgresExchanges:
    """`gateway.ports.Exchanges`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, exchange: Exchange) -> None:
        values = asdict(exchange) | {"indicators": list(exchange.indicators)}
        add(self._session, exchanges, values, place="exchange", taken="the id is taken")

    def get(self, exchange: ExchangeId) -> Exchange:
        chosen = select(exchanges).where(exchanges.c.id == exchange)
        return _exchange(found(self._session.run(chosen).one_or_none(), "exchange"))

    def all(self, *, submitted_by: UUID | None = None, partner: str | None = None) -> list[Exchange]:
        chosen = select(exchanges).order_by(exchanges.c.submitted_at.desc(), exchanges.c.id)
        if submitted_by is not None:
            chosen = chosen.where(exchanges.c.submitted_by == submitted_by)
        if partner is not None:
            chosen = chosen.where(exchanges.c.partner == partner)
        return [_exchange(row) for row in self._session.run(chosen)]

    def advance(self, exchange: ExchangeId, to: Status, *, frm: Iterable[Status]) -> bool:
        # the lock makes a concurrent step wait here, and then see what this one did
        held = select(exchanges.c.status).where(exchanges.c.id == exchange).with_for_update()
        status = Status(found(self._session.run(held).one_or_none(), "exchange").status)
        if status is to:
            return False
        if status not in frm:
            raise ConflictError(f"it is {status} and can't become {to}", place="exchange")
        self._session.run(update(exchanges).where(exchanges.c.id == exchange).values(status=to))
        return True

    def recent(self, partner: str, dataset: str, since: datetime) -> list[Exchange]:
        key = int.from_bytes(sha256(f"{partner}\0{dataset}".encode()).digest()[:8], signed=True)
        self._session.run(select(func.pg_advisory_xact_lock(key)))
        chosen = (
            select(exchanges)
            .where(exchanges.c.partner == partner, exchanges.c.dataset == dataset)
            .where(exchanges.c.submitted_at > since)
            .order_by(exchanges.c.submitted_at.desc(), exchanges.c.id)
        )
        return [_exchange(row) for row in self._session.run(chosen)]

    def counted(
        self, since: datetime, *, agreement: str | None = None, submitted_by: UUID | None = None
    ) -> tuple[int, int]:
        whose = f"counted\0{agreement}\0{submitted_by}"
        key = int.from_bytes(sha256(whose.encode()).digest()[:8], signed=True)
        self._session.run(select(func.pg_advisory_xact_lock(key)))
        told = select(func.count(), func.coalesce(func.sum(exchanges.c.slots), 0))
        told = told.where(exchanges.c.submitted_at >= since)
        if agreement is not None:
            told = told.where(exchanges.c.agreement == agreement)
        if submitted_by is not None:
            told = told.where(exchanges.c.submitted_by == submitted_by)
        row: Any = self._session.run(told).one()
        return int(row[0]), int(row[1])

    def unfinished(self) -> list[Exchange]:
        chosen = select(exchanges).where(UNFINISHED).order_by(exchanges.c.submitted_at)
        return [_exchange(row) for row in self._session.run(chosen)]


def _exchange(row: Row[Any]) -> Exchange:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    return Exchange(
        **values
        | {
            "granularity": Granularity(row.granularity),
            "indicators": tuple(row.indicators),
            "status": Status(row.status),
        }
    )


class PostgresVault:
    """`gateway.ports.Vault`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, exchange: ExchangeId, kind: str, sealed: bytes) -> None:
        stored = insert(vault).values(exchange=exchange, kind=kind, sealed=sealed)
        replaced = stored.on_conflict_do_update(
            index_elements=[vault.c.exchange, vault.c.kind], set_={"sealed": stored.excluded.sealed}
        )
        self._session.run(replaced)

    def get(self, exchange: ExchangeId, kind: str) -> bytes:
        chosen = select(vault.c.sealed).where(vault.c.exchange == exchange, vault.c.kind == kind)
        return bytes(found(self._session.run(chosen).one_or_none(), "vault").sealed)

    def drop(self, exchange: ExchangeId, kind: str) -> None:
        self._session.run(delete(vault).where(vault.c.exchange == exchange, vault.c.kind == kind))

    def kinds(self, exchange: ExchangeId) -> list[str]:
        chosen = select(vault.c.kind).where(vault.c.exchange == exchange).order_by(vault.c.kind)
        return list(self._session.run(chosen).scalars())


class PostgresMailbox:
    """`gateway.ports.Mailbox`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def post(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        values = {"partner": partner, "exchange": exchange, "bundle": bundle}
        if add_unless_there(self._session, mailbox, values):
            return
        same = select(mailbox.c.exchange).filter_by(**values)
        if self._session.run(same).one_or_none() is None:
            raise ConflictError("another bundle waits for this exchange", place="mailbox")

    def waiting(self, partner: str) -> list[ExchangeId]:
        chosen = select(mailbox.c.exchange).where(mailbox.c.partner == partner).order_by(mailbox.c.arrival)
        return list(self._session.run(chosen).scalars())

    def fetch(self, partner: str, exchange: ExchangeId) -> bytes:
        chosen = select(mailbox.c.bundle).where(mailbox.c.exchange == exchange, mailbox.c.partner == partner)
        return bytes(found(self._session.run(chosen).one_or_none(), "mailbox").bundle)

    def remove(self, exchange: ExchangeId) -> None:
        self._session.run(delete(mailbox).where(mailbox.c.exchange == exchange))


class PostgresSubmissions:
    """`gateway.ports.Submissions`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, user: UUID, key_hash: bytes) -> Submission | None:
        chosen = select(submissions).where(submissions.c.user_id == user, submissions.c.key_hash == key_hash)
        row = self._session.run(chosen).one_or_none()
        if row is None:
            return None
        return Submission(row.user_id, row.key_hash, row.request_digest, row.exchange, row.outcome)

    def remember(self, submission: Submission) -> None:
        values = asdict(submission)
        values["user_id"] = values.pop("user")
        # the loser of two twins is told once the winner has committed, so it can read what was answered
        add(self._session, submissions, values, place="submission", taken="the idempotency key is in use")

    def under_way(self, user: UUID, request_digest: bytes) -> ExchangeId | None:
        key = int.from_bytes(sha256(user.bytes + request_digest).digest()[:8], signed=True)
        self._session.run(select(func.pg_advisory_xact_lock(key)))
        same = (
            select(exchanges.c.id)
            .join(submissions, submissions.c.exchange == exchanges.c.id)
            .where(submissions.c.user_id == user, submissions.c.request_digest == request_digest, UNFINISHED)
            .limit(1)
        )
        return self._session.run(same).scalar_one_or_none()

    def forget(self, exchange: ExchangeId) -> None:
        self._session.run(delete(submissions).where(submissions.c.exchange == exchange))


class PostgresReplays:
    """`gateway.ports.Replays`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def use(self, digest: bytes, until: datetime, now: datetime) -> None:
        if digest[0] % _FORGET_EVERY == 0:
            self._forget(now)
        first = insert(replays).values(digest=digest, until=until)
        used = first.on_conflict_do_update(
            index_elements=["digest"], set_={"until": until}, where=replays.c.until <= now
        ).returning(literal(1))
        if self._session.run(used).one_or_none() is None:
            raise ConflictError("it was used before", place="one-time id")

    def _forget(self, now: datetime) -> None:
        """A few at a time, and none that another unit is at, so that no request waits for another's ids."""
        over = (
            select(replays.c.digest)
            .where(replays.c.until <= now)
            .limit(_FORGOTTEN_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        self._session.run(delete(replays).where(replays.c.digest.in_(over)))
