"""Exchanges and what belongs to them in memory; a part of `fake_store`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from fake_tables import Table, require_free, the

from gateway.domain.errors import ConflictError
from gateway.domain.exchange import ENDED, Exchange, ExchangeId, Status
from gateway.ports import Submission


class FakeExchanges(Table):
    def add(self, exchange: Exchange) -> None:
        exchanges = self.unit.write().exchanges
        require_free(exchange.id not in exchanges, "exchange", "the id is taken")
        exchanges[exchange.id] = exchange

    def get(self, exchange: ExchangeId) -> Exchange:
        return the(self.unit.state.exchanges.get(exchange), "exchange")

    def all(self, *, submitted_by: UUID | None = None, partner: str | None = None) -> list[Exchange]:
        chosen = [
            each
            for each in self.unit.state.exchanges.values()
            if submitted_by in (None, each.submitted_by) and partner in (None, each.partner)
        ]
        return sorted(chosen, key=lambda each: each.submitted_at, reverse=True)

    def advance(self, exchange: ExchangeId, to: Status, *, frm: Iterable[Status]) -> bool:
        exchanges = self.unit.write().exchanges
        row = the(exchanges.get(exchange), "exchange")
        if row.status is to:
            return False
        if row.status not in frm:
            raise ConflictError(f"it is {row.status} and can't become {to}", place="exchange")
        exchanges[exchange] = replace(row, status=to)
        return True

    def recent(self, partner: str, dataset: str, since: datetime) -> list[Exchange]:
        held = self.unit.write().exchanges.values()  # waits for whoever writes, as PostgreSQL's lock does
        found = [e for e in held if (e.partner, e.dataset) == (partner, dataset) and e.submitted_at > since]
        return sorted(found, key=lambda e: (-e.submitted_at.timestamp(), str(e.id)))

    def counted(self, since, *, agreement=None, submitted_by=None) -> tuple[int, int]:
        held = self.unit.write().exchanges.values()  # waits, as PostgreSQL's lock does
        found = [
            e
            for e in held
            if e.submitted_at >= since
            and agreement in (None, e.agreement)
            and submitted_by in (None, e.submitted_by)
        ]
        return len(found), sum(e.slots for e in found)

    def unfinished(self) -> list[Exchange]:
        chosen = [each for each in self.unit.state.exchanges.values() if each.status not in ENDED]
        return sorted(chosen, key=lambda each: each.submitted_at)


class FakePolicySets(Table):
    def keep(self, digest: str, document: bytes, at: datetime) -> bool:
        kept = self.unit.write().policy_sets
        if digest in kept:
            return False
        kept[digest] = document
        return True

    def get(self, digest: str) -> bytes:
        return the(self.unit.state.policy_sets.get(digest), "policy set")


class FakeVault(Table):
    def put(self, exchange: ExchangeId, kind: str, sealed: bytes) -> None:
        self.unit.write().vault[exchange, kind] = sealed

    def get(self, exchange: ExchangeId, kind: str) -> bytes:
        return the(self.unit.state.vault.get((exchange, kind)), "vault")

    def drop(self, exchange: ExchangeId, kind: str) -> None:
        self.unit.write().vault.pop((exchange, kind), None)

    def kinds(self, exchange: ExchangeId) -> list[str]:
        return sorted(kind for whose, kind in self.unit.state.vault if whose == exchange)


class FakeMailbox(Table):
    def post(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        posted = (partner, bundle)
        if self.unit.write().mailbox.setdefault(exchange, posted) != posted:
            raise ConflictError("another bundle waits for this exchange", place="mailbox")

    def waiting(self, partner: str) -> list[ExchangeId]:
        return [exchange for exchange, (whose, _) in self.unit.state.mailbox.items() if whose == partner]

    def fetch(self, partner: str, exchange: ExchangeId) -> bytes:
        whose, bundle = self.unit.state.mailbox.get(exchange, (None, None))
        return the(bundle if whose == partner else None, "mailbox")

    def remove(self, exchange: ExchangeId) -> None:
        self.unit.write().mailbox.pop(exchange, None)


class FakeSubmissions(Table):
    def find(self, user: UUID, key_hash: bytes) -> Submission | None:
        return self.unit.state.submissions.get((user, key_hash))

    def remember(self, submission: Submission) -> None:
        submissions = self.unit.write().submissions
        key = (submission.user, submission.key_hash)
        require_free(key not in submissions, "submission", "the idempotency key is in use")
        submissions[key] = submission

    def under_way(self, user: UUID, request_digest: bytes) -> ExchangeId | None:
        exchanges = self.unit.write().exchanges
        same = (
            known.exchange
            for known in self.unit.state.submissions.values()
            if (known.user, known.request_digest) == (user, request_digest) and known.exchange in exchanges
        )
        return next((each for each in same if exchanges[each].status not in ENDED), None)

    def forget(self, exchange: ExchangeId) -> None:
        submissions = self.unit.write().submissions
        for key in [key for key, known in submissions.items() if known.exchange == exchange]:
            del submissions[key]


class FakeReplays(Table):
    def use(self, digest: bytes, until: datetime, now: datetime) -> None:
        replays = self.unit.write().replays
        for old in [each for each, end in replays.items() if end <= now]:
            del replays[old]
        require_free(digest not in replays, "one-time id", "it was used before")
        replays[digest] = until
