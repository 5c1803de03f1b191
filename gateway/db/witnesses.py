"""Witnesses and what they cosigned, on PostgreSQL (`gateway.witness_ports`)."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session
from gateway.db.rows import add_unless_there
from gateway.db.tables import cosigned, deliveries, witness_alarms, witnesses
from gateway.domain.exchange import ExchangeId
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord


class PostgresWitnesses:
    """`gateway.witness_ports.Witnesses`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def announce(self, record: WitnessRecord) -> None:
        values = asdict(record)
        changed = {name: values[name] for name in ("vkey", "jws", "announced_at")}
        added = insert(witnesses).values(**values)
        self._session.run(added.on_conflict_do_update(index_elements=["partner"], set_=changed))

    def get(self, partner: str) -> WitnessRecord | None:
        row = self._session.run(select(witnesses).where(witnesses.c.partner == partner)).one_or_none()
        return WitnessRecord(**row._mapping) if row else None  # noqa: SLF001

    def all(self) -> list[WitnessRecord]:
        rows = self._session.run(select(witnesses).order_by(witnesses.c.partner))
        return [WitnessRecord(**row._mapping) for row in rows]  # noqa: SLF001

    def alarm(self, record: AlarmRecord) -> bool:
        return add_unless_there(self._session, witness_alarms, asdict(record))

    def alarms(self) -> list[AlarmRecord]:
        newest = witness_alarms.c.at.desc(), witness_alarms.c.digest
        rows = self._session.run(select(witness_alarms).order_by(*newest))
        return [AlarmRecord(**row._mapping) for row in rows]  # noqa: SLF001


class PostgresCosignatures:
    """`gateway.witness_ports.Cosignatures`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, record: CosignedRecord) -> bool:
        return add_unless_there(self._session, cosigned, asdict(record))

    def newest(self, origin: str, partner: str) -> CosignedRecord | None:
        chosen = select(cosigned).where(cosigned.c.origin == origin, cosigned.c.partner == partner)
        row = self._session.run(chosen.order_by(cosigned.c.size.desc()).limit(1)).one_or_none()
        return _cosigned(row) if row else None

    def at(self, origin: str, size: int) -> list[CosignedRecord]:
        chosen = select(cosigned).where(cosigned.c.origin == origin, cosigned.c.size == size)
        return [_cosigned(row) for row in self._session.run(chosen.order_by(cosigned.c.partner))]

    def largest(self, origin: str, least: int) -> int | None:
        sizes = select(cosigned.c.size).where(cosigned.c.origin == origin).group_by(cosigned.c.size)
        enough = sizes.having(func.count() >= least).order_by(cosigned.c.size.desc()).limit(1)
        size = self._session.run(enough).scalar_one_or_none()
        return None if size is None else int(size)

    def deliver(self, exchange: ExchangeId, origin: str, size: int) -> None:
        values = {"exchange": exchange, "origin": origin, "size": size}
        add_unless_there(self._session, deliveries, values)

    def delivered(self, exchange: ExchangeId) -> tuple[str, int] | None:
        chosen = select(deliveries).where(deliveries.c.exchange == exchange)
        row = self._session.run(chosen).one_or_none()
        return (row.origin, int(row.size)) if row else None


def _cosigned(row: Row[Any]) -> CosignedRecord:
    return CosignedRecord(row.origin, row.size, row.partner, bytes(row.note), row.at)
