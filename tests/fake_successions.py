"""Partners' successions in memory; a part of `fake_store`."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.domain.errors import ConflictError, NotFoundError
from gateway.succession_ports import SuccessionRecord


@dataclass
class FakeSuccessions:
    """`gateway.succession_ports.Successions` over a unit of work."""

    unit: Any

    def add(self, record: SuccessionRecord) -> None:
        kept = self.unit.write().successions
        if (record.partner, record.sequence) in kept:
            raise ConflictError("the number is taken", place="succession")
        kept[record.partner, record.sequence] = record

    def of(self, partner: str) -> list[SuccessionRecord]:
        return [each for (whose, _), each in sorted(self.unit.state.successions.items()) if whose == partner]

    def confirm(self, partner: str, sequence: int, at: datetime) -> None:
        kept = self.unit.write().successions
        record = kept.get((partner, sequence))
        if record is None:
            raise NotFoundError("there is none", place="succession")
        kept[partner, sequence] = replace(record, confirmed_at=record.confirmed_at or at)

    def take(self, partner: str, council: str, jws: str, at: datetime) -> None:
        del at
        self.unit.write().keys_taken.setdefault((partner, council), jws)

    def taken(self, partner: str) -> str | None:
        """The newest: a dict keeps the order of arrival."""
        words = [council for whose, council in self.unit.state.keys_taken if whose == partner]
        return words[-1] if words else None
