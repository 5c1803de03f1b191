"""The whole job, each step as the database role, and for the caller, that it is taken for in production."""

from dataclasses import replace
from datetime import timedelta

import pytest
from jobworld import LIST, Job, a_job
from two_people import approved

from adapters.transports.mailbox import MailboxTransport
from gateway.domain.errors import ConflictError
from gateway.domain.legal_date import legal_date
from gateway.domain.principal import SIGNING_IN, Principal, partner
from gateway.domain.proposals import Act
from gateway.domain.retention import HoldReason, RetentionClock
from gateway.service import agents, agreements, answers, certificates, exchanges, holds, proving, results
from gateway.service.advance import advance
from gateway.service.closing import clear_up
from gateway.service.cosigned import checkpoint, witnesses
from gateway.service.erasure import destroy_due
from gateway.service.submit import submit

pytestmark = pytest.mark.postgres


class ByRole:
    """One job over PostgreSQL, enrolled by the owner; its contexts by role and caller."""

    def __init__(self, postgres) -> None:
        self.job: Job = a_job(store=postgres.store())
        web = replace(self.job.context, store=postgres.store("web"))
        worker = postgres.store("worker")
        self.worker = replace(self.job.context, store=worker, transport=MailboxTransport(worker))
        analyst = Principal("programme", str(self.job.analyst.id))
        self.user, self.submitting = web.acting_for(analyst), web.acting_for(analyst.submitting())
        self.reviewer = web.acting_for(Principal("reviewer", str(self.job.reviewer.id)))
        self.agent, self.nobody = web.acting_for(partner("trust")), web.acting_for(SIGNING_IN)

    def submit(self, key: str = "key-00000001"):
        return submit(
            self.submitting,
            self.job.analyst,
            [LIST.encode()],
            dataset="health-trust",
            purpose="identify",
            framework="local",
            idempotency_key=key,
        ).exchange

    def drive(self, exchange) -> str:
        status = ""
        while (now := advance(self.worker, exchange).status.value) != status:
            status = now
        return status

    def answered(self, exchange) -> None:
        trust = self.job.registered
        bundle = answers.fetch_request(self.agent, trust, exchange)
        self.job.transport.sent[exchange] = ("trust", bundle)
        answer = self.job.partner.answer(self.job, exchange)
        answers.receive_answer(self.agent, trust, exchange, answer)
        answers.receive_answer(self.agent, trust, exchange, answer)


@pytest.fixture
def by_role(postgres) -> ByRole:
    return ByRole(postgres)


def test_from_a_list_to_destruction(by_role):
    """Submission, answer, release, reading, evidence, hold and destruction, each as its caller."""
    job, exchange = by_role.job, by_role.submit()
    assert by_role.submit() == exchange  # the same key again
    assert by_role.drive(exchange) == "sent"
    state = agents.state(by_role.agent, job.registered)
    assert state["waiting"] == [str(exchange)]
    by_role.answered(exchange)
    assert by_role.drive(exchange) == "released"
    assert exchanges.show(by_role.user, job.analyst, exchange)["status"] == "released"
    assert len(exchanges.listing(by_role.user, job.analyst)) == 1
    assert results.read(by_role.user, job.analyst, exchange)["units"]
    assert proving.prove(by_role.reviewer, job.reviewer, exchange, person="p11", openings=True)
    until = legal_date(job.clock()) + timedelta(days=2)
    holds.place(by_role.reviewer, job.reviewer, exchange, until=until, reason=HoldReason.COMPLAINT)
    approved(job, Act.LIFT_HOLD, exchange=exchange)
    holds.lift(by_role.reviewer, job.reviewer, exchange)
    job.clock.advance(days=4000)
    destroy_due(by_role.worker)
    clear_up(by_role.worker, before=job.clock())
    assert len(certificates.of_exchange(by_role.user, job.analyst, exchange)) == 2
    for clock in RetentionClock:
        assert certificates.for_partner(by_role.agent, job.registered, exchange, clock)
        certificates.taken(by_role.agent, job.registered, exchange, clock)
    assert checkpoint(by_role.reviewer, job.reviewer)
    assert witnesses(by_role.reviewer, job.reviewer) == {"witnesses": [], "alarms": []}


def test_what_was_asked_of_late_counts_whoever_asked(by_role):
    """A colleague's list is held against a new one, though the colleague's exchange is not otherwise seen."""
    exchange = by_role.submit()
    by_role.drive(exchange)
    other = Principal("submission", str(by_role.job.reviewer.id))
    since = by_role.job.clock() - timedelta(days=1)
    with by_role.submitting.store.acting_for(other).begin() as unit:
        (found,) = unit.exchanges.recent("trust", "health-trust", since)
        assert found.id == exchange
        assert unit.vault.kinds(exchange) == ["probe"]


def test_an_exchange_is_cancelled_by_its_user(by_role):
    """Cancelling takes the bundle out of the mailbox and starts the clocks, as the programme user alone."""
    exchange = by_role.submit()
    by_role.drive(exchange)
    exchanges.cancel(by_role.user, by_role.job.analyst, exchange)
    assert agents.state(by_role.agent, by_role.job.registered)["waiting"] == []
    with pytest.raises(ConflictError):
        results.read(by_role.user, by_role.job.analyst, exchange)


def test_an_agreement_that_ends_cancels_what_an_agent_brings(by_role):
    """An answer under a revoked agreement cancels the exchange, as the partner's agent alone."""
    exchange = by_role.submit()
    by_role.drive(exchange)
    bundle = answers.fetch_request(by_role.agent, by_role.job.registered, exchange)
    by_role.job.transport.sent[exchange] = ("trust", bundle)
    answer = by_role.job.partner.answer(by_role.job, exchange)
    agreements.revoke(by_role.job.context, "T-1")
    with pytest.raises(ConflictError):
        answers.receive_answer(by_role.agent, by_role.job.registered, exchange, answer)
    assert exchanges.show(by_role.user, by_role.job.analyst, exchange)["status"] == "cancelled"


def test_nobody_signs_in_without_the_phase(by_role):
    """The look at users and partners that signing in takes is closed once somebody is signed in."""
    with by_role.nobody.store.begin() as unit:
        assert unit.users.by_token(by_role.job.analyst.token_hash)
        assert unit.partners.get("trust")
    with by_role.user.store.begin() as unit:
        assert unit.users.by_token(by_role.job.analyst.token_hash) is None
