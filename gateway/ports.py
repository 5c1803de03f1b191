"""What the use cases need from outside, as Protocols; the contract is in the docstring.

Every port is small. Implementations live at the edges (`gateway.db`, `adapters`), fakes in `tests/fakes.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from audit.checkpoint import NoteVerifier
from audit.entry import Entry
from gateway.domain.exchange import Exchange, ExchangeId, Status
from gateway.domain.principal import Principal
from gateway.machine_ports import Invitations, TlsCertificates
from gateway.party_ports import Agreements, Partners, Prekeys, Users
from gateway.people_ports import PeopleUnit
from gateway.retention_ports import Holds, Retentions
from gateway.review_ports import Alerts, EarlierLog, LogIndex, Marks, SignIns, SubjectTags
from gateway.succession_ports import Successions
from gateway.witness_ports import Cosignatures, Witnesses


@dataclass(frozen=True, slots=True)
class Submission:
    """What an idempotency key stood for: the digest of the request and what was answered."""

    user: UUID
    key_hash: bytes
    request_digest: bytes
    exchange: ExchangeId | None
    outcome: bytes  # JSON bytes of the answer that was given, without personal data


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


class Transport(Protocol):
    """How a bundle travels to a partner. It neither judges nor records."""

    def send(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        """Idempotent by exchange. Raise PartnerError when it can't be handed over."""


class Clock(Protocol):
    """The time, passed in."""

    def __call__(self) -> datetime:
        """Now, aware, in UTC."""
