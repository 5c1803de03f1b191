"""What a data subject is told: organisations, purposes, law and days, and nobody else."""

import json
from dataclasses import replace

import pytest
from jobworld import Job, a_job

from gateway.domain.errors import LogUnavailableError
from gateway.service import answers, exchanges, extracts
from gateway.service.search_context import SearchContext
from gateway.service.subjects import Reason
from policies.loader import builtin, load
from policies.model import PolicySet
from policies.telling import UNKNOWN, checks

ANN = {"forename": "Ann", "surname": "Example1", "dob": "1985-03-02", "postcode": "LS1 4AP"}
POLICIES = load(builtin())


@pytest.fixture
def job() -> Job:
    """One released exchange about Ann and others."""
    made = a_job()
    exchange = made.sent()
    answers.receive_answer(made.context, made.registered, exchange, made.partner.answer(made, exchange))
    made.drive(exchange)
    return made


def extract(job: Job, details=ANN, *, checked: bool = False) -> extracts.Extract:
    return extracts.make(
        SearchContext(job.context, job.context.search_seal, 20),
        job.reviewer,
        details,
        Reason.SUBJECT_ACCESS,
        organisations={"trust": "Example NHS Trust"},
        checked=checked,
    )


def about_abuse(job: Job) -> None:
    """Let the policies say that what was asked was about domestic abuse."""
    local = job.context.policies.frameworks["local"]
    touched = tuple(replace(each, topics=("domestic-abuse",)) for each in local.indicators)
    frameworks = {"local": replace(local, indicators=touched)}
    job.context = replace(job.context, policies=replace(job.context.policies, frameworks=frameworks))


def test_it_names_recipient_purpose_law_days_retention_and_rights(job):
    """Document and page say the same of each disclosure."""
    made = extract(job)
    (told,) = made.document["disclosures"]
    assert told["recipient"] == "Example NHS Trust"
    assert told["on"] == told["answer_given_on"] == "2026-11-22"
    assert told["purpose"] == POLICIES.purposes["identify"].title
    assert "given to one of the programme team" in told["outcome"]
    assert any("Children Act 2004" in basis["citation"] for basis in told["legal_bases"])
    assert (told["answer_kept_days"], told["this_record_kept_days"]) == (90, 2192)
    for text in (
        told["recipient"],
        told["purpose"],
        told["outcome"],
        *told["about"],
        "2192 days",
        "Article 77",
    ):
        assert text in made.markdown
    for basis in told["legal_bases"]:
        assert basis["citation"] in made.markdown
    assert made.document["controller"] in made.markdown
    assert made.held_back == ()


def test_nobody_else_and_no_address_is_in_it(job):
    """No name of the household or of staff, no id of theirs, no detail typed, no address, no answer."""
    made = extract(job)
    whole = made.markdown + json.dumps(made.document)
    for text in ("Ann", "Ben", "Cat", "Example1", "h1", "p10", "LS1", "4AP", "1985", "2014"):
        assert text not in whole, text
    for user in (job.analyst, job.reviewer):
        assert str(user.id) not in whole
        assert user.name not in whole


def test_what_could_endanger_somebody_is_left_out_until_checked(job):
    """Domestic abuse is told to the officer with the reason, and to the subject after a check alone."""
    about_abuse(job)
    made = extract(job)
    (held,) = made.held_back
    assert held.dataset == "health-trust"
    assert "domestic abuse" in held.reasons[0]
    assert made.document["disclosures"] == []
    assert "Example NHS Trust" not in made.markdown
    checked = extract(job, checked=True)
    assert len(checked.document["disclosures"]) == 1
    assert checked.held_back == made.held_back


def test_a_page_with_something_held_back_is_the_page_of_somebody_unknown(job):
    """Nothing in the page betrays that something was left out."""
    nobody = extract(job, {"forename": "Zed", "surname": "Nowhere", "dob": "1970-07-07"})
    about_abuse(job)
    assert extract(job).markdown == nobody.markdown


def test_what_was_ended_before_it_was_sent_is_told_as_such():
    """An exchange of which nothing left the council is no disclosure, and the page says so."""
    job = a_job()
    exchange = job.submit().exchange
    exchanges.cancel(job.context, job.analyst, exchange)
    (told,) = extract(job).document["disclosures"]
    assert told["outcome"] == "It was ended before anything was sent."
    assert "answer_given_on" not in told


def test_search_and_making_are_logged_before_it_is_given(job):
    """Both entries stand there, with actor and reason and nothing of what was found, or nothing is given."""
    extract(job, checked=True)
    assert job.kinds()[-2:] == ["log.searched", "log.extract-made"]
    entry = job.leaves().splitlines()[-1]
    assert '"checked":true,"reason":"subject-access"' in entry
    assert str(job.reviewer.id) in entry

    def fail() -> None:
        if job.kinds()[-1] == "log.searched":
            raise LogUnavailableError("no", place="log")

    job.store.hooks.before_append = fail
    with pytest.raises(LogUnavailableError):
        extract(job)


def test_policies_say_what_needs_a_check():
    """Domestic abuse sources and topics need one, by the indicators asked; attendance at school does not."""

    def of(dataset: str, codes=None, framework: str = "local", policies: PolicySet = POLICIES):
        policy = policies.datasets.get(dataset)
        asked = policy.asked(policies.frameworks[framework]) if codes is None else codes
        return checks(policies, dataset, framework, asked)

    assert of("domestic-abuse-services")
    assert of("domestic-abuse-police")
    assert of("police-force", ["dva.police_callout_12m"])
    assert of("childrens-services")
    assert of("police-force", ["crime.asb_intervention_12m"]) == ()
    assert of("school-census") == ()
    assert of("health-trust") == ()


def test_what_the_policies_no_longer_know_needs_a_check():
    """A dataset, framework or indicator that is gone is held back, not told."""
    assert checks(POLICIES, "gone", "local", []) == (UNKNOWN,)
    assert checks(POLICIES, "health-trust", "gone", []) == (UNKNOWN,)
    assert checks(POLICIES, "health-trust", "local", ["gone.code"]) == (UNKNOWN,)
