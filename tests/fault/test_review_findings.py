"""Steps that overlap: two workers, two deliveries of one reply, a cancellation beside them.

A step reads the status, works, and only then holds the row. `overtaken` lets another process do its whole
step in between, by way of the clock, which every step asks after it has read.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from jobworld import LIST, Job, a_job

from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import Status
from gateway.service import agreements, answers, dispatch, exchanges, release
from gateway.service.closing import clear_up
from gateway.service.context import Context
from gateway.service.sealing import SECRET

FLAG = "health.adult_mental_health"


@pytest.fixture
def job() -> Job:
    return a_job()


def overtaken(job: Job, by: Callable[[], object]) -> Context:
    """The job's context; `by` runs once, when a step asks for the time."""
    waiting = [by]

    def clock():
        if waiting:
            waiting.pop()()
        return job.clock()

    return replace(job.context, clock=clock)


def status(job: Job, exchange) -> Status:
    return job.store.committed.exchanges[exchange].status


def delivered(job: Job):
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    return exchange


def test_two_workers_authorise_once(job):
    """Two workers that authorise one exchange at once leave one authorisation in the log."""
    exchange = job.submit().exchange
    other = overtaken(job, lambda: dispatch.authorise(job.context, exchange))
    assert dispatch.authorise(other, exchange) is Status.AUTHORISED
    assert job.kinds().count("exchange.request-authorised") == 1


def test_two_workers_release_once(job):
    """Two workers that release one answer at once leave one release in the log."""
    exchange = delivered(job)
    other = overtaken(job, lambda: release.release(job.context, exchange))
    assert release.release(other, exchange) is Status.RELEASED
    assert job.kinds().count("exchange.release-authorised") == 1


def test_two_workers_expire_once(job):
    """Two workers that give up one exchange at once leave one entry in the log."""
    exchange = job.sent()
    job.clock.advance(days=30)
    other = overtaken(job, lambda: dispatch.expire(job.context, exchange))
    dispatch.expire(other, exchange)
    assert job.kinds().count("exchange.expired") == 1


def test_two_workers_cancel_once(job):
    """Two workers that find the agreement revoked at once leave one cancellation in the log."""
    exchange = job.submit().exchange
    agreements.revoke(job.context, "T-1")
    other = overtaken(job, lambda: dispatch.authorise(job.context, exchange))
    assert dispatch.authorise(other, exchange) is Status.CANCELLED
    assert job.kinds().count("exchange.cancelled") == 1


def test_an_answer_sent_twice_at_once_is_taken_once(job):
    """Of two answers that arrive at once the first counts: the second neither replaces it nor is logged."""
    exchange = job.sent()
    first, second = (job.partner.answer(job, exchange, {unit: [FLAG]}) for unit in (0, 1))
    take = answers.receive_answer
    other = overtaken(job, lambda: take(job.context, job.registered, exchange, first))
    with pytest.raises(ConflictError, match="other bytes"):
        take(other, job.registered, exchange, second)
    assert job.kinds().count("exchange.delivered") == 1
    assert job.store.committed.vault[exchange, "answer"] == first


def test_one_answer_delivered_twice_at_once_is_acknowledged_twice(job):
    """The same bytes twice at once are one delivery, and both senders are told that it arrived."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange)
    take = answers.receive_answer
    other = overtaken(job, lambda: take(job.context, job.registered, exchange, answer))
    take(other, job.registered, exchange, answer)
    assert job.kinds().count("exchange.delivered") == 1


def test_a_refusal_sent_twice_at_once_is_logged_once(job):
    """Two deliveries of one refusal at once leave one entry in the log."""
    exchange = job.sent()
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    notice = make_refusal(exchange, digest, RefusalCode.DECLINED, job.clock(), job.partner.keys.sign)
    take = answers.receive_refusal
    other = overtaken(job, lambda: take(job.context, job.registered, exchange, notice))
    take(other, job.registered, exchange, notice)
    assert job.kinds().count("exchange.declined") == 1


def test_a_cancellation_sent_twice_at_once_is_logged_once(job):
    """Two cancellations at once leave one entry in the log."""
    exchange = job.sent()
    other = overtaken(job, lambda: exchanges.cancel(job.context, job.analyst, exchange))
    exchanges.cancel(other, job.analyst, exchange)
    assert job.kinds().count("exchange.cancelled") == 1


def test_a_request_whose_time_ran_out_before_it_left_stays_here(job):
    """A gateway that was down past the answer date sends nothing, and says that nothing was disclosed."""
    exchange = job.submit().exchange
    job.clock.now = job.store.committed.exchanges[exchange].expires_at
    assert job.drive(exchange) == "expired"
    assert not job.transport.sent
    assert '"counts_as_disclosed":false' in job.leaves().splitlines()[-1]


@pytest.mark.parametrize(
    ("happens", "ends"),
    [
        (lambda job: agreements.revoke(job.context, "T-1"), "cancelled"),
        (lambda job: job.clock.advance(days=30), "expired"),
    ],
    ids=["revoked", "out of time"],
)
def test_nothing_is_sent_when_the_permit_ends_after_the_authorisation(job, happens, ends):
    """A permit that ends between authorisation and sending stops the sending."""
    exchange = job.submit().exchange
    dispatch.authorise(job.context, exchange)
    happens(job)
    assert job.drive(exchange) == ends
    assert not job.transport.sent


@pytest.mark.parametrize("happens", ["cancelled", "out of time"])
def test_nothing_is_handed_out_after_the_end(job, happens):
    """A bundle left in the mailbox by a send that a cancellation or expiry overtook is handed to nobody."""
    exchange = job.sent()
    if happens == "cancelled":
        exchanges.cancel(job.context, job.analyst, exchange)
    else:
        job.clock.now = job.store.committed.exchanges[exchange].expires_at
    with job.store.begin() as uow:
        uow.mailbox.post("trust", exchange, b"bundle")
        uow.commit()
    with pytest.raises(NotFoundError):
        answers.fetch_request(job.context, job.registered, exchange)


def test_an_answer_out_of_time_is_refused(job):
    """The request's expiry counts, whatever expiry the partner writes into its answer."""
    exchange = job.sent()
    job.clock.advance(days=13, hours=23)
    answer = job.partner.answer(job, exchange)  # says that it holds for a week
    job.clock.advance(hours=1)
    with pytest.raises(ConflictError, match="time is over"):
        answers.receive_answer(job.context, job.registered, exchange, answer)
    assert "exchange.delivered" not in job.kinds()


