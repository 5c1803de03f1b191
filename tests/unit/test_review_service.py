"""What the use cases leave in the store, whom they believe, and what a caller learns of others."""

import contextlib
from dataclasses import replace

import pytest
from fakes import FakePartyKeys
from jobworld import Job, a_job

from gateway.service.submit import ExchangeRefusedError


@pytest.fixture
def job() -> Job:
    return a_job()


def remembered(job: Job, council: str):
    """What the store keeps of one refused submission to a council that has other keys."""
    job.context = replace(job.context, keys=FakePartyKeys(council))
    job.store.committed.submissions.clear()
    with contextlib.suppress(ExchangeRefusedError):
        job.submit(dataset="no-such", idempotency_key="a-family-name")
    (kept,) = job.store.committed.submissions.values()
    return kept


def test_a_stored_digest_of_a_list_can_not_be_guessed_at(job):
    """The digests of list and idempotency key need the council's key: a database alone tests no guess."""
    one, other = remembered(job, "council"), remembered(job, "council-two")
    assert remembered(job, "council").request_digest == one.request_digest
    assert one.request_digest != other.request_digest
    assert one.key_hash != other.key_hash
