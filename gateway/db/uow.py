"""Units of work on PostgreSQL: `gateway.ports.Store` and `UnitOfWork`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoint import NoteSigner
from gateway.db.engine import Session, translated
from gateway.db.exchanges import (
    PostgresExchanges,
    PostgresMailbox,
    PostgresReplays,
    PostgresSubmissions,
    PostgresVault,
)
from gateway.db.logindex import PostgresLogIndex, PostgresSubjectTags
from gateway.db.logstore import Memory, PostgresDisclosureLog
from gateway.db.parties import PostgresAgreements, PostgresPartners, PostgresPrekeys, PostgresUsers
from gateway.db.people import PostgresLinks, PostgresProposals, PostgresSessions
from gateway.db.policysets import PostgresPolicySets
from gateway.db.retention import PostgresHolds, PostgresRetentions
from gateway.db.review import PostgresAlerts, PostgresMarks, PostgresSignIns
from gateway.db.witnesses import PostgresCosignatures, PostgresWitnesses
from gateway.domain.errors import LogUnavailableError, StoreUnavailableError


class PostgresUnitOfWork:
    """One transaction, READ COMMITTED; the locks of `advance`, `claim` and the log order concurrent units."""

    def __init__(self, session: Session, signer: NoteSigner, memory: Memory) -> None:
        self._session = session
        self.partners = PostgresPartners(session)
        self.agreements = PostgresAgreements(session)
        self.users = PostgresUsers(session)
        self.sessions = PostgresSessions(session)
        self.links = PostgresLinks(session)
        self.proposals = PostgresProposals(session)
        self.prekeys = PostgresPrekeys(session)
        self.exchanges = PostgresExchanges(session)
        self.vault = PostgresVault(session)
        self.mailbox = PostgresMailbox(session)
        self.submissions = PostgresSubmissions(session)
        self.retentions = PostgresRetentions(session)
        self.holds = PostgresHolds(session)
        self.replays = PostgresReplays(session)
        self.policy_sets = PostgresPolicySets(session)
        self.witnesses = PostgresWitnesses(session)
        self.cosignatures = PostgresCosignatures(session)
        self.sign_ins = PostgresSignIns(session)
        self.marks = PostgresMarks(session)
        self.alerts = PostgresAlerts(session)
        self.log = PostgresDisclosureLog(session, signer, memory)
        self.log_index = PostgresLogIndex(session)
        self.subject_tags = PostgresSubjectTags(session)

    def commit(self) -> None:
        """Make the whole unit durable.

        Raises:
            LogUnavailableError: the unit has log entries, and the database did not confirm them.
            StoreUnavailableError: the same of a unit without entries.
            ConflictError: a row refers to something that is not there.
        """
        try:
            # The commit point: before it nothing of this unit exists for anyone, after it all of it does, the
            # log's entries and the signed checkpoint included. A crash here leaves one or the other; who
            # repeats the step finds out by `advance`.
            self._session.commit()
        except StoreUnavailableError:
            if not self.log.appended:
                raise
            raise LogUnavailableError("the disclosure log was not confirmed", place="log") from None
        self.log.committed()


class PostgresStore:
    """`gateway.ports.Store`.

    `engine` comes from `gateway.db.engine.make_engine`; `signer` holds the log's key.
    """

    def __init__(self, engine: Engine, signer: NoteSigner) -> None:
        self._engine = engine
        self._signer = signer
        self._memory = Memory()

    @contextmanager
    def begin(self) -> Iterator[PostgresUnitOfWork]:
        """A new transaction on a pooled connection; rolled back on leaving unless committed.

        Raises:
            StoreUnavailableError: no connection can be had.
        """
        connection = self._connect()
        try:
            yield PostgresUnitOfWork(Session(connection), self._signer, self._memory)
        finally:
            with suppress(SQLAlchemyError):  # the connection is lost: the server rolls back by itself
                connection.close()

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise translated(error) from None
