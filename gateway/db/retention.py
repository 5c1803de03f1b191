"""Retention clocks and legal holds on PostgreSQL (`gateway.ports`)."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session
from gateway.db.rows import add
from gateway.db.tables import RUNNING, UNCERTIFIED, UNTAKEN, exchanges, holds, retentions
from gateway.domain.exchange import ExchangeId
from gateway.domain.retention import Hold, HoldReason, Retention, RetentionClock

_COLUMNS = [column for column in retentions.c if column.name != "taken"]


class PostgresRetentions:
    """`gateway.ports.Retentions`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, retention: Retention) -> None:
        add(self._session, retentions, asdict(retention), place="retention", taken="the clock is set already")

    def of(self, exchange: ExchangeId, *, alone: bool = False) -> dict[RetentionClock, Retention]:
        chosen = select(*_COLUMNS).where(retentions.c.exchange == exchange).order_by(retentions.c.clock)
        found = self._all(chosen.with_for_update() if alone else chosen)
        return {each.clock: each for each in found}

    def start(self, exchange: ExchangeId, day: date) -> None:
        ended = (retentions.c.exchange == exchange) & retentions.c.due.is_(None)
        self._session.run(update(retentions).where(ended).values(due=day + retentions.c.days))

    def bring_forward(self, exchange: ExchangeId, clock: RetentionClock, day: date) -> None:
        one = (retentions.c.exchange == exchange) & (retentions.c.clock == clock)
        later = one & (retentions.c.due > day) & retentions.c.destroyed_at.is_(None)
        self._session.run(update(retentions).where(later).values(due=day))

    def due(self, today: date, limit: int) -> list[Retention]:
        held = exists().where(holds.c.exchange == retentions.c.exchange)
        chosen = select(*_COLUMNS).where(RUNNING, retentions.c.due <= today, ~held)
        return self._all(chosen.order_by(retentions.c.due, retentions.c.clock.desc()).limit(limit))

    def destroyed(self, exchange: ExchangeId, clock: RetentionClock, at: datetime, entry: int) -> None:
        self._change(exchange, clock, destroyed_at=at, entry=entry)

    def uncertified(self, limit: int) -> list[Retention]:
        return self._all(select(*_COLUMNS).where(UNCERTIFIED).limit(limit))

    def certify(self, exchange: ExchangeId, clock: RetentionClock, certificate: str) -> None:
        self._change(exchange, clock, certificate=certificate)

    def untaken(self, partner: str, limit: int) -> list[Retention]:
        chosen = select(*_COLUMNS).join(exchanges, exchanges.c.id == retentions.c.exchange)
        waiting = chosen.where(UNTAKEN, exchanges.c.partner == partner)
        return self._all(waiting.order_by(retentions.c.destroyed_at, retentions.c.exchange).limit(limit))

    def take(self, exchange: ExchangeId, clock: RetentionClock) -> None:
        self._change(exchange, clock, taken=True)

    def _change(self, exchange: ExchangeId, clock: RetentionClock, **values: object) -> None:
        one = (retentions.c.exchange == exchange) & (retentions.c.clock == clock)
        self._session.run(update(retentions).where(one).values(**values))

    def _all(self, chosen: Select[Any]) -> list[Retention]:
        return [_retention(row) for row in self._session.run(chosen)]


def _retention(row: Row[Any]) -> Retention:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    return Retention(**values | {"clock": RetentionClock(row.clock)})


class PostgresHolds:
    """`gateway.ports.Holds`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def place(self, hold: Hold) -> None:
        stored = insert(holds).values(**asdict(hold))
        later = {"until": stored.excluded.until, "reason": stored.excluded.reason}
        self._session.run(stored.on_conflict_do_update(index_elements=[holds.c.exchange], set_=later))

    def of(self, exchange: ExchangeId) -> Hold | None:
        row = self._session.run(select(holds).where(holds.c.exchange == exchange)).one_or_none()
        return _hold(row) if row else None

    def lift(self, exchange: ExchangeId) -> None:
        self._session.run(delete(holds).where(holds.c.exchange == exchange))

    def over(self, today: date) -> list[Hold]:
        chosen = select(holds).where(holds.c.until < today).order_by(holds.c.until, holds.c.exchange)
        return [_hold(row) for row in self._session.run(chosen)]


def _hold(row: Row[Any]) -> Hold:
    return Hold(row.exchange, row.until, HoldReason(row.reason))
