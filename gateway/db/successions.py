"""Partners' successions of keys on PostgreSQL (`gateway.succession_ports`)."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import func, select, update

from gateway.db.engine import Session
from gateway.db.rows import add, add_unless_there
from gateway.db.tables import keys_taken, successions
from gateway.domain.errors import NotFoundError
from gateway.succession_ports import SuccessionRecord


class PostgresSuccessions:
    """`gateway.succession_ports.Successions`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, record: SuccessionRecord) -> None:
        add(self._session, successions, asdict(record), place="succession", taken="the number is taken")

    def of(self, partner: str) -> list[SuccessionRecord]:
        chosen = select(successions).where(successions.c.partner == partner)
        rows = self._session.run(chosen.order_by(successions.c.sequence))
        return [SuccessionRecord(**row._mapping) for row in rows]  # noqa: SLF001

    def confirm(self, partner: str, sequence: int, at: datetime) -> None:
        confirmed = (
            update(successions)
            .where(successions.c.partner == partner, successions.c.sequence == sequence)
            .values(confirmed_at=func.coalesce(successions.c.confirmed_at, at))
        )
        if not self._session.run(confirmed).rowcount:
            raise NotFoundError("there is none", place="succession")

    def take(self, partner: str, council: str, jws: str, at: datetime) -> None:
        add_unless_there(
            self._session, keys_taken, {"partner": partner, "council": council, "jws": jws, "at": at}
        )

    def taken(self, partner: str) -> str | None:
        chosen = select(keys_taken.c.council).where(keys_taken.c.partner == partner)
        newest = chosen.order_by(keys_taken.c.arrival.desc()).limit(1)
        found: str | None = self._session.run(newest).scalar_one_or_none()
        return found
