"""The store in memory, with PostgreSQL's isolation; import it from `fakes`."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_log import FakeDisclosureLog, FakeEarlierLog, FakeLogIndex, FakeSubjectTags
from fake_machines import FakeInvitations, FakeTlsCertificates
from fake_people import FakeLinks, FakeProposals, FakeSessions
from fake_retention import FakeHolds, FakeRetentions
from fake_review import Alerts, Marks, SignIns
from fake_rows import shown
from fake_state import State, check_references
from fake_successions import FakeSuccessions
from fake_witnesses import FakeCosignatures, FakeWitnesses

from audit.checkpoint import NoteSigner
from gateway.domain.errors import ConflictError, LogUnavailableError, NotFoundError
from gateway.domain.exchange import ENDED, Exchange, ExchangeId, Role, Status
from gateway.domain.principal import Principal
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord, User
from gateway.ports import Submission
from gateway.service.finding import catch_up_within


def _nothing() -> None:
    """The hook that lets a step be."""


@dataclass
class Hooks:
    """Called at the named moments of every unit of work; a hook that raises makes that step fail.

    Let a hook raise what the port names: LogUnavailableError of an append or the commit of one.
    """

    before_append: Callable[[], None] = _nothing
    after_append: Callable[[], None] = _nothing
    before_commit: Callable[[], None] = _nothing
    after_commit: Callable[[], None] = _nothing  # the commit is durable; only its answer is lost


class FakeStore:
    """`gateway.ports.Store` in memory."""

    def __init__(self, signer: NoteSigner | None = None) -> None:
        seed = hashlib.sha256(b"the log of the tests").digest()
        self.signer = signer or NoteSigner(
            "flagstone.example/log", Ed25519PrivateKey.from_private_bytes(seed)
        )
        self.hooks = Hooks()
        self.committed = State()
        self._writer = threading.Lock()
        self._writing_thread: int | None = None

    def set_log_aside(self) -> None:
        """What a relink does: the log and its index, which has caught up, become an earlier one."""
        with self.begin() as unit:
            catch_up_within(unit)
            state = unit.write()
            state.earlier[len(state.earlier) + 1] = (state.leaves, state.log_index)
            state.leaves, state.log_index, state.nodes, state.checkpoints = [], {}, {}, []
            unit.commit()
        self.signer = NoteSigner(f"{self.signer.verifier.name}/2", Ed25519PrivateKey.generate())

    @contextmanager
    def begin(self, principal: Principal | None = None) -> Iterator["FakeUnitOfWork"]:
        """Without a principal as the owner, who sees everything."""
        unit = FakeUnitOfWork(self, principal)
        try:
            yield unit
        finally:
            unit.close()

    def acting_for(self, principal: Principal) -> "ActingStore":
        return ActingStore(self, principal)

    def acquire(self) -> None:
        if self._writing_thread == threading.get_ident():
            raise RuntimeError("this thread writes in another unit of work: PostgreSQL would deadlock here")
        if not self._writer.acquire(timeout=20):
            raise RuntimeError("another unit of work has been writing for 20 seconds")
        self._writing_thread = threading.get_ident()

    def release(self) -> None:
        self._writing_thread = None
        self._writer.release()


@dataclass(frozen=True)
class ActingStore:
    """A `FakeStore` that shows what a principal may see."""

    whole: FakeStore
    principal: Principal

    def begin(self):
        return self.whole.begin(self.principal)

    def acting_for(self, principal: Principal) -> "ActingStore":
        return ActingStore(self.whole, principal)


class FakeUnitOfWork:
    """`gateway.ports.UnitOfWork` over `FakeStore`."""

    def __init__(self, store: FakeStore, principal: Principal | None = None) -> None:
        self._store = store
        self._principal = principal
        self._own: State | None = None
        self.failed = False
        self.hooks = store.hooks
        self.partners = _Partners(self)
        self.agreements = _Agreements(self)
        self.users = _Users(self)
        self.sessions = FakeSessions(self)
        self.links = FakeLinks(self)
        self.proposals = FakeProposals(self)
        self.prekeys = _Prekeys(self)
        self.exchanges = _Exchanges(self)
        self.vault = _Vault(self)
        self.mailbox = _Mailbox(self)
        self.submissions = _Submissions(self)
        self.retentions = FakeRetentions(self)
        self.holds = FakeHolds(self)
        self.replays = _Replays(self)
        self.tls_certificates = FakeTlsCertificates(self)
        self.invitations = FakeInvitations(self)
        self.policy_sets = _PolicySets(self)
        self.witnesses = FakeWitnesses(self)
        self.cosignatures = FakeCosignatures(self)
        self.successions = FakeSuccessions(self)
        self.sign_ins = SignIns(self)
        self.marks = Marks(self)
        self.alerts = Alerts(self)
        self.log = FakeDisclosureLog(self, store.signer)
        self.log_index = FakeLogIndex(self)
        self.subject_tags = FakeSubjectTags(self)

    def earlier_logs(self) -> list[FakeEarlierLog]:
        return [FakeEarlierLog(number, *log) for number, log in sorted(self.state.earlier.items())][::-1]

    @property
    def state(self) -> State:
        return self._shown(self._own or self._store.committed)

    def _shown(self, state: State) -> State:
        return shown(state, self._principal) if self._principal else state

    def write(self) -> State:
        if self._own is None:
            self._store.acquire()
            self._own = self._store.committed.copy()
        return self._shown(self._own)

    def commit(self) -> None:
        if self.failed:
            raise LogUnavailableError("a step of this unit of work failed before", place="log")
        self.hooks.before_commit()
        if self._own is not None:
            check_references(self._own)
            self._store.committed = self._own
            self.close()
        self.hooks.after_commit()

    def close(self) -> None:
        if self._own is not None:
            self._own = None
            self._store.release()


@dataclass
class _Table:
    unit: FakeUnitOfWork


class _Partners(_Table):
    def add(self, partner: Partner) -> None:
        partners = self.unit.write().partners
        _free(partner.identity.slug not in partners, "partner", "it is registered already")
        partners[partner.identity.slug] = partner

    def get(self, slug: str) -> Partner:
        return self._succeeded(_found(self.unit.state.partners.get(slug), "partner"))

    def all(self) -> list[Partner]:
        return [self._succeeded(partner) for _, partner in sorted(self.unit.state.partners.items())]

    def revoke(self, slug: str, at: datetime) -> None:
        partners = self.unit.write().partners
        partner = _found(partners.get(slug), "partner")
        partners[slug] = replace(partner, revoked_at=partner.revoked_at or at)

    def _succeeded(self, partner: Partner) -> Partner:
        kept = self.unit.successions.of(partner.identity.slug)
        chain = [each.document for each in kept if each.confirmed_at is not None]
        return Partner.enrolled(partner.identity, partner.added_at, partner.revoked_at, chain)


class _Agreements(_Table):
    def propose(self, record: AgreementRecord) -> None:
        agreements = self.unit.write().agreements
        _free(record.number not in agreements, "agreement", "the number is taken")
        agreements[record.number] = record

    def get(self, number: str) -> AgreementRecord:
        return _found(self.unit.state.agreements.get(number), "agreement")

    def all(self, *, partner: str | None = None, dataset: str | None = None) -> list[AgreementRecord]:
        chosen = [
            record
            for record in self.unit.state.agreements.values()
            if partner in (None, record.partner) and dataset in (None, record.dataset)
        ]
        return sorted(chosen, key=lambda record: record.proposed_at, reverse=True)

    def countersign(self, number: str, partner_jws: str, at: datetime) -> None:
        agreements = self.unit.write().agreements
        record = _found(agreements.get(number), "agreement")
        if record.signed_at or record.revoked_at:
            raise ConflictError("it is signed or revoked already", place="agreement")
        agreements[number] = replace(record, partner_jws=partner_jws, signed_at=at)

    def revoke(self, number: str, at: datetime) -> None:
        agreements = self.unit.write().agreements
        record = _found(agreements.get(number), "agreement")
        agreements[number] = replace(record, revoked_at=record.revoked_at or at)


class _Users(_Table):
    def add(self, user: User) -> None:
        users = self.unit.write().users
        in_force = {each.name for each in users.values() if each.revoked_at is None}
        hashes = {each.token_hash for each in users.values()} - {None}
        taken = user.id in users or user.name in in_force or user.token_hash in hashes
        _free(not taken, "user", "a user in force has this name")
        users[user.id] = user

    def enrol(self, user: User) -> None:
        known = {each.account for each in self.unit.state.users.values()}
        _free(user.account not in known, "user", "a user in force has this name")
        self.add(replace(user, token_hash=None, revoked_at=None))

    def get(self, user: UUID) -> User:
        return _found(self.unit.state.users.get(user), "user")

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
        user = replace(_found(next(in_force, None), "user"), **changes)
        users[user.id] = user
        return user


class _Prekeys(_Table):
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


class _Exchanges(_Table):
    def add(self, exchange: Exchange) -> None:
        exchanges = self.unit.write().exchanges
        _free(exchange.id not in exchanges, "exchange", "the id is taken")
        exchanges[exchange.id] = exchange

    def get(self, exchange: ExchangeId) -> Exchange:
        return _found(self.unit.state.exchanges.get(exchange), "exchange")

    def all(self, *, submitted_by: UUID | None = None, partner: str | None = None) -> list[Exchange]:
        chosen = [
            each
            for each in self.unit.state.exchanges.values()
            if submitted_by in (None, each.submitted_by) and partner in (None, each.partner)
        ]
        return sorted(chosen, key=lambda each: each.submitted_at, reverse=True)

    def advance(self, exchange: ExchangeId, to: Status, *, frm: Iterable[Status]) -> bool:
        exchanges = self.unit.write().exchanges
        row = _found(exchanges.get(exchange), "exchange")
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


class _PolicySets(_Table):
    def keep(self, digest: str, document: bytes, at: datetime) -> bool:
        kept = self.unit.write().policy_sets
        if digest in kept:
            return False
        kept[digest] = document
        return True

    def get(self, digest: str) -> bytes:
        return _found(self.unit.state.policy_sets.get(digest), "policy set")


class _Vault(_Table):
    def put(self, exchange: ExchangeId, kind: str, sealed: bytes) -> None:
        self.unit.write().vault[exchange, kind] = sealed

    def get(self, exchange: ExchangeId, kind: str) -> bytes:
        return _found(self.unit.state.vault.get((exchange, kind)), "vault")

    def drop(self, exchange: ExchangeId, kind: str) -> None:
        self.unit.write().vault.pop((exchange, kind), None)

    def kinds(self, exchange: ExchangeId) -> list[str]:
        return sorted(kind for whose, kind in self.unit.state.vault if whose == exchange)


class _Mailbox(_Table):
    def post(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        posted = (partner, bundle)
        if self.unit.write().mailbox.setdefault(exchange, posted) != posted:
            raise ConflictError("another bundle waits for this exchange", place="mailbox")

    def waiting(self, partner: str) -> list[ExchangeId]:
        return [exchange for exchange, (whose, _) in self.unit.state.mailbox.items() if whose == partner]

    def fetch(self, partner: str, exchange: ExchangeId) -> bytes:
        whose, bundle = self.unit.state.mailbox.get(exchange, (None, None))
        return _found(bundle if whose == partner else None, "mailbox")

    def remove(self, exchange: ExchangeId) -> None:
        self.unit.write().mailbox.pop(exchange, None)


class _Submissions(_Table):
    def find(self, user: UUID, key_hash: bytes) -> Submission | None:
        return self.unit.state.submissions.get((user, key_hash))

    def remember(self, submission: Submission) -> None:
        submissions = self.unit.write().submissions
        key = (submission.user, submission.key_hash)
        _free(key not in submissions, "submission", "the idempotency key is in use")
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


class _Replays(_Table):
    def use(self, digest: bytes, until: datetime, now: datetime) -> None:
        replays = self.unit.write().replays
        for old in [each for each, end in replays.items() if end <= now]:
            del replays[old]
        _free(digest not in replays, "one-time id", "it was used before")
        replays[digest] = until


def _found(value, place: str):
    if value is None:
        raise NotFoundError("there is none", place=place)
    return value


def _free(free: bool, place: str, taken: str) -> None:
    if not free:
        raise ConflictError(taken, place=place)
