"""Households are not asked about again too soon, and what remembers that dies with the interval."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from jobworld import LIST, Job, a_job

from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ExchangeId
from gateway.intake import read_household_list
from gateway.service.exchanges import cancel
from gateway.service.probes import PROBE_KEY, Asked, asked_of_late, forget, remember
from gateway.service.submit import ExchangeRefusedError


@pytest.fixture
def job() -> Job:
    return a_job()


def _reasons(job: Job, content: str = LIST) -> set[str]:
    try:
        withheld = job.submit(content, purpose="identify").withheld
    except ExchangeRefusedError as refused:
        withheld = refused.withheld
    return {row["reason"] for row in withheld}


def _again(content: str = LIST) -> str:
    """The same people under other ids and in another file: ids are the council's to choose."""
    return content.replace("h1", "x1").replace("p1", "y1") + "\n"


def test_a_household_asked_about_is_not_asked_about_again(job):
    """Within the interval the same people stay behind, whatever ids they are given."""
    assert "asked-too-soon" not in _reasons(job)
    job.clock.now += timedelta(days=27)
    assert "asked-too-soon" in _reasons(job, _again())


def test_after_the_interval_it_may_be_asked_again(job):
    """On the day on which the interval is over the household is asked about again."""
    _reasons(job)
    job.clock.now += timedelta(days=28)
    assert "asked-too-soon" not in _reasons(job, _again())


def test_a_request_that_ended_without_an_answer_may_be_made_again(job):
    """A cancelled request told nobody's flags: it sets no interval."""
    exchange = job.submit().exchange
    cancel(job.context, job.analyst, exchange)
    assert "asked-too-soon" not in _reasons(job)


def test_a_policy_without_an_interval_looks_for_nothing(job):
    """With `repeat_days` 0 no household is kept back, and nothing is left to compare with."""
    job.submit()
    policy = replace(job.context.policies.datasets["health-trust"], repeat_days=0)
    people = read_household_list([LIST.encode()], today=date(2026, 11, 22)).people
    with job.store.begin() as uow:
        assert asked_of_late(job.context, uow, people, "trust", policy, job.clock()) == Asked()
        other = ExchangeId(uuid4())
        remember(job.context, uow, other, people, policy)
    assert other not in job.context.exchange_keys.older_than(PROBE_KEY, job.clock() + timedelta(days=1))


def test_tags_and_their_key_die_with_the_interval(job):
    """Once the interval is over the sweep destroys both; before, neither."""
    exchange = job.submit().exchange
    job.clock.now += timedelta(days=27)
    forget(job.context, job.clock())
    assert job.context.exchange_keys.get(exchange, PROBE_KEY)
    job.clock.now += timedelta(days=1)
    forget(job.context, job.clock())
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, PROBE_KEY)
    assert (exchange, PROBE_KEY) not in job.store.committed.vault


def test_tags_name_nobody_and_enter_no_leaf(job):
    """What is kept is ciphertext outside the log."""
    exchange = job.submit().exchange
    assert b"h1" not in job.store.committed.vault[exchange, PROBE_KEY]
    assert "probe" not in job.leaves()
