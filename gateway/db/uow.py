"""Units of work on PostgreSQL: `gateway.ports.Store` and `UnitOfWork`."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoint import Signer
from gateway.db.callers import CallerSeal
from gateway.db.earlier import PostgresEarlierLog, set_aside
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
from gateway.db.machines import PostgresInvitations, PostgresTlsCertificates
from gateway.db.parties import PostgresAgreements, PostgresPartners, PostgresPrekeys, PostgresUsers
from gateway.db.people import PostgresLinks, PostgresProposals, PostgresSessions
from gateway.db.policysets import PostgresPolicySets
from gateway.db.retention import PostgresHolds, PostgresRetentions
from gateway.db.review import PostgresAlerts, PostgresMarks, PostgresSignIns
from gateway.db.successions import PostgresSuccessions
from gateway.db.witnesses import PostgresCosignatures, PostgresWitnesses
from gateway.domain.errors import LogUnavailableError, StoreUnavailableError
from gateway.domain.principal import Principal


class PostgresUnitOfWork:
    """One transaction, READ COMMITTED; the locks of `advance`, `claim` and the log order concurrent units."""

    def __init__(self, session: Session, signer: Signer, memory: Memory) -> None:
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
        self.tls_certificates = PostgresTlsCertificates(session)
        self.invitations = PostgresInvitations(session)
        self.policy_sets = PostgresPolicySets(session)
        self.witnesses = PostgresWitnesses(session)
        self.cosignatures = PostgresCosignatures(session)
        self.successions = PostgresSuccessions(session)
        self.sign_ins = PostgresSignIns(session)
        self.marks = PostgresMarks(session)
        self.alerts = PostgresAlerts(session)
        self.log = PostgresDisclosureLog(session, signer, memory)
        self.log_index = PostgresLogIndex(session)
        self.subject_tags = PostgresSubjectTags(session)

    def earlier_logs(self) -> list[PostgresEarlierLog]:
        return [PostgresEarlierLog(self._session, number) for number in set_aside(self._session)]

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

    `engine` comes from `gateway.db.engine.make_engine`; `signer` holds the log's key. `seal` is the web
    role's alone: the others see rows by their privileges, whoever they act for.
    """

    def __init__(self, engine: Engine, signer: Signer, seal: CallerSeal | None = None) -> None:
        self._engine = engine
        self._signer = signer
        self._seal = seal
        self._principal: Principal | None = None
        self._memory = Memory()

    def acting_for(self, principal: Principal) -> Self:
        acting = copy.copy(self)
        acting._principal = principal  # noqa: SLF001 - its own class
        return acting

    @contextmanager
    def begin(self) -> Iterator[PostgresUnitOfWork]:
        """A new transaction on a pooled connection; rolled back on leaving unless committed.

        Raises:
            StoreUnavailableError: no connection can be had.
        """
        connection = self._connect()
        try:
            session = Session(connection)
            if self._seal and self._principal:
                self._seal.enter(session, self._principal)
            yield PostgresUnitOfWork(session, self._signer, self._memory)
        finally:
            with suppress(SQLAlchemyError):  # the connection is lost: the server rolls back by itself
                connection.close()

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise translated(error) from None
