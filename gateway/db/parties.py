"""Partners, agreements, users and prekeys on PostgreSQL (`gateway.ports`)."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import ColumnElement

from gateway.db.engine import Session
from gateway.db.rows import add, found
from gateway.db.tables import agreements, partners, prekeys, successions, users
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.identity import Identity
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord, User


class PostgresPartners:
    """`gateway.party_ports.Partners`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, partner: Partner) -> None:
        identity = partner.identity
        values = {key: getattr(identity, key) for key in ("slug", "name", "signing", "exchange", "auth")}
        values |= {"added_at": partner.added_at, "revoked_at": partner.revoked_at}
        add(self._session, partners, values, place="partner", taken="it is registered already")

    def get(self, slug: str) -> Partner:
        chosen = select(partners).where(partners.c.slug == slug)
        return self._partner(found(self._session.run(chosen).one_or_none(), "partner"))

    def all(self) -> list[Partner]:
        rows = self._session.run(select(partners).order_by(partners.c.slug)).all()
        return [self._partner(row) for row in rows]

    def revoke(self, slug: str, at: datetime) -> None:
        revoked = (
            update(partners)
            .where(partners.c.slug == slug)
            .values(revoked_at=func.coalesce(partners.c.revoked_at, at))
        )
        if not self._session.run(revoked).rowcount:
            raise NotFoundError("there is none", place="partner")

    def _partner(self, row: Row[Any]) -> Partner:
        identity = Identity(row.slug, row.name, signing=row.signing, exchange=row.exchange, auth=row.auth)
        counting = successions.c.confirmed_at.is_not(None) & (successions.c.partner == row.slug)
        chosen = select(successions.c.document).where(counting).order_by(successions.c.sequence)
        chain = self._session.run(chosen).scalars().all()
        return Partner.enrolled(identity, row.added_at, row.revoked_at, chain)


class PostgresAgreements:
    """`gateway.party_ports.Agreements`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def propose(self, record: AgreementRecord) -> None:
        add(self._session, agreements, asdict(record), place="agreement", taken="the number is taken")

    def get(self, number: str) -> AgreementRecord:
        chosen = select(agreements).where(agreements.c.number == number)
        return _agreement(found(self._session.run(chosen).one_or_none(), "agreement"))

    def all(self, *, partner: str | None = None, dataset: str | None = None) -> list[AgreementRecord]:
        chosen = select(agreements).order_by(agreements.c.proposed_at.desc(), agreements.c.number)
        if partner is not None:
            chosen = chosen.where(agreements.c.partner == partner)
        if dataset is not None:
            chosen = chosen.where(agreements.c.dataset == dataset)
        return [_agreement(row) for row in self._session.run(chosen)]

    def countersign(self, number: str, partner_jws: str, at: datetime) -> None:
        open_still = agreements.c.signed_at.is_(None) & agreements.c.revoked_at.is_(None)
        signed = (
            update(agreements)
            .where(agreements.c.number == number, open_still)
            .values(partner_jws=partner_jws, signed_at=at)
        )
        if not self._session.run(signed).rowcount:
            self.get(number)
            raise ConflictError("it is signed or revoked already", place="agreement")

    def revoke(self, number: str, at: datetime) -> None:
        revoked = (
            update(agreements)
            .where(agreements.c.number == number)
            .values(revoked_at=func.coalesce(agreements.c.revoked_at, at))
        )
        if not self._session.run(revoked).rowcount:
            raise NotFoundError("there is none", place="agreement")


def _agreement(row: Row[Any]) -> AgreementRecord:
    return AgreementRecord(**row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)


_ENROLLED: Final = ("id", "name", "role", "created_at", "partner", "account")


class PostgresUsers:
    """`gateway.party_ports.Users`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, user: User) -> None:
        add(self._session, users, asdict(user), place="user", taken="a user in force has this name")

    def enrol(self, user: User) -> None:
        # without the columns that the web role may not write
        values = {name: value for name, value in asdict(user).items() if name in _ENROLLED}
        add(self._session, users, values, place="user", taken="a user in force has this name")

    def get(self, user: UUID) -> User:
        return _user(found(self._session.run(select(users).where(users.c.id == user)).one_or_none(), "user"))

    def by_account(self, account: bytes) -> User | None:
        return self._one(users.c.account == account)

    def named(self, name: str) -> User | None:
        return self._one((users.c.name == name) & users.c.revoked_at.is_(None))

    def assign(self, user: UUID, role: Role, partner: str | None) -> None:
        self._session.run(update(users).where(users.c.id == user).values(role=role, partner=partner))

    def by_token(self, token_hash: bytes) -> User | None:
        return self._one(users.c.token_hash == token_hash)

    def _one(self, condition: ColumnElement[bool]) -> User | None:
        row = self._session.run(select(users).where(condition)).one_or_none()
        return _user(row) if row else None

    def all(self) -> list[User]:
        chosen = select(users).order_by(users.c.name, users.c.created_at)
        return [_user(row) for row in self._session.run(chosen)]

    def replace_token(self, name: str, token_hash: bytes) -> User:
        return self._change(name, users.c.token_hash, token_hash)

    def revoke(self, name: str, at: datetime) -> User:
        return self._change(name, users.c.revoked_at, at)

    def _change(self, name: str, column: ColumnElement[Any], value: object) -> User:
        changed = (
            update(users)
            .where(users.c.name == name, users.c.revoked_at.is_(None))
            .values({column: value})
            .returning(users)
        )
        return _user(found(self._session.run(changed).one_or_none(), "user"))


def _user(row: Row[Any]) -> User:
    return User(**row._asdict() | {"role": Role(row.role)})


class PostgresPrekeys:
    """`gateway.party_ports.Prekeys`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def publish(self, prekeys_: Sequence[PrekeyRecord]) -> None:
        if prekeys_:
            self._session.run(
                insert(prekeys).on_conflict_do_nothing(), [asdict(prekey) for prekey in prekeys_]
            )

    def claim(self, partner: str, exchange: ExchangeId, at: datetime) -> PrekeyRecord | None:
        oldest = (
            select(prekeys.c.arrival)
            .where(_free(partner, at))
            .order_by(prekeys.c.arrival)
            .limit(1)
            # a key that another unit is claiming is passed over, not waited for
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        claimed = (
            update(prekeys)
            .where(_free(partner, at), prekeys.c.arrival == oldest)
            .values(exchange=exchange)
            .returning(prekeys)
        )
        row = self._session.run(claimed).one_or_none()
        return PrekeyRecord(row.partner, row.id, row.public, row.jws, row.expires_at) if row else None

    def available(self, partner: str, at: datetime) -> int:
        counted = select(func.count()).select_from(prekeys).where(_free(partner, at))
        return int(self._session.run(counted).scalar_one())

    def discard(self, partner: str) -> None:
        unclaimed = (prekeys.c.partner == partner) & prekeys.c.exchange.is_(None)
        self._session.run(delete(prekeys).where(unclaimed))


def _free(partner: str, at: datetime) -> ColumnElement[bool]:
    return (prekeys.c.partner == partner) & prekeys.c.exchange.is_(None) & (prekeys.c.expires_at > at)
