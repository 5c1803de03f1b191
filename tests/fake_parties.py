"""Partners, agreements, users and prekeys in memory; a part of `fake_store`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from fake_state import State
from fake_tables import Table, require_free, the

from gateway.domain.errors import ConflictError
from gateway.domain.exchange import ExchangeId, Role
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord, User


class FakePartners(Table):
    def add(self, partner: Partner) -> None:
        partners = self.unit.write().partners
        require_free(partner.identity.slug not in partners, "partner", "it is registered already")
        partners[partner.identity.slug] = partner

    def get(self, slug: str) -> Partner:
        return self._succeeded(the(self.unit.state.partners.get(slug), "partner"))

    def all(self) -> list[Partner]:
        return [self._succeeded(partner) for _, partner in sorted(self.unit.state.partners.items())]

    def revoke(self, slug: str, at: datetime) -> None:
        partners = self.unit.write().partners
        partner = the(partners.get(slug), "partner")
        partners[slug] = replace(partner, revoked_at=partner.revoked_at or at)

    def _succeeded(self, partner: Partner) -> Partner:
        kept = self.unit.successions.of(partner.identity.slug)
        chain = [each.document for each in kept if each.confirmed_at is not None]
        return Partner.enrolled(partner.identity, partner.added_at, partner.revoked_at, chain)


class FakeAgreements(Table):
    def propose(self, record: AgreementRecord) -> None:
        agreements = self.unit.write().agreements
        require_free(record.number not in agreements, "agreement", "the number is taken")
        agreements[record.number] = record

    def get(self, number: str) -> AgreementRecord:
        return the(self.unit.state.agreements.get(number), "agreement")

    def all(self, *, partner: str | None = None, dataset: str | None = None) -> list[AgreementRecord]:
        chosen = [
            record
            for record in self.unit.state.agreements.values()
            if partner in (None, record.partner) and dataset in (None, record.dataset)
        ]
        return sorted(chosen, key=lambda record: record.proposed_at, reverse=True)

    def countersign(self, number: str, partner_jws: str, at: datetime) -> None:
        agreements = self.unit.write().agreements
        record = the(agreements.get(number), "agreement")
        if record.signed_at or record.revoked_at:
            raise ConflictError("it is signed or revoked already", place="agreement")
        agreements[number] = replace(record, partner_jws=partner_jws, signed_at=at)

    def revoke(self, number: str, at: datetime) -> None:
        agreements = self.unit.write().agreements
        record = the(agreements.get(number), "agreement")
        agreements[number] = replace(record, revoked_at=record.revoked_at or at)


class FakeUsers(Table):
    def add(self, user: User) -> None:
        users = self.unit.write().users
        in_force = {each.name for each in users.values() if each.revoked_at is None}
        hashes = {each.token_hash for each in users.values()} - {None}
        taken = user.id in users or user.name in in_force or user.token_hash in hashes
        require_free(not taken, "user", "a user in force has this name")
        users[user.id] = user

    def enrol(self, user: User) -> None:
        known = {each.account for each in self.unit.state.users.values()}
        require_free(user.account not in known, "user", "a user in force has this name")
        self.add(replace(user, token_hash=None, revoked_at=None))

    def get(self, user: UUID) -> User:
        return the(self.unit.state.users.get(user), "user")

    def by_account(self, account: bytes) -> User | None:
        return self._one(lambda user: user.account == account)

    def named(self, name: str) -> User | None:
        return self._one(lambda user: user.name == name and user.revoked_at is None)

    def assign(self, user: UUID, role: Role, partner: str | None) -> None:
        users = self.unit.write().users
        users[user] = replace(users[user], role=role, partner=partner)

    def by_token(self, token_hash: bytes) -> User | None:
        return self._one(lambda user: user.token_hash == token_hash)

    def _one(self, wanted: Callable[[User], bool]) -> User | None:
        return next((user for user in self.unit.state.users.values() if wanted(user)), None)

    def all(self) -> list[User]:
        return sorted(self.unit.state.users.values(), key=lambda user: (user.name, user.created_at))

    def replace_token(self, name: str, token_hash: bytes) -> User:
        return self._change(name, token_hash=token_hash)

    def revoke(self, name: str, at: datetime) -> User:
        return self._change(name, revoked_at=at)

    def _change(self, name: str, **changes) -> User:
        users = self.unit.write().users
        in_force = (user for user in users.values() if user.name == name and user.revoked_at is None)
        user = replace(the(next(in_force, None), "user"), **changes)
        users[user.id] = user
        return user


class FakePrekeys(Table):
    def publish(self, prekeys: Sequence[PrekeyRecord]) -> None:
        known = self.unit.write().prekeys
        for prekey in prekeys:
            known.setdefault((prekey.partner, prekey.id), prekey)

    def claim(self, partner: str, exchange: ExchangeId, at: datetime) -> PrekeyRecord | None:
        state = self.unit.write()
        prekey = next(self._free(state, partner, at), None)
        if prekey:
            state.claims[partner, prekey.id] = exchange
        return prekey

    def available(self, partner: str, at: datetime) -> int:
        return sum(1 for _ in self._free(self.unit.state, partner, at))

    def discard(self, partner: str) -> None:
        state = self.unit.write()
        for key in [key for key in state.prekeys if key[0] == partner and key not in state.claims]:
            del state.prekeys[key]

    @staticmethod
    def _free(state: State, partner: str, at: datetime) -> Iterator[PrekeyRecord]:
        for key, prekey in state.prekeys.items():
            if prekey.partner == partner and prekey.expires_at > at and key not in state.claims:
                yield prekey
