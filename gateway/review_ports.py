"""What a reviewer's searches and the review queue need from outside: a part of `gateway.ports`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from gateway.domain.alerts import Alert, Caller, Denials, Denied, Rule
from gateway.domain.exchange import ExchangeId


@dataclass(frozen=True, slots=True)
class IndexRow:
    """What of one entry of the log can be searched for; "" and () where it says nothing."""

    index: int
    at: datetime
    kind: str
    exchange: str = ""
    dataset: str = ""
    recipient: str = ""
    purpose: str = ""
    users: tuple[str, ...] = ()  # ids of whoever did it, was changed by it or was given something
    law: tuple[str, ...] = ()  # ids of the law entries that a decision rests on
    refusals: tuple[str, ...] = ()  # codes: unmet requirements, a partner's reason


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are looked for: all that is given must hold. `kind` is how the kind begins."""

    kind: str = ""
    exchange: str = ""
    dataset: str = ""
    recipient: str = ""
    purpose: str = ""
    user: str = ""
    law: str = ""
    refusal: str = ""
    since: datetime | None = None
    until: datetime | None = None  # exclusive


class LogIndex(Protocol):
    """What makes the log's entries findable. Derived from the log, so it may lag, and proves nothing."""

    def following(self) -> int:
        """The first entry that is not in it yet; all before it are."""

    def add(self, rows: Sequence[IndexRow]) -> None:
        """Rows that are there already are left as they are."""

    def find(self, wanted: Wanted, *, before: int | None, limit: int) -> list[int]:
        """Indexes of entries, newest first, of those older than entry `before`."""

    def count(self, wanted: Wanted) -> int: ...


class EarlierLog(Protocol):
    """A log that a relink set aside, with its index: read, and never appended to."""

    @property
    def number(self) -> int:
        """1 for the council's first log."""

    def size(self) -> int: ...

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Raw leaf bytes [start, stop)."""

    def find(self, wanted: Wanted, *, before: int | None, limit: int) -> list[int]:
        """As `LogIndex.find`."""


class SubjectTags(Protocol):
    """The sealed search tags of exchanges: all of the vault that a reviewer's search may read."""

    def exchanges(self) -> list[ExchangeId]:
        """Those that have some."""

    def get(self, exchange: ExchangeId) -> bytes:
        """Raise NotFoundError when there are none."""


class SearchSeal(Protocol):
    """The public half of the reviewer's search key: whoever has it writes and can't read."""

    def seal(self, exchange: ExchangeId, key: bytes) -> bytes:
        """`key`, for the search alone, bound to the exchange."""


class SearchKey(Protocol):
    """The private half. `gateway.service.subjects` alone is given one."""

    def opener(self) -> Callable[[ExchangeId, bytes], bytes]:
        """What opens keys that were sealed for this search key; it holds the key, so let go of it soon.

        Raise NotFoundError when the key is not on this machine. The opener raises VerificationError when a
        key was sealed for another key or exchange, or altered.
        """


class SignIns(Protocol):
    """Failed sign-ins by caller, reason and minute, until they are logged."""

    def failed(self, caller: Caller, reason: Denied, minute: datetime) -> None:
        """One more in this minute. Concurrent ones all count."""

    def take(self, before: datetime) -> list[Denials]:
        """Those of minutes earlier than `before`, oldest first; they are forgotten with the commit."""


class Marks(Protocol):
    """Short texts by name: how far a sweep has come, which keys are in use."""

    def get(self, name: str) -> str:
        """Empty where there is none. A second unit that asks for the same name waits till the first ended."""

    def put(self, name: str, text: str) -> None: ...


class Alerts(Protocol):
    """The review queue."""

    def add(self, alert: Alert) -> bool:
        """False when there is one for its rule, `about` and day."""

    def get(self, alert: UUID) -> Alert:
        """Hold it until the transaction ends. Raise NotFoundError when there is none."""

    def all(self, *, closed: bool = True) -> list[Alert]:
        """Oldest first; without the closed ones if so asked."""

    def unraised(self) -> list[Alert]:
        """Those that no entry tells of yet, oldest first."""

    def forget(self, rule: Rule, about: str) -> None:
        """Drop every alert of this rule about this, open or closed."""

    def put(self, alert: Alert) -> None:
        """Keep what has happened to an alert that is there: from `raised_at` on."""
