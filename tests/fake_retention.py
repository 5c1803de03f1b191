"""Retention clocks and holds in memory, over the state of a `FakeUnitOfWork`."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from gateway.domain.errors import ConflictError
from gateway.domain.exchange import ExchangeId
from gateway.domain.retention import Hold, Retention, RetentionClock


class _Table:
    def __init__(self, unit) -> None:
        self.unit = unit


class FakeRetentions(_Table):
    """`gateway.ports.Retentions`."""

    def add(self, retention: Retention) -> None:
        kept = self.unit.write().retentions
        key = (retention.exchange, retention.clock)
        if key in kept:
            raise ConflictError("the clock is set already", place="retention")
        kept[key] = retention

    def of(self, exchange: ExchangeId, *, alone: bool = False) -> dict[RetentionClock, Retention]:
        state = self.unit.write() if alone else self.unit.state
        return {clock: kept for (whose, clock), kept in state.retentions.items() if whose == exchange}

    def start(self, exchange: ExchangeId, day: date) -> None:
        for clock, kept in self.of(exchange, alone=True).items():
            if kept.due is None:
                self._change(exchange, clock, due=day + timedelta(days=kept.days))

    def bring_forward(self, exchange: ExchangeId, clock: RetentionClock, day: date) -> None:
        kept = self.of(exchange, alone=True).get(clock)
        if kept and kept.due and kept.due > day and not kept.destroyed_at:
            self._change(exchange, clock, due=day)

    def due(self, today: date, limit: int) -> list[Retention]:
        state = self.unit.state
        found = [
            kept
            for kept in state.retentions.values()
            if kept.due and kept.due <= today and not kept.destroyed_at and kept.exchange not in state.holds
        ]
        found.sort(key=lambda kept: kept.clock, reverse=True)
        return sorted(found, key=lambda kept: kept.due)[:limit]

    def destroyed(self, exchange: ExchangeId, clock: RetentionClock, at: datetime, entry: int) -> None:
        self._change(exchange, clock, destroyed_at=at, entry=entry)

    def uncertified(self, limit: int) -> list[Retention]:
        kept = self.unit.state.retentions.values()
        return [each for each in kept if each.destroyed_at and each.certificate is None][:limit]

    def certify(self, exchange: ExchangeId, clock: RetentionClock, certificate: str) -> None:
        self._change(exchange, clock, certificate=certificate)

    def untaken(self, partner: str, limit: int) -> list[Retention]:
        state = self.unit.state
        found = [
            kept
            for key, kept in state.retentions.items()
            if kept.certificate and key not in state.taken and state.exchanges[key[0]].partner == partner
        ]
        return sorted(found, key=lambda kept: (kept.destroyed_at, kept.exchange))[:limit]

    def take(self, exchange: ExchangeId, clock: RetentionClock) -> None:
        if (exchange, clock) in self.unit.write().retentions:
            self.unit.write().taken[exchange, clock] = True

    def _change(self, exchange: ExchangeId, clock: RetentionClock, **changes) -> None:
        kept = self.unit.write().retentions
        if (exchange, clock) in kept:
            kept[exchange, clock] = replace(kept[exchange, clock], **changes)


class FakeHolds(_Table):
    """`gateway.ports.Holds`."""

    def place(self, hold: Hold) -> None:
        self.unit.write().holds[hold.exchange] = hold

    def of(self, exchange: ExchangeId) -> Hold | None:
        return self.unit.state.holds.get(exchange)

    def lift(self, exchange: ExchangeId) -> None:
        self.unit.write().holds.pop(exchange, None)

    def over(self, today: date) -> list[Hold]:
        found = [hold for hold in self.unit.state.holds.values() if hold.until < today]
        return sorted(found, key=lambda hold: (hold.until, hold.exchange))
