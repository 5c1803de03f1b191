"""Promises 2 and 6: if the log can't be written nothing moves, and no crash repeats or loses anything.

The failing part is the store beneath the use cases, before or after it persisted (never the use case).
After every failure the whole log is verified, and the job then runs to its end.
"""

import contextlib

import pytest
from jobworld import a_job

from audit.checkpoint import open_checkpoint
from audit.merkle import Frontier, leaf_hash
from gateway.domain.errors import LogUnavailableError
from gateway.domain.exchange import Status
from gateway.service import answers, results

MOMENTS = ["before_append", "after_append", "before_commit", "after_commit"]
STEPS = ["submit", "authorise", "deliver", "release"]


class Crash(BaseException):
    """The process is gone: nothing may catch this."""


def check_log(job):
    """The committed leaves give the root that the newest checkpoint signs."""
    with job.store.begin() as uow:
        signed = open_checkpoint(uow.log.checkpoint(), job.store.signer.verifier)
        frontier = Frontier()
        for leaf in uow.log.leaves(0, signed.size):
            frontier.add(leaf_hash(leaf))
    assert (signed.size, signed.root) == (len(job.store.committed.leaves), frontier.root())


def fail_once(job, moment, error):
    hooks = job.store.hooks

    def fail():
        setattr(hooks, moment, lambda: None)
        raise error

    setattr(hooks, moment, fail)


def until(job, step):
    """Drive a job up to the moment before `step`; what takes the step, and the exchange if there is one."""
    if step == "submit":
        return lambda: job.submit(idempotency_key="the-one-key"), None
    exchange = job.submit(idempotency_key="the-one-key").exchange
    if step == "authorise":
        return lambda: job.drive(exchange), exchange
    job.drive(exchange)
    answer = job.partner.answer(job, exchange, {1: ["health.adult_mental_health"]})
    if step == "deliver":
        return lambda: answers.receive_answer(job.context, job.registered, exchange, answer), exchange
    answers.receive_answer(job.context, job.registered, exchange, answer)
    return lambda: job.drive(exchange), exchange


def moved(job, step):
    """Whether the thing that `step` must not do without its entry has happened."""
    exchanges = list(job.store.committed.exchanges.values())
    return {
        "submit": bool(exchanges),
        "authorise": bool(job.transport.sent),
        "deliver": any(e.status in {Status.DELIVERED, Status.RELEASED} for e in exchanges),
        "release": any(e.status is Status.RELEASED for e in exchanges),
    }[step]


ENTRY = {
    "submit": "exchange.permitted",
    "authorise": "exchange.request-authorised",
    "deliver": "exchange.delivered",
    "release": "exchange.release-authorised",
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", STEPS)
def test_nothing_moves_without_its_entry(step, moment):
    """Whatever fails, and whenever, a thing has moved only if its entry is durable; a retry ends the job."""
    job = a_job()
    take, exchange = until(job, step)
    fail_once(job, moment, Crash())
    with pytest.raises(Crash):
        take()
    check_log(job)
    if moved(job, step):
        assert ENTRY[step] in job.kinds()
    if moment != "after_commit":
        assert ENTRY[step] not in job.kinds()
        assert not moved(job, step)
    again = take()
    exchange = exchange or again.exchange
    finish(job, exchange)
    check_log(job)
    kinds = job.kinds()
    assert [kinds.count(entry) for entry in ENTRY.values()] == [1, 1, 1, 1]
    assert sum(bool(unit["flags"]) for unit in results.read(job.context, job.analyst, exchange)["units"]) == 1


def finish(job, exchange):
    job.drive(exchange)
    if job.store.committed.exchanges[exchange].status is Status.SENT:
        answer = job.partner.answer(job, exchange, {1: ["health.adult_mental_health"]})
        answers.receive_answer(job.context, job.registered, exchange, answer)
    assert job.drive(exchange) == "released"


@pytest.mark.parametrize("step", STEPS)
def test_a_log_that_stays_unwritable_stops_everything(step):
    """While no entry can be appended, no step of a job gets through, however often it is tried."""
    job = a_job()
    take, _ = until(job, step)
    job.store.hooks.before_append = _unwritable
    for _ in range(3):
        with pytest.raises(LogUnavailableError):
            take()
    assert not moved(job, step)
    assert ENTRY[step] not in job.kinds()


def _unwritable():
    raise LogUnavailableError("the log can't be written", place="log")


@pytest.mark.parametrize("moment", ["before_send", "after_send"])
def test_a_transport_that_fails(moment):
    """A crash around the hand-over repeats it; the partner gets one bundle, the log one authorisation."""
    job = a_job()
    exchange = job.submit().exchange

    def fail():
        setattr(job.transport, moment, lambda: None)
        raise Crash

    setattr(job.transport, moment, fail)
    with contextlib.suppress(Crash):
        job.drive(exchange)
    assert job.drive(exchange) == "sent"
    assert len(job.transport.sent) == 1
    assert job.kinds().count("exchange.request-authorised") == 1


def test_an_answer_faster_than_the_send():
    """An agent that answers before the send step ends is taken at its word, and the job goes on."""
    job = a_job()
    exchange = job.submit().exchange

    def answer_at_once():
        answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))

    job.transport.after_send = answer_at_once
    assert job.drive(exchange) == "released"
