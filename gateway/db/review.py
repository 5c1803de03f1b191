"""Failed sign-ins, marks and the review queue on PostgreSQL (`gateway.ports`)."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session
from gateway.db.roles import RAISED, REVIEWED
from gateway.db.rows import add_unless_there, found
from gateway.db.tables import alerts, marks, sign_ins
from gateway.domain.alerts import Alert, Caller, Closing, Denials, Denied, Rule


class PostgresSignIns:
    """`gateway.ports.SignIns`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def failed(self, caller: Caller, reason: Denied, minute: datetime) -> None:
        first = insert(sign_ins).values(caller=caller, reason=reason, minute=minute, failed=1)
        more = first.on_conflict_do_update(
            index_elements=["minute", "caller", "reason"], set_={"failed": sign_ins.c.failed + 1}
        )
        self._session.run(more)

    def take(self, before: datetime) -> list[Denials]:
        taken = delete(sign_ins).where(sign_ins.c.minute < before).returning(sign_ins)
        found = [
            Denials(Caller(row.caller), Denied(row.reason), row.minute, row.failed)
            for row in self._session.run(taken)
        ]
        return sorted(found, key=lambda each: (each.minute, each.caller, each.reason))


class PostgresMarks:
    """`gateway.ports.Marks`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> str:
        add_unless_there(self._session, marks, {"name": name, "text": ""})  # a row to wait for
        held = select(marks.c.text).where(marks.c.name == name).with_for_update()
        return str(self._session.run(held).one().text)

    def put(self, name: str, text: str) -> None:
        first = insert(marks).values(name=name, text=text)
        self._session.run(first.on_conflict_do_update(index_elements=["name"], set_={"text": text}))


class PostgresAlerts:
    """`gateway.ports.Alerts`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, alert: Alert) -> bool:
        values = asdict(alert) | {"detail": json.dumps(dict(alert.detail))}
        return add_unless_there(self._session, alerts, values)

    def get(self, alert: UUID) -> Alert:
        held = select(alerts).where(alerts.c.id == alert).with_for_update()
        return _alert(found(self._session.run(held).one_or_none(), "alert"))

    def all(self, *, closed: bool = True) -> list[Alert]:
        chosen = select(alerts).order_by(alerts.c.arrival)
        if not closed:
            chosen = chosen.where(alerts.c.closed_at.is_(None))
        return [_alert(row) for row in self._session.run(chosen)]

    def unraised(self) -> list[Alert]:
        chosen = select(alerts).where(alerts.c.closed_at.is_(None), alerts.c.raised_at.is_(None))
        return [_alert(row) for row in self._session.run(chosen.order_by(alerts.c.arrival))]

    def forget(self, rule: Rule, about: str) -> None:
        self._session.run(delete(alerts).where(alerts.c.rule == rule, alerts.c.about == about))

    def put(self, alert: Alert) -> None:
        # only what has changed: each role may write its own columns and no other
        row = found(self._session.run(select(alerts).where(alerts.c.id == alert.id)).one_or_none(), "alert")
        before = _alert(row)
        changed = {
            name: getattr(alert, name)
            for name in (*RAISED, *REVIEWED)
            if getattr(alert, name) != getattr(before, name)
        }
        if changed:
            self._session.run(update(alerts).where(alerts.c.id == alert.id).values(**changed))


def _alert(row: Row[Any]) -> Alert:
    values = row._asdict()
    del values["arrival"]
    return Alert(
        **values
        | {
            "rule": Rule(row.rule),
            "detail": json.loads(row.detail),
            "salt": bytes(row.salt),
            "reason": Closing(row.reason) if row.reason else None,
        }
    )
