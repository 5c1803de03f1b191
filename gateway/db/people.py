"""Sessions, one-time links and proposals on PostgreSQL (`gateway.ports`)."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session as DatabaseSession
from gateway.db.people_tables import links, proposals, session_tokens, sessions
from gateway.db.rows import found
from gateway.domain.exchange import Role
from gateway.domain.proposals import Act, ActReason, Proposal
from gateway.domain.sessions import Link, Session, Way

_DECIDED = ("decided_by", "decided_at", "approved", "used_at")


class PostgresSessions:
    """`gateway.ports.Sessions`."""

    def __init__(self, session: DatabaseSession) -> None:
        self._session = session

    def add(self, session: Session) -> None:
        self._session.run(insert(sessions).values(**asdict(session)))

    def by_secret(self, secret_hash: bytes) -> Session | None:
        return self._one(select(sessions).where(sessions.c.secret_hash == secret_hash))

    def by_token(self, token_hash: bytes, at: datetime) -> Session | None:
        good = (session_tokens.c.token_hash == token_hash) & (session_tokens.c.expires_at > at)
        return self._one(select(sessions).join(session_tokens).where(good))

    def add_token(self, session: UUID, token_hash: bytes, expires_at: datetime) -> None:
        values = {"session": session, "token_hash": token_hash, "expires_at": expires_at}
        self._session.run(insert(session_tokens).values(**values))

    def seen(self, session: UUID, at: datetime) -> None:
        later = (sessions.c.id == session) & (sessions.c.seen_at < at)
        self._session.run(update(sessions).where(later).values(seen_at=at))

    def end(self, session: UUID) -> bool:
        return bool(self._session.run(delete(sessions).where(sessions.c.id == session)).rowcount)

    def of_user(self, user: UUID) -> list[Session]:
        return self._all(select(sessions).where(sessions.c.user == user))

    def of_provider(self, provider_session: bytes) -> list[Session]:
        return self._all(select(sessions).where(sessions.c.provider_session == provider_session))

    def overdue(self, at: datetime, idle_since: datetime, limit: int) -> list[Session]:
        over = (sessions.c.ends_at <= at) | (sessions.c.seen_at <= idle_since)
        return self._all(select(sessions).where(over).limit(limit))

    def _one(self, chosen: Select[Any]) -> Session | None:
        row = self._session.run(chosen).one_or_none()
        return _read_session(row) if row else None

    def _all(self, chosen: Select[Any]) -> list[Session]:
        return [_read_session(row) for row in self._session.run(chosen.order_by(sessions.c.began_at))]


def _read_session(row: Row[Any]) -> Session:
    return Session(**row._asdict() | {"role": Role(row.role), "way": Way(row.way)})


class PostgresLinks:
    """`gateway.ports.Links`."""

    def __init__(self, session: DatabaseSession) -> None:
        self._session = session

    def add(self, link: Link, now: datetime) -> None:
        self._session.run(delete(links).where(links.c.expires_at < now))
        self._session.run(insert(links).values(**asdict(link)))

    def take(self, code_hash: bytes) -> Link | None:
        taken = delete(links).where(links.c.code_hash == code_hash).returning(links)
        row = self._session.run(taken).one_or_none()
        return Link(**row._asdict() | {"way": Way(row.way)}) if row else None


class PostgresProposals:
    """`gateway.ports.Proposals`."""

    def __init__(self, session: DatabaseSession) -> None:
        self._session = session

    def add(self, proposal: Proposal) -> None:
        self._session.run(insert(proposals).values(**asdict(proposal)))

    def get(self, proposal: UUID) -> Proposal:
        held = select(proposals).where(proposals.c.id == proposal).with_for_update()
        return _read_proposal(found(self._session.run(held).one_or_none(), "proposal"))

    def about(self, about: str) -> list[Proposal]:
        held = select(proposals).where(proposals.c.about == about).order_by(proposals.c.arrival)
        return [_read_proposal(row) for row in self._session.run(held.with_for_update())]

    def all(self) -> list[Proposal]:
        chosen = select(proposals).order_by(proposals.c.arrival.desc())
        return [_read_proposal(row) for row in self._session.run(chosen)]

    def put(self, proposal: Proposal) -> None:
        changed = {name: getattr(proposal, name) for name in _DECIDED}
        self._session.run(update(proposals).where(proposals.c.id == proposal.id).values(**changed))


def _read_proposal(row: Row[Any]) -> Proposal:
    values = row._asdict()
    del values["arrival"]
    return Proposal(**values | {"act": Act(row.act), "reason": ActReason(row.reason)})
