"""What the use cases need from outside, as Protocols; the contract is in the docstring.

Every port is small. Implementations live at the edges (`gateway.db`, `adapters`), fakes in `tests/fakes.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from audit.checkpoint import NoteVerifier
from audit.entry import Entry
from gateway.bundle.succession import lineage_of
from gateway.domain.errors import StoreAlteredError, VerificationError
from gateway.domain.exchange import Exchange, ExchangeId, Role, Status
from gateway.domain.identity import Identity
from gateway.domain.lineage import Lineage
from gateway.domain.principal import Principal
from gateway.machine_ports import Invitations, TlsCertificates
from gateway.people_ports import PeopleUnit
from gateway.retention_ports import Holds, Retentions
from gateway.review_ports import Alerts, EarlierLog, LogIndex, Marks, SignIns, SubjectTags
from gateway.succession_ports import Successions
from gateway.witness_ports import Cosignatures, Witnesses


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


@dataclass(frozen=True, slots=True)
class Submission:
    """What an idempotency key stood for: the digest of the request and what was answered."""

    user: UUID
    key_hash: bytes
    request_digest: bytes
    exchange: ExchangeId | None
    outcome: bytes  # JSON bytes of the answer that was given, without personal data


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


class Exchanges(Protocol):
    """Exchanges, and the steps that each has taken."""

    def add(self, exchange: Exchange) -> None: ...

    def get(self, exchange: ExchangeId) -> Exchange:
        """Raise NotFoundError when there is none."""

    def all(self, *, submitted_by: UUID | None = None, partner: str | None = None) -> list[Exchange]:
        """Newest first; of one user, of one partner, if so asked."""

    def advance(self, exchange: ExchangeId, to: Status, *, frm: Iterable[Status]) -> bool:
        """Move to `to` if the status is one of `frm`, holding the row until the transaction ends.

        False when the status is `to` already (the step ran before: do nothing).
        Raise ConflictError when it is anything else.
        """

    def recent(self, partner: str, dataset: str, since: datetime) -> list[Exchange]:
        """Those submitted after a moment, newest first.

        Of two transactions that ask for the same partner and dataset, the second waits until the first has
        ended, so that each sees what the other has asked.
        """

    def counted(
        self, since: datetime, *, agreement: str | None = None, submitted_by: UUID | None = None
    ) -> tuple[int, int]:
        """How many were submitted from a moment on, and the people they asked about.

        Of two transactions that ask for the same, the second waits until the first has ended.
        """

    def unfinished(self) -> list[Exchange]: ...


class Vault(Protocol):
    """Ciphertexts by exchange and kind. Only sealed bytes may be put here."""

    def put(self, exchange: ExchangeId, kind: str, sealed: bytes) -> None: ...

    def get(self, exchange: ExchangeId, kind: str) -> bytes:
        """Raise NotFoundError when there is none."""

    def drop(self, exchange: ExchangeId, kind: str) -> None: ...

    def kinds(self, exchange: ExchangeId) -> list[str]:
        """What lies there of an exchange, in order."""


class Mailbox(Protocol):
    """Bundles that wait for a partner's agent to fetch them."""

    def post(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        """Idempotent by exchange."""

    def waiting(self, partner: str) -> list[ExchangeId]:
        """Oldest first."""

    def fetch(self, partner: str, exchange: ExchangeId) -> bytes:
        """Raise NotFoundError when this partner has no such bundle: whose it is stays unsaid."""

    def remove(self, exchange: ExchangeId) -> None: ...


class Submissions(Protocol):
    """Idempotency keys of submissions."""

    def find(self, user: UUID, key_hash: bytes) -> Submission | None: ...

    def remember(self, submission: Submission) -> None:
        """Raise ConflictError when (user, key) is there already: a concurrent twin won."""

    def under_way(self, user: UUID, request_digest: bytes) -> ExchangeId | None:
        """An exchange of this very request by this user whose status is not in `ENDED`, or None.

        Of two transactions that ask for the same request, the second waits until the first has ended, so
        that both can't find none.
        """

    def forget(self, exchange: ExchangeId) -> None:
        """Drop what was remembered of an exchange. Idempotent."""


class Replays(Protocol):
    """Ids that may be used once (JWT `jti`, RFC 7519 §4.1.7)."""

    def use(self, digest: bytes, until: datetime, now: datetime) -> None:
        """Raise ConflictError when it was used before. Forgets ids whose `until` has passed."""


class PolicySets(Protocol):
    """Policy sets that decisions were made with, by their digest."""

    def keep(self, digest: str, document: bytes, at: datetime) -> bool:
        """Idempotent; whether it was new. `document`: the set's canonical JSON."""

    def get(self, digest: str) -> bytes:
        """Raise NotFoundError when there is none."""


class DisclosureLog(Protocol):
    """The append-only log, seen from inside one transaction."""

    @property
    def verifier(self) -> NoteVerifier:
        """The key that its checkpoints are signed with; its name is the origin."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Durable when, and only when, the unit of work commits. Raise LogUnavailableError otherwise."""

    def size(self) -> int: ...

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint (C2SP tlog-checkpoint)."""

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Raw leaf bytes [start, stop)."""

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """RFC 9162 leaf hashes [start, stop)."""

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """RFC 9162 §2.1.3.1 inclusion proof."""

    def consistency(self, size1: int, size2: int) -> list[bytes]:
        """RFC 9162 §2.1.4.1 consistency proof."""


class UnitOfWork(PeopleUnit, Protocol):
    """One transaction. Leaving the block without `commit()` rolls everything back."""

    @property
    def partners(self) -> Partners: ...

    @property
    def agreements(self) -> Agreements: ...

    @property
    def users(self) -> Users: ...

    @property
    def prekeys(self) -> Prekeys: ...

    @property
    def exchanges(self) -> Exchanges: ...

    @property
    def vault(self) -> Vault: ...

    @property
    def mailbox(self) -> Mailbox: ...

    @property
    def submissions(self) -> Submissions: ...

    @property
    def retentions(self) -> Retentions: ...

    @property
    def holds(self) -> Holds: ...

    @property
    def replays(self) -> Replays: ...

    @property
    def tls_certificates(self) -> TlsCertificates: ...

    @property
    def invitations(self) -> Invitations: ...

    @property
    def policy_sets(self) -> PolicySets: ...

    @property
    def witnesses(self) -> Witnesses: ...

    @property
    def cosignatures(self) -> Cosignatures: ...

    @property
    def successions(self) -> Successions: ...

    @property
    def sign_ins(self) -> SignIns: ...

    @property
    def marks(self) -> Marks: ...

    @property
    def alerts(self) -> Alerts: ...

    @property
    def log(self) -> DisclosureLog: ...

    @property
    def log_index(self) -> LogIndex: ...

    @property
    def subject_tags(self) -> SubjectTags: ...

    def earlier_logs(self) -> Sequence[EarlierLog]:
        """Those that relinks set aside, newest first."""

    def commit(self) -> None: ...


class Store(Protocol):
    """Where units of work begin."""

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """A new transaction; serialisable enough that two `advance` calls never both succeed."""

    def acting_for(self, principal: Principal) -> "Store":
        """The same store, in whose units the web role sees and changes what this principal may, and no more.

        What a principal may not see is as if it were not there. Who may not add a row gets
        ConfigurationError: a check of the application's failed before. A unit for nobody sees nothing.
        """


class Uses(Protocol):
    """Counts that all processes share, each in a transaction of its own; a crash may lose them."""

    def count(self, bucket: str, window: datetime) -> int:
        """Count one use in the window that begins at a moment; how many there are with it.

        Raise StoreUnavailableError when it can't be counted.
        """

    def forget(self, before: datetime) -> None:
        """Drop the windows that began before a moment."""


class UnsafeNoUses:
    """Counts nothing: for tests of something else."""

    def count(self, bucket: str, window: datetime) -> int:
        del bucket, window
        return 0

    def forget(self, before: datetime) -> None:
        del before


class ExchangeKeys(Protocol):
    """Secret bytes of one exchange, kept outside the database (DESIGN.md §6)."""

    def put(self, exchange: ExchangeId, name: str, key: bytes) -> None:
        """Durable on return. Raise ConflictError when the name is there with other bytes."""

    def get(self, exchange: ExchangeId, name: str) -> bytes:
        """Raise NotFoundError when it was never put, or is destroyed."""

    def destroy(self, exchange: ExchangeId, name: str) -> None:
        """Idempotent."""

    def older_than(self, name: str, moment: datetime) -> list[ExchangeId]:
        """Exchanges whose key of this name was put before `moment`: where a sweep looks for leftovers."""


class PartyKeys(Protocol):
    """One organisation's private keys; no other module sees their bytes."""

    @property
    def identity(self) -> Identity: ...

    def sign(self, payload: bytes, typ: str) -> str:
        """Compact JWS (Ed25519, RFC 9864) by the signing key."""

    def sign_in(self, payload: bytes, typ: str) -> str:
        """Compact JWS by the `auth` key: assertions and access tokens."""

    def agree(self, peer: bytes) -> bytes:
        """X25519 (RFC 7748) of the static exchange key with `peer`, 32 bytes.

        Raise VerificationError when the result is all zero.
        """


class OwnKeys(PartyKeys, Protocol):
    """This organisation's own keys, generation by generation; `PartyKeys` acts for the one in use.

    What needs two of its members to fit together takes `generation` once: another process may rotate.
    """

    @property
    def lineage(self) -> Lineage:
        """Every generation that is or was in use."""

    @property
    def successions(self) -> tuple[str, ...]:
        """The signed successions between them, oldest first."""

    def generation(self, number: int) -> PartyKeys:
        """Raise NotFoundError when it was never in use, or is destroyed."""

    def held(self) -> tuple[int, ...]:
        """Numbers of the generations in use or before whose private keys are still there."""

    def destroy(self, number: int) -> None:
        """Destroy the private keys of one before that in use. Idempotent. Raise ConflictError otherwise."""


class NextKeys(OwnKeys, Protocol):
    """How the next generation comes into use; each step is durable on return, and may be repeated."""

    def prepare(self) -> PartyKeys:
        """The next generation's keys, made now or before; not in use yet."""

    def pending(self) -> str | None:
        """The signed succession to the next generation, where there is one that is not in use yet."""

    def announce(self, succession: str) -> None:
        """Keep the signed succession; takes the place of an earlier one that never came into use."""

    def use(self) -> None:
        """Turn to the next generation. Raise ConfigurationError when its succession does not hold."""


class Transport(Protocol):
    """How a bundle travels to a partner. It neither judges nor records."""

    def send(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        """Idempotent by exchange. Raise PartnerError when it can't be handed over."""


class Clock(Protocol):
    """The time, passed in."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""
