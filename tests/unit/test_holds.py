"""Legal holds: they suspend both clocks, are logged, end by themselves, and are the reviewer's alone."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from fakes import NOON
from jobworld import Job, a_job
from two_people import approved

from audit.entry import Entry
from gateway.domain.errors import BadInputError, ConflictError, NotAllowedError, NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.proposals import Act
from gateway.domain.retention import HoldReason, RetentionClock
from gateway.service import exchanges, holds
from gateway.service.erasure import destroy_due
from gateway.service.sealing import get_sealed

UNTIL = date(2027, 6, 1)  # summer time: the day in London begins at 23:00 UTC


@pytest.fixture
def job() -> Job:
    return a_job()


@pytest.fixture
def ended(job) -> ExchangeId:
    """An exchange that ended on 22 November 2026: its results are due on 20 February 2027."""
    exchange = job.sent()
    exchanges.cancel(job.context, job.analyst, exchange)
    return exchange


def place(job: Job, exchange: ExchangeId, until: date = UNTIL, reason=HoldReason.LEGAL_CLAIM, user=None):
    holds.place(job.context, user or job.reviewer, exchange, until=until, reason=reason)


def sweep(job: Job) -> None:
    """In the order of `gateway.workflows`."""
    holds.expire(job.context)
    destroy_due(job.context)


def destroyed(job: Job) -> int:
    return sum(kind.endswith("-destroyed") for kind in job.kinds())


def last(job: Job) -> Entry:
    return Entry.parse(job.store.committed.leaves[-1])


def test_a_hold_suspends_both_clocks_and_expires_by_itself(job, ended):
    """Nothing goes while it stands, years after both days even; past its last day all that is due goes."""
    place(job, ended)
    job.clock.now = NOON.replace(year=2027, month=6, day=1, hour=22, minute=59)
    sweep(job)
    assert destroyed(job) == 0
    job.clock.advance(minutes=1)
    sweep(job)
    assert job.kinds()[-2:] == ["exchange.hold-expired", "exchange.results-destroyed"]
    place(job, ended, until=date(2028, 5, 31))
    job.clock.now = NOON + timedelta(days=2192)  # a sweep that comes very late
    destroy_due(job.context)
    assert destroyed(job) == 1
    sweep(job)
    assert job.kinds()[-2:] == ["exchange.hold-expired", "exchange.account-destroyed"]


def test_a_hold_that_is_lifted_destroys_what_came_due(job, ended):
    """Lifting moves no clock: the next sweep destroys what a hold had kept."""
    place(job, ended)
    job.clock.now = NOON + timedelta(days=100)
    sweep(job)
    with pytest.raises(NotAllowedError, match="second person"):
        holds.lift(job.context, job.reviewer, ended)
    approved(job, Act.LIFT_HOLD, exchange=ended)
    holds.lift(job.context, job.reviewer, ended)
    assert job.kinds()[-2:] == ["proposal.used", "exchange.hold-lifted"]
    sweep(job)
    assert destroyed(job) == 1
    with pytest.raises(NotFoundError, match="no hold"):
        holds.lift(job.context, job.reviewer, ended)


def test_a_hold_is_logged_with_its_code_and_by_whom(job, ended):
    """The entry has the day and the reviewer's opaque id, and commits to the reason's code."""
    place(job, ended)
    entry = last(job)
    assert (entry.kind, entry.body["until"]) == ("exchange.hold-placed", "2027-06-01")
    assert b"legal-claim" not in entry.leaf()
    with job.store.begin() as uow:
        kept = get_sealed(job.context, uow, ended, f"accounting/openings/{entry.id}")
    assert kept["reason"]["value"] == "legal-claim"
    assert entry.body["actor"]["id"] == str(job.reviewer.id)
    assert exchanges.show(job.context, job.analyst, ended)["held_until"] == UNTIL


@pytest.mark.parametrize(
    ("until", "fits"),
    [
        (date(2026, 11, 21), False),
        (date(2026, 11, 22), True),
        (date(2027, 11, 23), True),
        (date(2027, 11, 24), False),
    ],
)
def test_a_hold_is_for_a_year_at_most(job, ended, until, fits):
    """From today to a year from now; it can be placed anew, and the later one counts."""
    if fits:
        place(job, ended, until)
        place(job, ended, until=UNTIL)
        assert job.store.committed.holds[ended].until == UNTIL
        return
    with pytest.raises(BadInputError, match="a year from now"):
        place(job, ended, until)
    assert not job.store.committed.holds


@pytest.mark.parametrize("role", [Role.PROGRAMME, Role.OPERATOR])
def test_only_a_reviewer_holds(job, ended, role):
    """Neither who uses results nor who runs the machine keeps them longer than their time."""
    user = replace(job.analyst, role=role)
    with pytest.raises(NotAllowedError):
        place(job, ended, user=user)
    place(job, ended)
    with pytest.raises(NotAllowedError):
        holds.lift(job.context, user, ended)


def test_what_is_gone_can_not_be_held(job, ended):
    """A hold placed after both destructions is refused, and one on nothing isn't found."""
    job.clock.now = NOON + timedelta(days=3000)
    sweep(job)
    assert destroyed(job) == 2
    with pytest.raises(ConflictError, match="destroyed"):
        place(job, ended, until=date(2035, 3, 1))
    with pytest.raises(NotFoundError):
        place(job, ExchangeId(job.reviewer.id), until=date(2035, 3, 1))


def test_a_hold_placed_after_the_sweep_looked_still_counts(job, ended, monkeypatch):
    """The destruction looks for a hold again once nobody else can place one."""
    job.clock.now = NOON + timedelta(days=100)
    with job.store.begin() as uow:
        due = uow.retentions.due(job.clock().date(), 10)
    place(job, ended)
    monkeypatch.setattr("fake_retention.FakeRetentions.due", lambda *_: due)
    destroy_due(job.context)
    assert destroyed(job) == 0
    assert job.store.committed.retentions[ended, RetentionClock.RESULTS].destroyed_at is None
