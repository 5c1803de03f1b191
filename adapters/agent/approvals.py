"""What the custodian decided, one small file per exchange: written by a command, read by the running loop."""

import json
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from adapters.agent.tray import Tray
from gateway.domain.errors import BadInputError

_MAX_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision on the very request that was shown: `request` is the hex SHA-256 of its bundle.

    `reason`: the custodian's own words; they stay at the partner.
    """

    request: str
    approved: bool
    reason: str = ""

    def __post_init__(self) -> None:
        if len(self.reason) > _MAX_REASON or not (self.reason.isprintable()):
            raise BadInputError(f"not one line of at most {_MAX_REASON} characters", place="reason")
        if not self.approved and not self.reason.strip():
            raise BadInputError("a refusal needs a reason, for your own records", place="reason")


class Approvals:
    """Decisions by exchange."""

    def __init__(self, tray: Tray) -> None:
        self._tray = tray

    def put(self, exchange: UUID, approval: Approval) -> None:
        self._tray.put(str(exchange), json.dumps(asdict(approval)).encode())

    def get(self, exchange: UUID, request: str) -> Approval | None:
        """The decision on this exchange, if it was made about this request."""
        data = self._tray.get(str(exchange))
        approval = Approval(**json.loads(data)) if data else None
        return approval if approval and approval.request == request else None

    def drop(self, exchange: UUID) -> None:
        self._tray.drop(str(exchange))
