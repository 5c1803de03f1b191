"""Acts that one person proposes and another approves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Act(StrEnum):
    """What needs two people (`gateway.service.two_person` says who)."""

    LIFT_HOLD = "lift-hold"
    DESTROY_EARLY = "destroy-early"
    RELEASE_RESULTS = "release-results"
    KEY_EXPORT = "key-export"


class ActReason(StrEnum):
    """Why it is proposed. Free text could carry a name, so there is none."""

    BACKUP = "backup"
    CLAIM_SETTLED = "claim-settled"
    COURT_ORDER = "court-order"
    ERASURE_REQUEST = "erasure-request"  # UK GDPR Article 17
    MISTAKE = "mistake"
    MOVE = "move"
    REGULATOR = "regulator"
    ROUTINE = "routine"


@dataclass(frozen=True, slots=True)
class Proposal:
    """One act on one thing. `about`: an exchange's id, for a destruction with its clock; "" for keys."""

    id: UUID
    act: Act
    about: str
    reason: ActReason
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    approved: bool | None = None
    used_at: datetime | None = None

    def waiting(self, now: datetime) -> bool:
        return self.decided_at is None and now < self.expires_at

    def usable(self, now: datetime) -> bool:
        return bool(self.approved) and self.used_at is None and now < self.expires_at
