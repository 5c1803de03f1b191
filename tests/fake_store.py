"""The store in memory, with PostgreSQL's isolation; import it from `fakes`."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_exchanges import FakeExchanges, FakeMailbox, FakePolicySets, FakeReplays, FakeSubmissions, FakeVault
from fake_log import FakeDisclosureLog, FakeEarlierLog, FakeLogIndex, FakeSubjectTags
from fake_machines import FakeInvitations, FakeTlsCertificates
from fake_parties import FakeAgreements, FakePartners, FakePrekeys, FakeUsers
from fake_people import FakeLinks, FakeProposals, FakeSessions
from fake_retention import FakeHolds, FakeRetentions
from fake_review import Alerts, Marks, SignIns
from fake_rows import shown
from fake_state import State, check_references
from fake_successions import FakeSuccessions
from fake_witnesses import FakeCosignatures, FakeWitnesses

from audit.checkpoint import NoteSigner
from gateway.domain.errors import LogUnavailableError
from gateway.domain.principal import Principal
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
        self.partners = FakePartners(self)
        self.agreements = FakeAgreements(self)
        self.users = FakeUsers(self)
        self.sessions = FakeSessions(self)
        self.links = FakeLinks(self)
        self.proposals = FakeProposals(self)
        self.prekeys = FakePrekeys(self)
        self.exchanges = FakeExchanges(self)
        self.vault = FakeVault(self)
        self.mailbox = FakeMailbox(self)
        self.submissions = FakeSubmissions(self)
        self.retentions = FakeRetentions(self)
        self.holds = FakeHolds(self)
        self.replays = FakeReplays(self)
        self.tls_certificates = FakeTlsCertificates(self)
        self.invitations = FakeInvitations(self)
        self.policy_sets = FakePolicySets(self)
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
