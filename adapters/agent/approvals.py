"""What custodians decided, one small file per exchange: written by a command, read by the running loop."""

import json
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from adapters.agent.tray import Tray
from gateway.domain.errors import BadInputError, ConfigurationError

CUSTODIAN: Final = "custodian"
"""Who decides where nobody gave a name."""

_MAX_REASON: Final = 500
_PERSON: Final = re.compile(r"[a-z0-9._-]{1,40}")
_TYPES: Final = {"request": str, "approved": bool, "reason": str, "by": str}


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's decision on the very request that was shown: `request` is the hex SHA-256 of its bundle.

    `reason`: the custodian's own words; `by`: the custodian's short name. Both stay at the partner.
    """

    request: str
    approved: bool
    reason: str = ""
    by: str = CUSTODIAN

    def __post_init__(self) -> None:
        if len(self.reason) > _MAX_REASON or not (self.reason.isprintable()):
            raise BadInputError(f"not one line of at most {_MAX_REASON} characters", place="reason")
        if not self.approved and not self.reason.strip():
            raise BadInputError("a refusal needs a reason, for your own records", place="reason")
        if not _PERSON.fullmatch(self.by):
            raise BadInputError("not 1 to 40 characters of a-z 0-9 . _ -", place="--by")


@dataclass(frozen=True, slots=True)
class Decided:
    """What stands of a request. `by`: who approved it, or who refused; nobody for automatic release."""

    approved: bool
    by: tuple[str, ...] = ()
    reason: str = ""


def decided(kept: Sequence[Approval], needed: int) -> Decided | None:
    """One refusal declines at once, `needed` people approve; None before either.

    `kept`: decisions on one request, each by another person.
    """
    for each in kept:
        if not each.approved:
            return Decided(False, (each.by,), each.reason)
    return Decided(True, tuple(each.by for each in kept)) if len(kept) >= needed else None


class Approvals:
    """Decisions by exchange."""

    def __init__(self, tray: Tray) -> None:
        self._tray = tray

    def alone(self) -> AbstractContextManager[None]:
        """To look and then decide: nobody else decides meanwhile."""
        return self._tray.alone()

    def add(self, exchange: UUID, approval: Approval) -> None:
        """Keep it beside those of others on the same request, in the place of an earlier one of this person.

        Called under `alone`. Durable on return.
        """
        others = [each for each in self.about(exchange, approval.request) if each.by != approval.by]
        kept = [asdict(each) for each in (*others, approval)]
        self._tray.put(str(exchange), json.dumps(kept).encode())

    def about(self, exchange: UUID, request: str) -> tuple[Approval, ...]:
        """The decisions that were made about this very request, the earliest first, one a person.

        Raises:
            ConfigurationError: the file is damaged.
        """
        data = self._tray.get(str(exchange))
        kept = () if data is None else _parsed(data)
        return tuple(each for each in kept if each.request == request)

    def drop(self, exchange: UUID) -> None:
        self._tray.drop(str(exchange))


def _parsed(data: bytes) -> tuple[Approval, ...]:
    """A list of decisions, or the single one without a name that earlier releases wrote."""
    try:
        told = json.loads(data)
        kept = tuple(_approval(fields) for fields in (told if isinstance(told, list) else [told]))
    except (ValueError, TypeError, RecursionError, BadInputError):
        kept = ()
    if not kept or len({each.by for each in kept}) < len(kept):
        raise ConfigurationError(
            "the decisions on a request are damaged",
            place="approvals",
            way_out="Remove the file and decide again",
        )
    return kept


def _approval(fields: dict[str, Any]) -> Approval:
    if any(type(value) is not _TYPES.get(name) for name, value in dict(fields).items()):
        raise TypeError
    return Approval(**fields)
