"""A reviewer finds who was told about one person; nobody else can, and nothing typed is kept."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import FakeSearchKey
from jobworld import HEADER, LIST, Job, a_job

from gateway.domain.errors import (
    BadInputError,
    ConflictError,
    LogUnavailableError,
    NotAllowedError,
    NotFoundError,
    TooManyError,
)
from gateway.domain.exchange import ExchangeId, Status
from gateway.intake import BadListError
from gateway.service import answers, exchanges, subjects
from gateway.service.closing import clear_up
from gateway.service.sealing import TAGS_KEY, TAGS_KIND
from gateway.service.search_context import SearchContext
from gateway.service.subjects import Outcome, Reason

ANN = {"forename": "Ann", "surname": "Example1", "dob": "1985-03-02"}
NOBODY = {"forename": "Zed", "surname": "Nowhere", "dob": "1970-07-07"}


@pytest.fixture
def job() -> Job:
    return a_job()


def reviewing(job: Job, per_day: int = 20) -> SearchContext:
    return SearchContext(job.context, job.context.search_seal, per_day)


def search(job: Job, details=ANN, reason=Reason.SUBJECT_ACCESS, **options) -> subjects.Answer:
    return subjects.search(reviewing(job, **options), job.reviewer, details, reason)


def released(job: Job) -> ExchangeId:
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    assert job.drive(exchange) == Status.RELEASED
    return exchange


def test_it_says_who_was_told_when_why_and_on_what_basis(job):
    """The answer names recipient, dataset, purpose, law, agreement, outcome and the entries that prove it."""
    exchange = released(job)
    found = search(job)
    (asked,) = found.asked
    assert asked.exchange == str(exchange)
    assert (asked.recipient, asked.dataset, asked.purpose) == ("trust", "health-trust", "identify")
    assert asked.agreement == "T-1"
    assert {"ca2004.s10", "ukgdpr.6-1-e"} <= {ground["id"] for ground in asked.law}
    assert (asked.outcome, asked.disclosed) == (Outcome.RELEASED, True)
    assert asked.released_at
    kinds = [job.kinds()[number] for number in asked.entries]
    assert kinds[0] == "exchange.permitted"
    assert kinds[-1] == "exchange.release-authorised"
    assert "may be another person" in found.note
    assert "no match is no proof" in found.note


def test_a_stranger_is_found_nowhere(job):
    """Somebody who was never asked about is not found, and the exchanges looked at are counted."""
    released(job)
    found = search(job, NOBODY)
    assert (found.looked_at, found.asked) == (1, ())


@pytest.mark.parametrize(
    "typed",
    [
        {"forename": "ANN", "surname": "example1", "dob": "02/03/1985"},
        {"forename": "A", "surname": "Example1", "dob": "1985-03-02"},
        {"forename": " Annie ", "surname": "Example1", "dob": "2-3-1985", "postcode": "M1 1AE"},
    ],
    ids=["other case and date", "initial", "nickname, and moved"],
)
def test_typing_it_otherwise_finds_the_same_person(job, typed):
    """What is typed is normalised as every list is."""
    job.submit()
    assert [each.matched_by for each in search(job, typed).asked] == [("initial, surname and date of birth",)]


def test_a_number_finds_a_person_whose_name_has_changed(job):
    """NHS number and date of birth are enough."""
    columns = HEADER.strip().replace("sex", "sex,nhs_number")
    row = "p1,h1,Ann,Old,1985-03-02,f,9990000018,LS1 4AP,crime.asb_intervention_12m,yes,yes"
    child = "p2,h1,Ben,Old,2014-05-06,m,,LS1 4AP,crime.asb_intervention_12m,yes,yes"
    job.submit(f"{columns}\n{row}\n{child}\n")
    (asked,) = search(job, {"surname": "New", "dob": "1985-03-02", "nhs_number": "999 000 0018"}).asked
    assert asked.matched_by == ("NHS number and date of birth",)


def test_who_was_withheld_was_not_asked_about(job):
    """A row that stayed behind left no tag."""
    job.submit(LIST.replace("Cat,Example4", "Cat,Rostrevor").replace("Cat,Example1", "Cat,Asked"))
    assert search(job, {"forename": "Cat", "surname": "Asked", "dob": "2016-07-08"}).asked
    assert not search(job, {"forename": "Cat", "surname": "Rostrevor", "dob": "2016-07-08"}).asked


def test_each_outcome_is_told(job):
    """Not sent, sent, answered and cancelled exchanges are told apart, with what counts as disclosed."""
    exchange = job.submit().exchange
    assert [(each.outcome, each.disclosed) for each in search(job).asked] == [(Outcome.NOT_SENT, False)]
    job.drive(exchange)
    assert [(each.outcome, each.disclosed) for each in search(job).asked] == [(Outcome.SENT, True)]
    exchanges.cancel(job.context, job.analyst, exchange)
    assert [(each.outcome, each.disclosed) for each in search(job).asked] == [(Outcome.CANCELLED, True)]


def test_several_exchanges_come_newest_first(job):
    """Each exchange that asked about the person is told by itself."""
    first = released(job)
    job.clock.advance(days=29)
    policies = job.context.policies
    assert policies.datasets["health-trust"].repeat_days == 28
    second = job.submit(LIST + "\n").exchange
    assert [each.exchange for each in search(job).asked] == [str(second), str(first)]


# --- logged, limited ---------------------------------------------------------------------------------


def test_each_use_stands_in_the_log_before_the_answer(job):
    """The entry names actor, reason and how many exchanges were looked at, and holds nothing typed."""
    released(job)
    search(job, reason=Reason.COMPLAINT)
    entry = job.leaves().splitlines()[-1]
    assert '"kind":"log.searched"' in entry
    assert f'"id":"{job.reviewer.id}"' in entry
    assert '"exchanges":1,"reason":"complaint"' in entry
    assert not any(text in entry for text in ANN.values())


def test_without_a_durable_entry_there_is_no_answer(job):
    """If the log can't be written nothing is looked at, and nothing told."""
    released(job)

    def fail() -> None:
        raise LogUnavailableError("no", place="log")

    for hook in ("before_append", "before_commit"):
        setattr(job.store.hooks, hook, fail)
        with pytest.raises(LogUnavailableError):
            search(job)
        setattr(job.store.hooks, hook, lambda: None)


