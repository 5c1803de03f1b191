"""What the routes of the two-person rule return."""

from datetime import datetime
from uuid import UUID

from gateway.domain.proposals import Act, ActReason
from gateway.domain.retention import RetentionClock
from gateway.web.models import Model


class Proposal(Model):
    """One act, who proposed it, and what became of it. People are opaque ids."""

    proposal: UUID
    act: Act
    exchange: UUID | None
    clock: RetentionClock | None
    reason: ActReason
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    approved: bool | None
    used_at: datetime | None


class Proposals(Model):
    """Newest first."""

    proposals: list[Proposal]
