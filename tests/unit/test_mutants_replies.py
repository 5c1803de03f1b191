"""What an answer, a refusal or the end of waiting leaves behind; found by mutation (tests/mutation.py)."""

import json

import pytest
from jobworld import Job, a_job

from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import Status
from gateway.service import answers, dispatch, exchanges, partners
from gateway.service.sealing import SECRET


@pytest.fixture
def job() -> Job:
    return a_job()


def status(job: Job, exchange) -> Status:
    return job.store.committed.exchanges[exchange].status


def waiting(job: Job) -> list:
    with job.store.begin() as uow:
        return uow.mailbox.waiting("trust")


def post(job: Job, exchange) -> None:
    with job.store.begin() as uow:
        uow.mailbox.post("trust", exchange, b"the request")
        uow.commit()
    assert waiting(job) == [exchange]


def posted(job: Job):
    """An exchange whose request waits for the partner's agent."""
    exchange = job.sent()
    post(job, exchange)
    return exchange


def refusal(job: Job, exchange, code: RefusalCode = RefusalCode.DECLINED) -> str:
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    return make_refusal(exchange, digest, code, job.clock(), job.partner.keys.sign)


def broken(*_: object) -> None:
    raise OSError


def test_an_answer_empties_the_mailbox(job):
    """An answered request is not offered again."""
    exchange = posted(job)
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    assert waiting(job) == []


def test_the_same_answer_is_acknowledged_after_the_release(job):
    """An agent that lost our acknowledgement gets it again, even when the secret has died meanwhile."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange)
    answers.receive_answer(job.context, job.registered, exchange, answer)
    assert job.drive(exchange) == "released"
    before = job.kinds()
    answers.receive_answer(job.context, job.registered, exchange, answer)
    assert job.kinds() == before


@pytest.mark.parametrize("end", [Status.CANCELLED, Status.EXPIRED, Status.DECLINED])
def test_an_answer_after_the_end_is_told_that_nobody_waits(job, end):
    """An answer to what was cancelled, given up or declined is refused, not silently dropped."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange)
    if end is Status.CANCELLED:
        exchanges.cancel(job.context, job.analyst, exchange)
    elif end is Status.EXPIRED:
        dispatch.expire(job.context, exchange)
    else:
        answers.receive_refusal(job.context, job.registered, exchange, refusal(job, exchange))
    with pytest.raises(ConflictError, match="no answer is awaited"):
        answers.receive_answer(job.context, job.registered, exchange, answer)
    assert status(job, exchange) is end


def test_a_refusal_ends_the_exchange_at_once(job):
    """A refusal is logged as a disclosure made, and with it mailbox, secret and request bundle are gone."""
    exchange = posted(job)
    answers.receive_refusal(job.context, job.registered, exchange, refusal(job, exchange))
    leaf = json.loads(job.leaves().splitlines()[-1])
    assert (leaf["body"]["code"], leaf["body"]["counts_as_disclosed"]) == ("declined", True)
    assert waiting(job) == []
    assert (exchange, "request") not in job.store.committed.vault
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, SECRET)


def test_a_refused_request_is_gone_though_the_end_be_cut_short(job, monkeypatch):
    """The mailbox is emptied in the transaction that logs the refusal, not only afterwards."""
    exchange = posted(job)
    monkeypatch.setattr(answers, "close", broken)
    with pytest.raises(OSError):  # noqa: PT011 - ours, whatever its text
        answers.receive_refusal(job.context, job.registered, exchange, refusal(job, exchange))
    assert waiting(job) == []


def test_a_request_given_up_is_not_offered_again(job):
    """When waiting ends the request leaves the mailbox."""
    exchange = posted(job)
    dispatch.expire(job.context, exchange)
    assert waiting(job) == []


def test_a_request_cancelled_for_want_of_a_permit_is_not_offered_again(job):
    """A crash left the bundle posted; the permit ends; the repeated step takes it back."""
    exchange = job.submit().exchange
    dispatch.authorise(job.context, exchange)
    post(job, exchange)
    partners.revoke(job.context, "trust")
    dispatch.send(job.context, exchange)
    assert status(job, exchange) is Status.CANCELLED
    assert json.loads(job.leaves().splitlines()[-1])["body"]["counts_as_disclosed"] is True
    assert waiting(job) == []


def test_what_was_never_authorised_is_cancelled_as_not_disclosed(job):
    """A permit that ended before the authorisation: the log says that nothing left."""
    exchange = job.submit().exchange
    partners.revoke(job.context, "trust")
    assert dispatch.authorise(job.context, exchange) is Status.CANCELLED
    assert json.loads(job.leaves().splitlines()[-1])["body"]["counts_as_disclosed"] is False


def test_what_is_not_to_be_sent_is_not_handed_over(job):
    """Only an authorised exchange reaches the transport: not before, and not again afterwards."""
    job.transport.before_send, honest = broken, job.transport.before_send
    exchange = job.submit().exchange
    dispatch.send(job.context, exchange)
    dispatch.authorise(job.context, exchange)
    job.transport.before_send = honest
    dispatch.send(job.context, exchange)
    job.transport.before_send = broken
    dispatch.send(job.context, exchange)
    assert status(job, exchange) is Status.SENT