def test_a_user_searches_so_often_a_day_and_no_more(job):
    """The limit is each user's own, counts what is durable, and is over at the next London midnight."""
    for _ in range(2):
        search(job, per_day=2)
    with pytest.raises(TooManyError):
        search(job, per_day=2)
    assert job.kinds()[-1] == "log.search-refused"
    assert job.kinds().count("log.searched") == 2
    other = replace(job.reviewer, id=job.analyst.id)
    subjects.search(reviewing(job, per_day=2), other, ANN, Reason.AUDIT)
    job.clock.now = job.clock.now.replace(hour=23, minute=59)
    with pytest.raises(TooManyError):
        search(job, per_day=2)
    job.clock.advance(minutes=1)
    search(job, per_day=2)


def test_only_a_reviewer_searches(job):
    """A programme user is turned away before anything happens."""
    before = job.kinds()
    with pytest.raises(NotAllowedError):
        subjects.search(reviewing(job), job.analyst, ANN, Reason.AUDIT)
    assert job.kinds() == before


@pytest.mark.parametrize(
    ("details", "error"),
    [
        ({}, BadInputError),
        ({"forename": "  "}, BadInputError),
        ({"forename": "Ann", "surname": "Example1"}, BadInputError),
        ({"forename": "Ann", "dob": "1985-03-02"}, BadInputError),
        ({"forename": "Ann", "surname": "Example1", "dob": "1900-01-01"}, BadInputError),
        ({"person_id": "p10"}, BadInputError),
        ({"dob": "1985-13-45", "forename": "Ann", "surname": "Example1"}, BadListError),
        ({"nhs_number": "9990000019", "dob": "1985-03-02"}, BadListError),
    ],
    ids=str,
)
def test_what_can_t_be_searched_by_is_refused_and_counts_as_no_use(job, details, error):
    """Too little, unknown columns and malformed values are refused without an entry or a value repeated."""
    before = job.kinds()
    with pytest.raises(error) as refused:
        search(job, details)
    assert job.kinds() == before
    assert not any(value in str(refused.value) for value in details.values() if value.strip())


