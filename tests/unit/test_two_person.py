"""The two-person rule: who may propose and approve, once, within a day; nobody reviews themselves."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from fakes import NOON
from jobworld import Job, a_job
from two_people import another, approved

from audit.entry import Entry
from gateway.domain.alerts import Alert, Closing, Rule
from gateway.domain.errors import BadInputError, ConflictError, NotAllowedError, NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.legal_date import legal_date
from gateway.domain.proposals import Act, ActReason
from gateway.domain.retention import HoldReason, RetentionClock
from gateway.domain.sessions import SignInRules
from gateway.service import destruction, exchanges, holds, proving, results, review_queue, two_person, users
from gateway.service.answers import receive_answer
from gateway.service.erasure import destroy_due

RESULTS = RetentionClock.RESULTS


@pytest.fixture
def job() -> Job:
    return a_job()


@pytest.fixture
def ended(job) -> ExchangeId:
    exchange = job.sent()
    exchanges.cancel(job.context, job.analyst, exchange)
    return exchange


def held(job: Job, exchange: ExchangeId) -> None:
    until = legal_date(job.clock()) + timedelta(days=300)
    holds.place(job.context, job.reviewer, exchange, until=until, reason=HoldReason.COMPLAINT)


def propose(job: Job, user, act=Act.LIFT_HOLD, **about):
    return two_person.propose(job.context, user, act, ActReason.ROUTINE, **about)["proposal"]


def test_an_approval_is_spent_once(job, ended):
    """A hold lifted with an approval needs another one when it was placed again."""
    held(job, ended)
    approved(job, Act.LIFT_HOLD, exchange=ended)
    holds.lift(job.context, job.reviewer, ended)
    held(job, ended)
    with pytest.raises(NotAllowedError, match="second person"):
        holds.lift(job.context, job.reviewer, ended)
    assert [k for k in job.kinds() if k.startswith("proposal.")] == [
        "proposal.made",
        "proposal.approved",
        "proposal.used",
    ]


def test_nobody_approves_alone(job, ended):
    """Who proposed can't approve or refuse it, and what is only proposed allows nothing."""
    held(job, ended)
    proposal = propose(job, job.reviewer, exchange=ended)
    for approve in (True, False):
        with pytest.raises(NotAllowedError, match="another person"):
            two_person.decide(job.context, job.reviewer, proposal, approve=approve)
    with pytest.raises(NotAllowedError, match="second person"):
        holds.lift(job.context, job.reviewer, ended)


def test_a_refusal_is_final(job, ended):
    """What was refused allows nothing and can't be approved later; it may be proposed anew."""
    held(job, ended)
    proposal = propose(job, job.reviewer, exchange=ended)
    with pytest.raises(ConflictError, match="already"):
        propose(job, job.reviewer, exchange=ended)
    two_person.decide(job.context, another(job), proposal, approve=False)
    with pytest.raises(ConflictError, match="decided before"):
        two_person.decide(job.context, another(job), proposal, approve=True)
    with pytest.raises(NotAllowedError):
        holds.lift(job.context, job.reviewer, ended)
    propose(job, job.reviewer, exchange=ended)


@pytest.mark.parametrize("decided", [True, False])
def test_a_day_is_all_there_is(job, ended, decided):
    """After 24 hours a proposal can't be approved, and an approval not used."""
    held(job, ended)
    proposal = propose(job, job.reviewer, exchange=ended)
    if decided:
        two_person.decide(job.context, another(job), proposal, approve=True)
    job.clock.advance(hours=24)
    if not decided:
        with pytest.raises(ConflictError):
            two_person.decide(job.context, another(job), proposal, approve=True)
    with pytest.raises(NotAllowedError):
        holds.lift(job.context, job.reviewer, ended)


def test_an_approval_does_not_outlive_its_people(job, ended):
    """An approval of somebody who was revoked since allows nothing."""
    held(job, ended)
    approved(job, Act.LIFT_HOLD, exchange=ended)
    users.revoke(job.context, "second officer")
    with pytest.raises(NotAllowedError, match="second person"):
        holds.lift(job.context, job.reviewer, ended)


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("role", Role)
def test_each_act_has_its_roles(job, ended, act, role):
    """Every role tries to propose and approve every act: those that `WHO` names may, and no other."""
    person = replace(job.analyst, role=role, partner="trust" if role is Role.CUSTODIAN else None)
    person = person if role in (Role.PROGRAMME, Role.CUSTODIAN) else another(job, role, role.value)
    exchange = None if act is Act.KEY_EXPORT else ended
    clock = RESULTS if act is Act.DESTROY_EARLY else None
    who = two_person.WHO[act]
    if role in who.propose:
        assert propose(job, person, act, exchange=exchange, clock=clock)
    else:
        with pytest.raises(NotAllowedError):
            propose(job, person, act, exchange=exchange, clock=clock)
    proposers = {Act.RELEASE_RESULTS: job.analyst, Act.KEY_EXPORT: another(job, Role.OPERATOR, "other")}
    if role not in who.propose:
        made = propose(job, proposers.get(act, job.reviewer), act, exchange=exchange, clock=clock)
        if role in who.approve:
            assert two_person.decide(job.context, person, made, approve=True)["approved"]
        else:
            with pytest.raises(NotAllowedError):
                two_person.decide(job.context, person, made, approve=True)


def test_an_act_and_what_it_is_about_go_together(job, ended):
    """An exchange for all but key-export, a clock for destroy-early alone; one that is there."""
    for act, about in (
        (Act.LIFT_HOLD, {}),
        (Act.LIFT_HOLD, {"exchange": ended, "clock": RESULTS}),
        (Act.DESTROY_EARLY, {"exchange": ended}),
        (Act.KEY_EXPORT, {"exchange": ended}),
    ):
        user = another(job, Role.OPERATOR, "op") if act is Act.KEY_EXPORT else job.reviewer
        with pytest.raises(BadInputError):
            propose(job, user, act, **about)
    with pytest.raises(NotFoundError):
        propose(job, job.reviewer, exchange=uuid4())


