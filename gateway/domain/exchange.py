"""One exchange: one list x one dataset, from submission to destruction."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

ExchangeId = NewType("ExchangeId", UUID)


class Status(StrEnum):
    """Where an exchange stands. See DESIGN.md §3; the order of the happy path is the order here."""

    PREPARED = "prepared"  # decided and sealed; nothing has left
    AUTHORISED = "authorised"  # the log holds "authorised: to partner"; counts as disclosed from here on
    SENT = "sent"  # the transport holds the bundle
    DELIVERED = "delivered"  # a verified answer, the partner's signed receipt, is in the log
    RELEASED = "released"  # the programme team may read the result
    DECLINED = "declined"  # the partner's custodian refused to answer
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # no answer in time
    FAILED = "failed"  # the partner's agent reported an error


ENDED = frozenset({Status.RELEASED, Status.DECLINED, Status.CANCELLED, Status.EXPIRED, Status.FAILED})


class Granularity(StrEnum):
    """What one bit of an answer stands for (DESIGN.md §3)."""

    HOUSEHOLD_ANY = "household-any"
    HOUSEHOLD_INDICATORS = "household-indicators"
    PERSON_INDICATORS = "person-indicators"


class Release(StrEnum):
    """Whether the partner's custodian approves each answer; `two-approve`: two different custodians do."""

    AUTOMATIC = "automatic"
    PARTNER_APPROVES = "partner-approves"
    TWO_APPROVE = "two-approve"


class Role(StrEnum):
    """What a user may do. No user has two (DESIGN.md §1, separation of duties)."""

    PROGRAMME = "programme"
    CUSTODIAN = "custodian"  # of a partner: sees what its own organisation was asked
    REVIEWER = "reviewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the store keeps in the clear of one exchange: no personal data, no key."""

    id: ExchangeId
    partner: str
    agreement: str
    dataset: str
    purpose: str
    framework: str
    granularity: Granularity
    indicators: tuple[str, ...]
    submitted_by: UUID
    submitted_at: datetime
    expires_at: datetime
    status: Status
    prekey: str
    request_digest: bytes  # SHA-256 of the request bundle's bytes
    households: int
    slots: int
