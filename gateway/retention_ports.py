"""What the clocks of retention and legal holds need from outside: a part of `gateway.ports`."""

from datetime import date, datetime
from typing import Protocol

from gateway.domain.exchange import ExchangeId
from gateway.domain.retention import Hold, Retention, RetentionClock


class Retentions(Protocol):
    """The clocks of exchanges. What `due` and the other lists look at does not grow with what is over."""

    def add(self, retention: Retention) -> None: ...

    def of(self, exchange: ExchangeId, *, alone: bool = False) -> dict[RetentionClock, Retention]:
        """`alone`: whoever asks so for the same exchange waits until this transaction has ended."""

    def start(self, exchange: ExchangeId, day: date) -> None:
        """The exchange ended on `day`: each clock that does not run yet is due its days later."""

    def bring_forward(self, exchange: ExchangeId, clock: RetentionClock, day: date) -> None:
        """The clock is due on `day`, if it was due later and nothing is destroyed."""

    def due(self, today: date, limit: int) -> list[Retention]:
        """Due and not destroyed, of exchanges without a hold; the longest due first, then results first."""

    def destroyed(self, exchange: ExchangeId, clock: RetentionClock, at: datetime, entry: int) -> None: ...

    def uncertified(self, limit: int) -> list[Retention]:
        """Destroyed, but no certificate says so yet."""

    def certify(self, exchange: ExchangeId, clock: RetentionClock, certificate: str) -> None: ...

    def untaken(self, partner: str, limit: int) -> list[Retention]:
        """Those whose certificate the partner's agent has not taken, the oldest first."""

    def take(self, exchange: ExchangeId, clock: RetentionClock) -> None:
        """The partner's agent has the certificate. Idempotent."""


class Holds(Protocol):
    """Legal holds, one an exchange at most."""

    def place(self, hold: Hold) -> None:
        """In the place of an earlier one."""

    def of(self, exchange: ExchangeId) -> Hold | None: ...

    def lift(self, exchange: ExchangeId) -> None:
        """Idempotent."""

    def over(self, today: date) -> list[Hold]:
        """Those whose last day is before `today`."""
