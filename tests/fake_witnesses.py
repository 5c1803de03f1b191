"""Witnesses and cosignatures in memory; a part of `fake_store`."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from gateway.domain.errors import ConflictError
from gateway.domain.exchange import ExchangeId
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord


@dataclass
class FakeWitnesses:
    """`gateway.witness_ports.Witnesses` over a unit of work."""

    unit: Any

    def announce(self, record: WitnessRecord) -> None:
        known = self.unit.write().witnesses
        others = {each.vkey for each in known.values() if each.partner != record.partner}
        if record.vkey in others:
            raise ConflictError("it contradicts what is stored", place="store")
        known[record.partner] = record

    def get(self, partner: str) -> WitnessRecord | None:
        return self.unit.state.witnesses.get(partner)

    def all(self) -> list[WitnessRecord]:
        return [record for _, record in sorted(self.unit.state.witnesses.items())]

    def alarm(self, record: AlarmRecord) -> bool:
        alarms = self.unit.write().alarms
        new = record.digest not in alarms
        alarms.setdefault(record.digest, record)
        return new

    def alarms(self) -> list[AlarmRecord]:
        return sorted(self.unit.state.alarms.values(), key=lambda each: (-each.at.timestamp(), each.digest))


@dataclass
class FakeCosignatures:
    """`gateway.witness_ports.Cosignatures` over a unit of work."""

    unit: Any

    def keep(self, record: CosignedRecord) -> bool:
        cosigned = self.unit.write().cosigned
        key = (record.origin, record.size, record.partner)
        new = key not in cosigned
        cosigned.setdefault(key, record)
        return new

    def newest(self, origin: str, partner: str) -> CosignedRecord | None:
        own = [each for each in self._of(origin) if each.partner == partner]
        return max(own, key=lambda each: each.size, default=None)

    def at(self, origin: str, size: int) -> list[CosignedRecord]:
        found = (each for each in self._of(origin) if each.size == size)
        return sorted(found, key=lambda each: each.partner)

    def largest(self, origin: str, least: int) -> int | None:
        counted = Counter(each.size for each in self._of(origin))
        return max((size for size, count in counted.items() if count >= least), default=None)

    def deliver(self, exchange: ExchangeId, origin: str, size: int) -> None:
        self.unit.write().deliveries.setdefault(exchange, (origin, size))

    def delivered(self, exchange: ExchangeId) -> tuple[str, int] | None:
        return self.unit.state.deliveries.get(exchange)

    def _of(self, origin: str) -> list[CosignedRecord]:
        return [each for each in self.unit.state.cosigned.values() if each.origin == origin]
