"""The record of processing: what UK GDPR Article 30 asks for, from policies, agreements and counts."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from jobworld import a_job

from gateway.domain.errors import BadInputError, NotAllowedError
from gateway.exports import article30
from gateway.service import agreements, answers
from gateway.service.processing import processing
from gateway.service.submit import ExchangeRefusedError


@pytest.fixture
def job():
    job = a_job()
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    return job


def record(job, since=None, until=None):
    return article30.record(processing(job.context, job.reviewer, since, until))


def test_every_point_of_the_article_is_answered(job):
    """Controller, purposes, subjects, data, recipients, transfers, time limits, security measures."""
    told = record(job)
    (activity,) = told["activities"]
    assert told["controller"] == "Council"
    assert activity["purposes"] == ["Identify families who need support"]
    assert activity["data_subjects"]
    assert {"dob", "nhs_number"} <= set(activity["identifiers"])
    assert activity["indicators"][0] == {
        "code": "health.adult_mental_health",
        "label": activity["indicators"][0]["label"],
        "categories": ["special category (UK GDPR Article 9)"],
    }
    assert activity["recipients"]["of_the_list"] == ["Trust"]
    assert activity["recipients"]["of_the_answer"] == "The council's families programme team"
    assert activity["retention_days"] == {
        "waiting_for_an_answer": 14,
        "results": 90,
        "account_of_disclosures": 2192,
    }
    assert told["transfers"]
    assert len(told["security"]) >= 5


def test_the_legal_basis_is_that_of_the_day(job):
    """Powers, conditions and the confidentiality route of the regime in force, by citation."""
    law = record(job)["activities"][0]["legal_basis"]
    cited = {leg: [each["citation"] for each in provisions] for leg, provisions in law.items()}
    assert any("Article 6(1)(e)" in each for each in cited["of_the_list"])
    assert any("Article 9(2)(h)" in each for each in cited["of_the_answer"])
    assert not any("DPA 1998" in each for leg in cited.values() for each in leg)
    assert cited["confidentiality"]


def test_agreements_come_with_their_papers(job):
    """Number, partner, dates, and the impact assessment and policy document with their last days."""
    (agreement,) = record(job)["activities"][0]["agreements"]
    assert agreement == {
        "number": "T-1",
        "partner": "Trust",
        "status": "in force",
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
        "dpia": "DPIA-1",
        "dpia_to": "2026-12-31",
        "appropriate_policy_document": "APD-1",
        "appropriate_policy_document_to": "2026-12-31",
    }


@pytest.mark.parametrize(
    ("happens", "status"),
    [
        (lambda job: agreements.revoke(job.context, "T-1"), "revoked"),
        (lambda job: job.clock.advance(days=60), "expired"),
    ],
)
def test_an_agreement_that_ended_says_so(job, happens, status):
    """Revoked and expired agreements stay in the record under their status."""
    happens(job)
    assert record(job)["activities"][0]["agreements"][0]["status"] == status


def test_small_counts_are_not_told(job):
    """Nine of a kind are `fewer than 10`, like none; ten are told."""
    told = processing(job.context, job.reviewer, None, None)
    for count, shown in ((0, "fewer than 10"), (9, "fewer than 10"), (10, 10)):
        counted = replace(told, counts={"health-trust": {"exchange.refused": count}})
        assert article30.record(counted)["activities"][0]["exchanges"]["refused"] == shown


def test_counts_are_those_of_the_period(job):
    """Entries before the first day and after the last are left out; refusals of unknown names count apart."""
    for _ in range(10):
        with pytest.raises(ExchangeRefusedError):
            job.submit(purpose="results-claim")
    with pytest.raises(ExchangeRefusedError):
        job.submit(dataset="Ann-Example")
    today = job.clock().date()
    assert record(job, today, today)["activities"][0]["exchanges"]["refused"] == 10
    assert record(job)["refused_of_unknown_datasets"] == "fewer than 10"
    earlier = record(job, None, today - timedelta(days=1))
    assert earlier["activities"][0]["exchanges"]["refused"] == "fewer than 10"


def test_a_dataset_nobody_uses_is_no_activity(job):
    """A packaged policy without an agreement and without an entry is not processing."""
    assert [each["dataset"] for each in record(job)["activities"]] == ["health-trust"]


def test_markdown_says_what_the_record_says(job):
    """Every purpose, citation, agreement and measure of the JSON stands in the page."""
    told = record(job)
    page = article30.markdown(told)
    (activity,) = told["activities"]
    wanted = [told["controller"], *activity["purposes"], *told["security"], "T-1", "DPIA-1", "APD-1"]
    wanted += [each["citation"] for leg in activity["legal_basis"].values() for each in leg]
    assert [each for each in wanted if each not in page] == []
    assert page.startswith("# Record of processing (UK GDPR Article 30)\n")


def test_asking_for_it_is_logged(job):
    """The log says who took the record, and for which period."""
    from audit.entry import Entry

    record(job, date(2026, 1, 1))
    entry = Entry.parse(job.store.committed.leaves[-1])
    assert entry.kind == "log.exported"
    assert entry.body["actor"]["id"] == str(job.reviewer.id)
    assert {"format": "art30", "whole": False, "from": "2026-01-01"}.items() <= dict(entry.body).items()


def test_only_a_reviewer_takes_it(job):
    """Another role is turned away, and nothing is logged."""
    before = job.kinds()
    with pytest.raises(NotAllowedError):
        processing(job.context, job.analyst, None, None)
    with pytest.raises(BadInputError, match="ends before it begins"):
        processing(job.context, job.reviewer, date(2026, 2, 1), date(2026, 1, 1))
    assert job.kinds() == before