# --- who can read the tags ---------------------------------------------------------------------------


def test_without_the_private_key_nobody_searches_and_the_attempt_is_logged(job):
    """Where the key is not, the search is refused."""
    released(job)
    job.context.search_seal.gone = True
    with pytest.raises(ConflictError):
        search(job)
    assert job.kinds()[-1] == "log.search-refused"


def test_what_is_stored_is_ciphertext_for_the_search_alone(job):
    """Neither tags nor the secret lie anywhere unsealed, and another search key opens nothing."""
    exchange = released(job)
    kept = job.context.exchange_keys.keys[exchange, TAGS_KEY]
    assert len(kept) == 80  # HPKE: an encapsulated key of 32 bytes, the sealed 32, a tag of 16
    assert b"Example1" not in job.store.committed.vault[exchange, TAGS_KIND]
    stranger = SearchContext(job.context, FakeSearchKey(), 20)
    found = subjects.search(stranger, job.reviewer, ANN, Reason.AUDIT)
    assert (found.asked, found.unreadable) == ((), (str(exchange),))


def test_altered_tags_and_keys_are_named_and_stop_nothing(job):
    """An exchange whose tags or sealed key were moved from another is named; the others are told."""
    good = released(job)
    job.clock.advance(days=29)
    bad = job.submit(LIST + "\n").exchange
    vault, keys = job.store.committed.vault, job.context.exchange_keys.keys
    for stolen in (False, True):
        (keys if stolen else vault)[(bad, TAGS_KEY if stolen else TAGS_KIND)] = (
            keys[good, TAGS_KEY] if stolen else vault[good, TAGS_KIND]
        )
        found = search(job)
        assert [each.exchange for each in found.asked] == [str(good)]
        assert found.unreadable == (str(bad),)


def test_the_end_of_the_accounting_clock_ends_the_search(job):
    """Once the sealed key is destroyed the exchange is not looked at, though its tags were in a backup."""
    exchange = released(job)
    job.context.exchange_keys.destroy(exchange, TAGS_KEY)
    found = search(job)
    assert (found.looked_at, found.asked, found.unreadable) == (0, (), ())


def test_the_answer_outlives_the_results(job):
    """With results, slots and their key gone, the search still tells who was asked."""
    exchange = released(job)
    job.context.exchange_keys.destroy(exchange, "seal")
    for key in [key for key in job.store.committed.vault if not key[1].startswith("accounting/")]:
        del job.store.committed.vault[key]
    job.clock.advance(days=2000)
    assert [each.exchange for each in search(job).asked] == [str(exchange)]


def test_the_answer_outlives_a_relink(job):
    """What an earlier log tells of an exchange is told on, together with what the new log adds."""
    told = released(job)
    job.clock.advance(days=29)
    straddling = job.submit(LIST + "\n").exchange
    job.store.set_log_aside()
    exchanges.cancel(job.context, job.analyst, straddling)
    found = {each.exchange: each for each in search(job).asked}
    assert found.keys() == {str(told), str(straddling)}
    assert found[str(told)].outcome is Outcome.RELEASED
    assert (found[str(told)].entries, len(found[str(told)].earlier_entries[1])) == ((), 4)
    assert found[str(straddling)].outcome is Outcome.CANCELLED
    assert found[str(straddling)].entries
    assert found[str(straddling)].earlier_entries[1]


def test_a_submission_that_never_committed_leaves_no_key(job):
    """The sweep destroys the sealed key of an exchange that is not there."""

    def fail() -> None:
        raise LogUnavailableError("no", place="log")

    job.store.hooks.before_commit = fail
    with pytest.raises(LogUnavailableError):
        job.submit()
    job.store.hooks.before_commit = lambda: None
    assert any(name == TAGS_KEY for _, name in job.context.exchange_keys.keys)
    clear_up(job.context, before=job.clock() + timedelta(days=1))
    assert not job.context.exchange_keys.keys


def test_tags_enter_no_leaf(job):
    """The log never shows a tag."""
    exchange = released(job)
    assert "tags" not in job.leaves()
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, "search")