def test_an_answer_without_a_permit_is_not_taken(job):
    """An answer that comes after the agreement was revoked is not kept, and cancels the exchange."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange, {0: [FLAG]})
    agreements.revoke(job.context, "T-1")
    with pytest.raises(ConflictError, match="no longer permitted"):
        answers.receive_answer(job.context, job.registered, exchange, answer)
    assert status(job, exchange) is Status.CANCELLED
    assert not {"answer", "flags", "request"} & {kind for _, kind in job.store.committed.vault}
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, SECRET)


def test_flags_that_may_not_be_released_are_not_kept(job):
    """When the permit ends between delivery and release, the flags are dropped with the release."""
    exchange = delivered(job)
    agreements.revoke(job.context, "T-1")
    assert job.drive(exchange) == "cancelled"
    assert (exchange, "flags") not in job.store.committed.vault


class Crash(BaseException):
    """The process is gone: nothing may catch this."""


def crash_once(job: Job, moment: str) -> None:
    def fail():
        setattr(job.store.hooks, moment, lambda: None)
        raise Crash

    setattr(job.store.hooks, moment, fail)


def cancel(job, exchange):
    exchanges.cancel(job.context, job.analyst, exchange)


def decline(job, exchange):
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    notice = make_refusal(exchange, digest, RefusalCode.DECLINED, job.clock(), job.partner.keys.sign)
    answers.receive_refusal(job.context, job.registered, exchange, notice)


@pytest.mark.parametrize("end", [cancel, decline])
def test_the_secret_dies_although_the_end_was_cut_short(job, end):
    """A crash right after the end was committed leaves a secret that the next sweep destroys."""
    exchange = job.sent()
    crash_once(job, "after_commit")
    with pytest.raises(Crash):
        end(job, exchange)
    job.context.exchange_keys.get(exchange, SECRET)
    clear_up(job.context, before=job.clock() + timedelta(seconds=1))
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, SECRET)
    assert (exchange, "request") not in job.store.committed.vault


def test_an_ended_exchange_is_closed_however_new_its_secret_is(job):
    """What a crash left of an exchange that has ended does not wait for the age of orphans."""
    exchange = job.sent()
    crash_once(job, "after_commit")
    with pytest.raises(Crash):
        cancel(job, exchange)
    job.clock.advance(seconds=1)
    clear_up(job.context, before=job.clock() - timedelta(hours=1))
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, SECRET)


def test_keys_of_a_submission_that_was_never_committed_die(job):
    """A crash before the commit leaves keys of no exchange; a sweep destroys them all, once old enough."""
    crash_once(job, "before_commit")
    with pytest.raises(Crash):
        job.submit()
    keys = job.context.exchange_keys.keys
    clear_up(job.context, before=job.clock())
    assert len(keys) == 5
    clear_up(job.context, before=job.clock() + timedelta(seconds=1))
    assert not keys


def test_a_sweep_spares_what_is_under_way_and_looks_at_nothing_that_is_closed(job):
    """A sweep keeps the keys of a running exchange, and does not grow with the number of closed ones."""
    running, closed = job.submit().exchange, job.submit(LIST.replace("Example", "Sample")).exchange
    cancel(job, closed)
    later = job.clock() + timedelta(seconds=1)
    clear_up(job.context, before=later)
    job.context.exchange_keys.get(running, SECRET)
    assert job.context.exchange_keys.older_than(SECRET, later) == [running]
