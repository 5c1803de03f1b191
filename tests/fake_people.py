"""Sessions, links and proposals of the store in memory; see `fake_store`."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from gateway.domain.errors import NotFoundError
from gateway.domain.proposals import Proposal
from gateway.domain.sessions import Link, Session


class FakeSessions:
    """`gateway.ports.Sessions`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def add(self, session: Session) -> None:
        self.unit.write().sessions[session.id] = session

    def by_secret(self, secret_hash: bytes) -> Session | None:
        return next((each for each in self._all() if each.secret_hash == secret_hash), None)

    def by_token(self, token_hash: bytes, at: datetime) -> Session | None:
        session, expires_at = self.unit.state.session_tokens.get(token_hash, (None, at))
        return self.unit.state.sessions[session] if expires_at > at else None

    def add_token(self, session: UUID, token_hash: bytes, expires_at: datetime) -> None:
        self.unit.write().session_tokens[token_hash] = (session, expires_at)

    def seen(self, session: UUID, at: datetime) -> None:
        sessions = self.unit.write().sessions
        if session in sessions and sessions[session].seen_at < at:
            sessions[session] = replace(sessions[session], seen_at=at)

    def end(self, session: UUID) -> bool:
        state = self.unit.write()
        for token in [token for token, (whose, _) in state.session_tokens.items() if whose == session]:
            del state.session_tokens[token]
        return state.sessions.pop(session, None) is not None

    def of_user(self, user: UUID) -> list[Session]:
        return [each for each in self._all() if each.user == user]

    def of_provider(self, provider_session: bytes) -> list[Session]:
        return [each for each in self._all() if each.provider_session == provider_session]

    def overdue(self, at: datetime, idle_since: datetime, limit: int) -> list[Session]:
        over = [each for each in self._all() if each.ends_at <= at or each.seen_at <= idle_since]
        return over[:limit]

    def _all(self) -> list[Session]:
        return sorted(self.unit.state.sessions.values(), key=lambda each: each.began_at)


class FakeLinks:
    """`gateway.ports.Links`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def add(self, link: Link, now: datetime) -> None:
        kept = self.unit.write().links
        for old in [code for code, each in kept.items() if each.expires_at < now]:
            del kept[old]
        kept[link.code_hash] = link

    def take(self, code_hash: bytes) -> Link | None:
        return self.unit.write().links.pop(code_hash, None)


class FakeProposals:
    """`gateway.ports.Proposals`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def add(self, proposal: Proposal) -> None:
        self.unit.write().proposals[proposal.id] = proposal

    def get(self, proposal: UUID) -> Proposal:
        found = self.unit.write().proposals.get(proposal)
        if found is None:
            raise NotFoundError("there is none", place="proposal")
        return found

    def about(self, about: str) -> list[Proposal]:
        return [each for each in self.unit.write().proposals.values() if each.about == about]

    def all(self) -> list[Proposal]:
        return list(self.unit.state.proposals.values())[::-1]

    def put(self, proposal: Proposal) -> None:
        self.unit.write().proposals[proposal.id] = proposal
