"""The review queue: a sweep raises alerts, a reviewer looks at each and closes it with a reason."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from audit.entry import SALT_BYTES, Entry, Json, commit
from gateway.domain.alerts import Alert, Closing, Rule
from gateway.domain.errors import ConflictError, NotAllowedError, NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import require_not_own
from gateway.service.recording import actor_of, record, the_gateway
from gateway.service.watching import Found, Limits, look

_MARK: Final = "review"
_BATCH: Final = 1_000
_OF_EXCHANGES: Final = frozenset({Rule.NEAR_OVERLAP, Rule.NO_RECEIPT})
"""Rules whose alerts are about an exchange."""


def watch(ctx: Context, limits: Limits) -> None:
    """Look at the entries that are new since the last time; raise what is found. Idempotent.

    Raises:
        LogUnavailableError: the log can't be written; the same entries are looked at again.
    """
    while _look_at_some(ctx, limits):
        pass


def found_at(ctx: Context, uow: UnitOfWork, found: Found) -> None:
    """Put what a use case found into the queue; the next sweep raises it. The caller commits."""
    alert_id = ctx.new_id()
    uow.alerts.add(Alert(alert_id, found.rule, found.about, found.day, found.at, dict(found.detail)))


def listing(ctx: Context, user: User, *, closed: bool = False) -> list[dict[str, Any]]:
    """Raised alerts, oldest first; the open ones, or all.

    Raises:
        NotAllowedError: the user is no reviewer.
    """
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        return [_shown(alert) for alert in uow.alerts.all(closed=closed) if alert.raised_at]


def look_at(ctx: Context, user: User, alert_id: UUID) -> dict[str, Any]:
    """One alert; who looked first, and when, is kept and logged.

    Raises:
        NotAllowedError: the user is no reviewer.
        NotFoundError: there is none.
    """
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        alert, at = _raised(uow, alert_id), ctx.clock()
        if alert.looked_at is None:
            alert = replace(alert, looked_at=at, looked_by=user.id)
            uow.alerts.put(alert)
            body: dict[str, Json] = {"alert": str(alert.id)}
            record(ctx, uow, "review.looked-at", actor=actor_of(ctx, user), body=body, at=at)
            uow.commit()
    return _shown(alert)


def close(ctx: Context, user: User, alert_id: UUID, reason: Closing) -> None:
    """Close an alert that was looked at. The same reason again changes nothing.

    Raises:
        NotAllowedError: the user is no reviewer, or the alert is about this user or an exchange of theirs.
        NotFoundError: there is none.
        ConflictError: nobody has looked at it, or it was closed for another reason.
    """
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        alert, at = _raised(uow, alert_id), ctx.clock()
        if alert.about == str(user.id):
            raise NotAllowedError("an alert about oneself is closed by another reviewer", place="review")
        if alert.rule in _OF_EXCHANGES:
            require_not_own(user, uow.exchanges.get(ExchangeId(UUID(alert.about))))
        if alert.looked_at is None:
            raise ConflictError("nobody has looked at it", place="review", way_out="Look at it first")
        if alert.closed_at is not None:
            if alert.reason is not reason:
                raise ConflictError("it was closed before, for another reason", place="review")
            return
        uow.alerts.put(replace(alert, closed_at=at, closed_by=user.id, reason=reason))
        body: dict[str, Json] = {"alert": str(alert.id), "reason": reason.value}
        record(ctx, uow, "review.closed", actor=actor_of(ctx, user), body=body, at=at)
        uow.commit()


def _look_at_some(ctx: Context, limits: Limits) -> bool:
    """One transaction. Whether there was anything to look at: raising adds entries of its own."""
    at = ctx.clock()
    with ctx.store.begin() as uow:
        memory = json.loads(uow.marks.get(_MARK) or '{"next": 0, "rules": {}}')
        origin, size = uow.log.verifier.name, uow.log.size()
        start = memory["next"] if memory.get("log", origin) == origin else 0  # a new log is looked at whole
        stop = min(start + _BATCH, size)
        entries = [Entry.parse(leaf) for leaf in uow.log.leaves(start, stop)] if start < stop else []
        for found in look(entries, memory["rules"], limits):
            found_at(ctx, uow, found)
        raised = _raise(ctx, uow, at)
        if not (entries or raised):
            return False
        uow.marks.put(_MARK, json.dumps(memory | {"next": stop, "log": origin}))
        if raised:
            uow.log.append(raised)
        # The commit point: alerts, their entries and how far was looked, all or none.
        uow.commit()
    return True


def _raise(ctx: Context, uow: UnitOfWork, at: datetime) -> list[Entry]:
    """The entries of alerts that have none yet. They commit to what was found and show only that it was.

    Why an alert was raised may derive from persons (`near-overlap`), so no entry says it of any alert.
    """
    entries = []
    for alert in uow.alerts.unraised():
        entry_id, salt = ctx.new_id(), ctx.entropy(SALT_BYTES)
        uow.alerts.put(replace(alert, raised_at=at, entry=entry_id, salt=salt))
        value: dict[str, Json] = {
            "rule": alert.rule.value,
            "about": alert.about,
            "day": alert.day.isoformat(),
        }
        body: dict[str, Json] = {
            "actor": the_gateway(ctx),
            "alert": str(alert.id),
            "commitments": {"alert": commit(salt, entry_id, "alert", value)},
        }
        entries.append(Entry(entry_id, "review.raised", at, body))
    return entries


def _raised(uow: UnitOfWork, alert_id: UUID) -> Alert:
    alert = uow.alerts.get(alert_id)
    if alert.raised_at is None:
        raise NotFoundError("there is none", place="alert")  # the log does not tell of it yet
    return alert


def _shown(alert: Alert) -> dict[str, Any]:
    def moment(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "alert": str(alert.id),
        "rule": alert.rule.value,
        "about": alert.about,
        "day": alert.day.isoformat(),
        "at": alert.at.isoformat(),
        "detail": dict(alert.detail),
        "raised_at": moment(alert.raised_at),
        "entry": str(alert.entry),
        "looked_at": moment(alert.looked_at),
        "looked_by": str(alert.looked_by) if alert.looked_by else None,
        "closed_at": moment(alert.closed_at),
        "closed_by": str(alert.closed_by) if alert.closed_by else None,
        "reason": alert.reason.value if alert.reason else None,
    }