def test_destruction_before_time(job, ended):
    """Ordered by one reviewer and approved by another, results go with the next sweep; the account stays."""
    with pytest.raises(NotAllowedError, match="second person"):
        destruction.order(job.context, job.reviewer, ended, RESULTS)
    approved(job, Act.DESTROY_EARLY, exchange=ended, clock=RESULTS)
    with pytest.raises(NotAllowedError, match="second person"):
        destruction.order(job.context, job.reviewer, ended, RetentionClock.ACCOUNTING)
    destruction.order(job.context, job.reviewer, ended, RESULTS)
    destroy_due(job.context)
    with job.store.begin() as uow:
        kept = uow.retentions.of(ended)
    assert kept[RESULTS].destroyed_at == NOON
    assert kept[RetentionClock.ACCOUNTING].destroyed_at is None
    assert job.kinds()[-3:] == [
        "proposal.used",
        "exchange.destruction-ordered",
        "exchange.results-destroyed",
    ]
    with pytest.raises(ConflictError, match="destroyed"):
        destruction.order(job.context, job.reviewer, ended, RESULTS)


def test_what_may_not_be_destroyed_early(job, ended):
    """A legal hold stands against it, and so does an exchange that has not ended."""
    held(job, ended)
    with pytest.raises(ConflictError, match="legal hold"):
        destruction.order(job.context, job.reviewer, ended, RESULTS)
    with pytest.raises(NotAllowedError):
        destruction.order(job.context, job.analyst, ended, RESULTS)
    with pytest.raises(NotFoundError):
        destruction.order(job.context, job.reviewer, ExchangeId(uuid4()), RESULTS)


def test_an_exchange_under_way_is_not_destroyed(job):
    """Its clocks do not run yet."""
    with pytest.raises(ConflictError, match="not ended"):
        destruction.order(job.context, job.reviewer, job.sent(), RESULTS)


def test_release_of_results_by_two(job):
    """Where it is set, results are read once a reviewer approved it; then for as long as they are kept."""
    exchange = job.sent()
    strict = replace(job.context, rules=SignInRules(two_person_release=True))
    answered = job.partner.answer(job, exchange)
    receive_answer(job.context, job.registered, exchange, answered)
    job.drive(exchange)
    with pytest.raises(NotAllowedError, match="second person"):
        results.read(strict, job.analyst, exchange)
    approved(job, Act.RELEASE_RESULTS, job.analyst, exchange=exchange)
    first = results.read(strict, job.analyst, exchange)
    job.clock.advance(days=2)
    assert results.read(strict, job.analyst, exchange) == first
    assert job.kinds().count("proposal.used") == 1
    assert results.read(job.context, job.analyst, exchange) == first


def test_a_reviewer_does_not_review_what_they_once_submitted(job, ended):
    """Whoever submitted, and became a reviewer later, can't hold, lift, destroy, prove, approve or close."""
    turned = replace(job.analyst, role=Role.REVIEWER)
    until = legal_date(job.clock()) + timedelta(days=1)
    with job.store.begin() as uow:
        alert = Alert(uuid4(), Rule.NO_RECEIPT, str(ended), until, NOON, raised_at=NOON, looked_at=NOON)
        uow.alerts.add(alert)
        uow.commit()
    for act in (
        lambda: holds.place(job.context, turned, ended, until=until, reason=HoldReason.COMPLAINT),
        lambda: destruction.order(job.context, turned, ended, RESULTS),
        lambda: proving.prove(job.context, turned, ended),
        lambda: propose(job, turned, exchange=ended),
        lambda: review_queue.close(job.context, turned, alert.id, Closing.EXPECTED),
    ):
        with pytest.raises(NotAllowedError, match="one's own exchange"):
            act()
    held(job, ended)
    approved(job, Act.LIFT_HOLD, exchange=ended)
    with pytest.raises(NotAllowedError, match="one's own exchange"):
        holds.lift(job.context, turned, ended)
    proposal = propose(job, job.reviewer, Act.DESTROY_EARLY, exchange=ended, clock=RESULTS)
    with pytest.raises(NotAllowedError, match="one's own exchange"):
        two_person.decide(job.context, turned, proposal, approve=True)


def test_listing_shows_what_concerns_one(job, ended):
    """A reviewer sees what reviewers decide; a programme user sees one's own alone."""
    mine = propose(job, job.analyst, Act.RELEASE_RESULTS, exchange=ended)
    theirs = propose(job, job.reviewer, exchange=ended)
    shown = [each["proposal"] for each in two_person.listing(job.context, job.reviewer)]
    assert shown == [theirs, mine]
    assert [each["proposal"] for each in two_person.listing(job.context, job.analyst)] == [mine]
    operator = another(job, Role.OPERATOR, "op")
    assert two_person.listing(job.context, operator) == []


def test_entries_name_act_and_people_by_id(job, ended):
    """Each step's entry has the proposal, the act, the reason's code and the person's opaque id."""
    approved(job, Act.DESTROY_EARLY, exchange=ended, clock=RESULTS)
    made, agreed = (Entry.parse(leaf) for leaf in job.store.committed.leaves[-2:])
    for entry, person in ((made, job.reviewer), (agreed, another(job))):
        assert entry.body["act"] == "destroy-early"
        assert (entry.body["exchange"], entry.body["clock"]) == (str(ended), "results")
        assert entry.body["reason"] == "routine"
        assert entry.body["actor"]["id"] == str(person.id)
