"""Which rows of the store in memory a principal sees and may change, as `gateway.db.rowpolicies` says."""

import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import fields
from typing import Any

from fake_state import State

from gateway.domain.errors import ConfigurationError
from gateway.domain.principal import Principal

AT_PARTNER = re.compile(r"request|answer|flags|(accounting/)?openings/.*")
IN_EVIDENCE = re.compile(r"answer|(accounting/)?(openings|items/person|items/unit)/.*")


class Rows:
    """What one principal sees and changes of a state. A method for each table: the tags of a row."""

    def __init__(self, state: State, principal: Principal) -> None:
        self._state = state
        self._tags = set(principal.tags)

    def may(self, what: str, table: str, key: Any, value: Any) -> bool:
        rule = getattr(self, table)
        return bool(self._tags & set(rule(what, key, value)))

    def _asked(self, exchange, *tags: str) -> set[str]:
        """Tags of those whose exchange it is; none where the exchange is not there yet."""
        held = self._state.exchanges.get(exchange)
        if held is None:
            return set()
        whose = {f"{kind}:{held.submitted_by}" for kind in ("programme", "submission")}
        return {f"partner:{held.partner}", *whose, *tags}

    def _custodian(self, exchange) -> set[str]:
        held = self._state.exchanges.get(exchange)
        return {f"custodian@{held.partner}"} if held else set()

    def partners(self, what, key, value):
        read = {f"partner:{key}", f"custodian@{key}", "sign-in", "programme", "submission", "reviewer"}
        return read if what == "read" else ()

    def successions(self, what, key, value):
        own = {f"partner:{key[0]}"}
        return {*own, "sign-in", "programme", "submission", "reviewer"} if what == "read" else own

    def keys_taken(self, what, key, value):
        own = {f"partner:{key[0]}"}
        return {*own, "programme", "submission", "reviewer"} if what == "read" else own

    def tls_certificates(self, what, key, value):
        own = {f"partner:{value.partner}"}
        return {*own, "sign-in"} if what == "read" else own

    def invitations(self, what, key, value):
        return () if what == "add" else {"sign-in"}

    def users(self, what, key, value):
        of_two = any(key in (each.proposed_by, each.decided_by) for each in self._state.proposals.values())
        return {"sign-in", "programme", "reviewer", "operator"} if what == "read" and of_two else {"sign-in"}

    def sessions(self, what, key, value):
        return {"sign-in"}

    def session_tokens(self, what, key, value):
        return {"sign-in"}

    def links(self, what, key, value):
        return () if what == "add" else {"sign-in"}

    def proposals(self, what, key, value):
        return {"programme", "reviewer", "operator"}

    def agreements(self, what, key, value):
        own = {f"partner:{value.partner}"}
        return {"read": {*own, "submission", "reviewer"}, "change": own, "add": ()}[what]

    def prekeys(self, what, key, value):
        own = {f"partner:{key[0]}"}
        return own if what == "add" else {*own, "submission"}

    def claims(self, what, key, value):
        return {f"partner:{key[0]}", "submission"}

    def exchanges(self, what, key, value):
        own = {f"partner:{value.partner}", f"programme:{value.submitted_by}"}
        if what == "add":
            return {f"submission:{value.submitted_by}"}
        read = {*own, f"custodian@{value.partner}", "submission", "reviewer"}
        return read if what == "read" else own

    def vault(self, what, key, value):
        exchange, kind = key
        tags = self._asked(exchange, "reviewer")
        tags -= set() if IN_EVIDENCE.fullmatch(kind) else {"reviewer"}
        tags -= set() if AT_PARTNER.fullmatch(kind) else {t for t in tags if t.startswith("partner:")}
        if (what, kind) == ("read", "answer"):
            return tags | self._custodian(exchange)
        return {*tags, "submission"} if (what, kind) == ("read", "probe") else tags

    def mailbox(self, what, key, value):
        return {f"partner:{value[0]}", *self._asked(key)}

    def submissions(self, what, key, value):
        return {f"submission:{key[0]}"}

    def retentions(self, what, key, value):
        tags = self._asked(key[0], "reviewer")
        if what == "read":
            return tags | self._custodian(key[0])
        return {tag for tag in tags if tag.startswith("submission:")} if what == "add" else tags

    def taken(self, what, key, value):
        tags = self._asked(key[0], "reviewer")
        return tags | self._custodian(key[0]) if what == "read" else tags

    def holds(self, what, key, value):
        if what != "read":
            return {"reviewer"}
        return self._asked(key, "reviewer") | self._custodian(key)

    def replays(self, what, key, value):
        return {"sign-in"}

    def witnesses(self, what, key, value):
        own = {f"partner:{value.partner}"}
        return {"partner", "programme", "reviewer"} if what == "read" else own

    def alarms(self, what, key, value):
        own = {f"partner:{value.partner}"}
        return {*own, "reviewer"} if what == "read" else own

    def cosigned(self, what, key, value):
        own = {f"partner:{value.partner}"}
        return {*own, "programme", "reviewer"} if what == "read" else own

    def deliveries(self, what, key, value):
        tags = self._asked(key, "reviewer")
        return tags if what == "read" else {tag for tag in tags if tag.startswith("partner:")}

    def sign_ins(self, what, key, value):
        return {"sign-in"}

    def alerts(self, what, key, value):
        return {"submission"} if what == "add" else {"reviewer"}


class Shown(MutableMapping):
    """One table as a principal has it: rows that it may not see are not there."""

    def __init__(self, rows: dict, may: Callable[[str, Any, Any], bool]) -> None:
        self._rows, self._may = rows, may

    def __getitem__(self, key):
        value = self._rows[key]
        if not self._may("read", key, value):
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator:
        return (key for key, value in list(self._rows.items()) if self._may("read", key, value))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, key, value) -> None:
        before = self._rows.get(key)
        if before is None:
            allowed = self._may("add", key, value)
        else:
            allowed = self._may("change", key, before) and self._may("change", key, value)
        if not allowed:
            raise ConfigurationError("the database role may not do this", place="store")
        self._rows[key] = value

    def setdefault(self, key, default=None):
        """As INSERT ... ON CONFLICT DO NOTHING: a row that is there stays, and need not be one's own."""
        if key not in self._rows:
            self[key] = default
        return self.get(key, default)

    def __delitem__(self, key) -> None:
        if key not in self:
            raise KeyError(key)
        if self._may("change", key, self._rows[key]):  # who may only look at a row removes none
            del self._rows[key]


def shown(state: State, principal: Principal) -> State:
    """The same state through a principal's eyes; writes go to it."""
    rows = Rows(state, principal)

    def table(name: str):
        kept = getattr(state, name)
        if not hasattr(rows, name):
            return kept
        return Shown(kept, lambda what, key, value: rows.may(what, name, key, value))

    return State(*(table(each.name) for each in fields(State)))
