"""Failed sign-ins, marks and the review queue in memory, over the unit's state; see `fake_store`."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from gateway.domain.alerts import Alert, Caller, Denials, Denied, Rule
from gateway.domain.errors import NotFoundError


class SignIns:
    """`gateway.ports.SignIns`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def failed(self, caller: Caller, reason: Denied, minute: datetime) -> None:
        counts = self.unit.write().sign_ins
        counts[minute, caller, reason] = counts.get((minute, caller, reason), 0) + 1

    def take(self, before: datetime) -> list[Denials]:
        if not any(minute < before for minute, *_ in self.unit.state.sign_ins):
            return []
        counts = self.unit.write().sign_ins
        taken = sorted(key for key in counts if key[0] < before)
        return [
            Denials(caller, reason, minute, counts.pop((minute, caller, reason)))
            for minute, caller, reason in taken
        ]


class Marks:
    """`gateway.ports.Marks`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def get(self, name: str) -> str:
        return self.unit.write().marks.get(name, "")

    def put(self, name: str, text: str) -> None:
        self.unit.write().marks[name] = text


class Alerts:
    """`gateway.ports.Alerts`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def add(self, alert: Alert) -> bool:
        alerts = self.unit.write().alerts
        key = (alert.rule, alert.about, alert.day)
        if key in {(each.rule, each.about, each.day) for each in alerts.values()}:
            return False
        alerts[alert.id] = alert
        return True

    def get(self, alert: UUID) -> Alert:
        return self._found(self.unit.write().alerts.get(alert))

    def all(self, *, closed: bool = True) -> list[Alert]:
        return [each for each in self.unit.state.alerts.values() if closed or each.closed_at is None]

    def unraised(self) -> list[Alert]:
        return [each for each in self.all(closed=False) if each.raised_at is None]

    def forget(self, rule: Rule, about: str) -> None:
        alerts = self.unit.write().alerts
        for alert in [each for each in alerts.values() if (each.rule, each.about) == (rule, about)]:
            del alerts[alert.id]

    def put(self, alert: Alert) -> None:
        alerts = self.unit.write().alerts
        before = self._found(alerts.get(alert.id))
        kept = {name: getattr(before, name) for name in ("rule", "about", "day", "at", "detail")}
        alerts[alert.id] = replace(alert, **kept)

    @staticmethod
    def _found(alert: Alert | None) -> Alert:
        if alert is None:
            raise NotFoundError("there is none", place="alert")
        return alert
