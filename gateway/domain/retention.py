"""How long an exchange is kept: two clocks, each with a day of its own, and the hold that suspends both."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gateway.domain.exchange import ExchangeId


class RetentionClock(StrEnum):
    """What ends when (UK GDPR Article 5(1)(e)): the results first, then the account of who was told."""

    RESULTS = "results"
    ACCOUNTING = "accounting"


class HoldReason(StrEnum):
    """Why nothing may be destroyed for now. Free text could carry a name, so there is none."""

    COMPLAINT = "complaint"  # Data Protection Act 2018 section 165
    COURT_ORDER = "court-order"
    LEGAL_CLAIM = "legal-claim"  # UK GDPR Article 17(3)(e), Article 18(1)(c)
    REGULATOR = "regulator"
    SAFEGUARDING_REVIEW = "safeguarding-review"  # Children Act 2004 section 16F
    SUBJECT_REQUEST = "subject-request"  # UK GDPR Article 15 and 18


@dataclass(frozen=True, slots=True)
class Retention:
    """One clock of one exchange. `days` are those of the policy that it was decided under.

    `due`: the first day on which it is to be gone, set when the exchange ends. `entry`: the number of the log
    entry of the destruction. `certificate`: what the council signed once the keys were gone.
    """

    exchange: ExchangeId
    clock: RetentionClock
    days: int
    due: date | None = None
    destroyed_at: datetime | None = None
    entry: int | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Suspends both clocks of an exchange to the end of the day `until`."""

    exchange: ExchangeId
    until: date
    reason: HoldReason
