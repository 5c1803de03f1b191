"""What people's sessions and the two-person rule need from outside: a part of `gateway.ports`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from gateway.domain.exchange import Role
from gateway.domain.proposals import Proposal
from gateway.domain.sessions import Link, Session


class Sessions(Protocol):
    """Signed-in browsers, and the short-lived API tokens that die with them."""

    def add(self, session: Session) -> None: ...

    def by_secret(self, secret_hash: bytes) -> Session | None: ...

    def by_token(self, token_hash: bytes, at: datetime) -> Session | None:
        """The session whose API token this is, if the token has not run out."""

    def add_token(self, session: UUID, token_hash: bytes, expires_at: datetime) -> None: ...

    def seen(self, session: UUID, at: datetime) -> None:
        """Never moves a session's last use back."""

    def end(self, session: UUID) -> bool:
        """Gone with its tokens. False when another ended it first."""

    def of_user(self, user: UUID) -> list[Session]: ...

    def of_provider(self, provider_session: bytes) -> list[Session]: ...

    def overdue(self, at: datetime, idle_since: datetime, limit: int) -> list[Session]:
        """Those past their end, or not used since `idle_since`."""


class Links(Protocol):
    """One-time links, by the hash of their code."""

    def add(self, link: Link, now: datetime) -> None:
        """Forgets those that ran out before `now`."""

    def take(self, code_hash: bytes) -> Link | None:
        """Gone with the commit; of two that take one at once, the second gets None."""


class Proposals(Protocol):
    """Acts that wait for a second person, or had one."""

    def add(self, proposal: Proposal) -> None: ...

    def get(self, proposal: UUID) -> Proposal:
        """Hold it until the transaction ends. Raise NotFoundError when there is none."""

    def about(self, about: str) -> list[Proposal]:
        """Those about one thing, oldest first; held until the transaction ends."""

    def all(self) -> list[Proposal]:
        """Newest first."""

    def put(self, proposal: Proposal) -> None:
        """Keep what has happened to one that is there: from `decided_by` on."""


class PeopleUnit(Protocol):
    """What a unit of work (`gateway.ports.UnitOfWork`) has for people."""

    @property
    def sessions(self) -> Sessions: ...

    @property
    def links(self) -> Links: ...

    @property
    def proposals(self) -> Proposals: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in, from the redirect to the provider until the browser is back."""

    state: str
    nonce: str
    verifier: str  # RFC 7636 §4.1
    step_up: bool


@dataclass(frozen=True, slots=True)
class Person:
    """What the provider says of whoever signed in, with its claims mapped as the installation says.

    `account`: SHA-256 over issuer and `sub`; `session`: over issuer and `sid`. `organisations`: slugs.
    """

    account: bytes
    name: str
    roles: frozenset[Role]
    organisations: frozenset[str]
    multi_factor: bool
    session: bytes | None = None


@dataclass(frozen=True, slots=True)
class ProviderLogout:
    """Whom the provider has logged out: one session, or every one of an account. `id`: to be used once."""

    id: bytes
    session: bytes | None
    account: bytes | None


class IdentityProvider(Protocol):
    """The organisation's own sign-in (OpenID Connect Core 1.0, Back-Channel Logout 1.0)."""

    def authorization_url(self, attempt: Attempt) -> str:
        """Where the browser goes. Raise ProviderDownError when the provider can't be asked."""

    def person(self, attempt: Attempt, code: str, issuer: str | None) -> Person:
        """Whoever the code stands for. `issuer`: what came back with it (RFC 9207).

        Raise VerificationError when anything is not as it must be, ProviderDownError as above.
        """

    def logout(self, token: str) -> ProviderLogout:
        """What a logout token says. Raise as `person`."""

    def sign_out_url(self) -> str | None:
        """Where a browser signs out of the provider too, as far as that is known."""
