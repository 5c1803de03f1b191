"""What the use cases need from outside for the witnesses of the log, as Protocols (like `gateway.ports`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.domain.exchange import ExchangeId


@dataclass(frozen=True, slots=True)
class WitnessRecord:
    """The key that a partner's agent cosigns with (C2SP vkey), as the partner signed it."""

    partner: str
    vkey: str
    jws: str
    announced_at: datetime


@dataclass(frozen=True, slots=True)
class CosignedRecord:
    """A checkpoint of the log `origin` of `size` entries as a witness cosigned it: a C2SP signed note."""

    origin: str
    size: int
    partner: str
    note: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """A witness' signed notice that it was shown another log. `digest`: SHA-256 of the notice, hex."""

    digest: str
    partner: str
    jws: str
    at: datetime


class Witnesses(Protocol):
    """Partners' witnesses, and what they said of the log."""

    def announce(self, record: WitnessRecord) -> None:
        """Takes the place of the partner's earlier key."""

    def get(self, partner: str) -> WitnessRecord | None: ...

    def all(self) -> list[WitnessRecord]:
        """By partner."""

    def alarm(self, record: AlarmRecord) -> bool:
        """Idempotent by digest; whether it was new."""

    def alarms(self) -> list[AlarmRecord]:
        """Newest first."""


class Cosignatures(Protocol):
    """Cosigned checkpoints, for ever; and from which size on a checkpoint covers a delivery."""

    def keep(self, record: CosignedRecord) -> bool:
        """Idempotent by origin, size and partner; whether it was new."""

    def newest(self, origin: str, partner: str) -> CosignedRecord | None:
        """The largest that this partner cosigned."""

    def at(self, origin: str, size: int) -> list[CosignedRecord]:
        """All of one size, by partner."""

    def largest(self, origin: str, least: int) -> int | None:
        """The largest size that at least `least` partners cosigned; None when there is none."""

    def deliver(self, exchange: ExchangeId, origin: str, size: int) -> None:
        """Once for each exchange: its delivery stands under every checkpoint of at least `size` entries."""

    def delivered(self, exchange: ExchangeId) -> tuple[str, int] | None:
        """Origin and size, where `deliver` was called."""


class CosignedMemory(Protocol):
    """The newest cosigned checkpoint of each witness, outside the database: a restore forgets nothing."""

    def keep(self, partner: str, note: bytes) -> None:
        """Durable on return; takes the place of the partner's earlier one."""

    def all(self) -> dict[str, bytes]:
        """By partner."""


class UnsafeNoMemory:
    """Forgets: a database that is rolled back goes unnoticed. For tests of other things."""

    def keep(self, partner: str, note: bytes) -> None:
        del partner, note

    def all(self) -> dict[str, bytes]:
        return {}
