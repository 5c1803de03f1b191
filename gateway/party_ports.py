"""Whom the gateway knows: partners, users, agreements and prekeys; a part of `gateway.ports`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from gateway.bundle.succession import lineage_of
from gateway.domain.errors import StoreAlteredError, VerificationError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.identity import Identity
from gateway.domain.lineage import Lineage


@dataclass(frozen=True, slots=True)
class Partner:
    """A registered partner. `identity`: the current one; `chain`: None where nothing has succeeded it."""

    identity: Identity
    added_at: datetime
    revoked_at: datetime | None = None
    chain: Lineage | None = None

    @property
    def lineage(self) -> Lineage:
        """All its identities, each in its time."""
        return self.chain or Lineage.of(self.identity)

    @classmethod
    def enrolled(
        cls, identity: Identity, added_at: datetime, revoked_at: datetime | None, successions: Sequence[str]
    ) -> Self:
        """From what is stored: the identity that was enrolled, and the successions accepted since.

        Raises:
            StoreAlteredError: a stored succession does not hold.
        """
        try:
            lineage = lineage_of(identity, tuple(successions))
        except VerificationError:
            raise StoreAlteredError(
                "a stored succession of keys does not hold",
                place=f"partner {identity.slug}",
                way_out="Tell the operator",
            ) from None
        return cls(lineage.current.identity, added_at, revoked_at, lineage if successions else None)


@dataclass(frozen=True, slots=True)
class User:
    """A user. `id` is the opaque actor id of the log; `name` stands in an erasable table only."""

    id: UUID
    name: str
    role: Role
    token_hash: bytes | None  # SHA-256 of a 256-bit random token
    created_at: datetime
    revoked_at: datetime | None = None
    partner: str | None = None  # a custodian's organisation, by slug; all others are the council's
    account: bytes | None = None  # SHA-256 over the provider's issuer and `sub`, for who signs in there


@dataclass(frozen=True, slots=True)
class AgreementRecord:
    """An agreement document with what was signed on it. In force only with both signatures."""

    number: str
    partner: str
    dataset: str
    digest: str  # SHA-256 of the canonical document, hex
    council_jws: str
    partner_jws: str | None
    proposed_at: datetime
    signed_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PrekeyRecord:
    """A partner's signed one-time X25519 public key (32 bytes)."""

    partner: str
    id: str
    public: bytes
    jws: str
    expires_at: datetime


class Partners(Protocol):
    """Registered partners by slug."""

    def add(self, partner: Partner) -> None:
        """Raise ConflictError when the slug is taken."""

    def get(self, slug: str) -> Partner:
        """Raise NotFoundError when there is none. Revoked partners are returned too."""

    def all(self) -> list[Partner]: ...

    def revoke(self, slug: str, at: datetime) -> None: ...


class Agreements(Protocol):
    """Agreements by number."""

    def propose(self, record: AgreementRecord) -> None:
        """Raise ConflictError when the number is taken."""

    def get(self, number: str) -> AgreementRecord:
        """Raise NotFoundError when there is none."""

    def all(self, *, partner: str | None = None, dataset: str | None = None) -> list[AgreementRecord]:
        """Newest proposal first."""

    def countersign(self, number: str, partner_jws: str, at: datetime) -> None:
        """Raise ConflictError when it is signed or revoked already."""

    def revoke(self, number: str, at: datetime) -> None: ...


class Users(Protocol):
    """Council users and partners' custodians."""

    def add(self, user: User) -> None:
        """Raise ConflictError when the name is taken by a user in force."""

    def enrol(self, user: User) -> None:
        """As `add`, of one without token whom the provider signs in; the account is to be new too."""

    def get(self, user: UUID) -> User:
        """Raise NotFoundError when there is none."""

    def by_account(self, account: bytes) -> User | None: ...

    def named(self, name: str) -> User | None:
        """The user in force of that name."""

    def assign(self, user: UUID, role: Role, partner: str | None) -> None:
        """What the provider says of a user now."""

    def by_token(self, token_hash: bytes) -> User | None: ...

    def all(self) -> list[User]: ...

    def replace_token(self, name: str, token_hash: bytes) -> User:
        """Raise NotFoundError when no user in force has the name."""

    def revoke(self, name: str, at: datetime) -> User:
        """Raise NotFoundError when no user in force has the name."""


class Prekeys(Protocol):
    """One-time prekeys. Each is claimed by one exchange at most, ever."""

    def publish(self, prekeys: Sequence[PrekeyRecord]) -> None:
        """Ids already known are ignored, so that a repeated upload does no harm."""

    def claim(self, partner: str, exchange: ExchangeId, at: datetime) -> PrekeyRecord | None:
        """The oldest unclaimed, unexpired prekey, or None. Concurrent claims never share one."""

    def available(self, partner: str, at: datetime) -> int: ...

    def discard(self, partner: str) -> None:
        """Drop every prekey of a partner that no exchange has claimed."""
