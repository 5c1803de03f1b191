"""Entries of the log are found by what they are about, by a reviewer alone."""

import json
from datetime import date, timedelta

import pytest
from jobworld import Job, a_job

from gateway.domain.errors import BadInputError, NotAllowedError, StoreAlteredError
from gateway.domain.exchange import ExchangeId
from gateway.domain.legal_date import legal_date, start_of
from gateway.review_ports import Wanted
from gateway.service import answers, finding, users
from gateway.service.submit import ExchangeRefusedError


@pytest.fixture(scope="module")
def done() -> tuple[Job, ExchangeId]:
    """One answered exchange, and one refused request a week later."""
    job = a_job()
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    job.clock.advance(days=7)
    with pytest.raises(ExchangeRefusedError):
        job.submit(purpose="results-claim")
    return job, exchange


def kinds(job: Job, wanted: Wanted = Wanted(), **options) -> list[str]:  # noqa: B008 - frozen
    page = finding.find(job.context, job.reviewer, wanted, **options)
    return [entry["kind"] for entry in page.entries]


OF_EXCHANGE = [
    "exchange.release-authorised",
    "exchange.delivered",
    "exchange.request-authorised",
    "exchange.permitted",
]


def test_an_exchange_is_found_by_each_thing_that_it_is_about(done):
    """By id, dataset, recipient and purpose all its entries come, newest first; refusals by recipient too."""
    job, exchange = done
    assert kinds(job, Wanted(exchange=str(exchange))) == OF_EXCHANGE
    assert kinds(job, Wanted(kind="exchange.", recipient="trust")) == ["exchange.refused", *OF_EXCHANGE]
    assert kinds(job, Wanted(kind="exchange.", purpose="identify")) == OF_EXCHANGE
    assert kinds(job, Wanted(kind="exchange.", dataset="health-trust")) == ["exchange.refused", *OF_EXCHANGE]


def test_a_user_is_found_in_what_he_did_and_in_what_he_was_given(done):
    """A user's id finds the submission, the release to him, the refusal, and his own enrolment."""
    job, _ = done
    of_user = ["exchange.refused", "exchange.release-authorised", "exchange.permitted", "user.added"]
    assert kinds(job, Wanted(user=str(job.analyst.id))) == of_user


def test_law_and_refusals_are_found_by_their_ids(done):
    """A cited gateway or condition finds the permit and each disclosure; a refusal's code, the refusal."""
    job, _ = done
    steps = ("release-authorised", "delivered", "request-authorised", "permitted")
    for law in ("ca2004.s10", "ukgdpr.6-1-e"):
        assert kinds(job, Wanted(law=law)) == [f"exchange.{step}" for step in steps]
    (refused,) = finding.find(job.context, job.reviewer, Wanted(kind="exchange.refused")).entries
    for unmet in refused["body"]["decision"]["unmet"]:
        assert kinds(job, Wanted(refusal=unmet["code"])) == ["exchange.refused"]


def test_days_are_those_of_london(done):
    """First and last day are inclusive; a day begins when it begins in London."""
    job, _ = done
    assert kinds(job, first=date(2026, 11, 29), last=date(2026, 11, 29)) == ["exchange.refused"]
    assert kinds(job, first=date(2026, 11, 30)) == []
    assert kinds(job, Wanted(kind="exchange."), last=date(2026, 11, 28)) == OF_EXCHANGE


@pytest.mark.parametrize("day", [date(2026, 3, 28) + timedelta(days=n) for n in range(3)], ids=str)
@pytest.mark.parametrize("months", [0, 7])
def test_a_day_begins_at_its_first_moment(day, months):
    """Around both changes of the clocks, a day's first moment is of that day and the one before is not."""
    day = day.replace(month=day.month + months, day=day.day - (4 if months else 0))
    begins = start_of(day)
    assert legal_date(begins) == day
    assert legal_date(begins - timedelta(microseconds=1)) == day - timedelta(days=1)


def test_pages_lead_from_one_to_the_next_without_a_seam(done):
    """Pages of any size show every entry once, whatever is appended meanwhile."""
    job, _ = done
    whole = [e["index"] for e in finding.find(job.context, job.reviewer, Wanted()).entries]
    assert whole == sorted(whole, reverse=True)
    for size in (1, 3, len(whole)):
        seen, before = [], None
        while True:
            page = finding.find(job.context, job.reviewer, Wanted(), before=before, limit=size)
            seen += [entry["index"] for entry in page.entries]
            before = page.before
            if before is None:
                break
        assert seen == whole


def test_entries_added_later_are_found_too(done):
    """The index catches up with the log at each search."""
    job, _ = done
    before = len(kinds(job))
    users.new_token(job.context, "analyst")
    assert kinds(job)[0] == "user.token-replaced"
    assert len(kinds(job)) == before + 1


def test_only_a_reviewer_searches(done):
    """A programme user is turned away."""
    job, _ = done
    with pytest.raises(NotAllowedError):
        finding.find(job.context, job.analyst, Wanted())


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 1001},
        {"before": -1},
        {"first": date(2026, 1, 2), "last": date(2026, 1, 1)},
        {"first": date(1, 1, 1)},
        {"last": date(9999, 12, 31)},
    ],
    ids=str,
)
def test_questions_that_make_no_sense_are_refused(done, options):
    """Limits, cursors and days outside what exists are refused with a reason."""
    job, _ = done
    with pytest.raises(BadInputError):
        finding.find(job.context, job.reviewer, Wanted(), **options)


@pytest.mark.parametrize("value", ["nul\0inside", "x" * 201, 7, ["list"], {"a": "map"}, None])
def test_strange_values_are_left_out_of_the_index(value):
    """A text that can't be stored or looked for leaves its place empty, the entry findable."""
    body = {"dataset": value, "actor": value, "user": value, "decision": {"unmet": [value]}, "purpose": "p"}
    leaf = json.dumps({"at": "2026-11-22T12:00:00.000Z", "kind": "a.b", "body": body}).encode()
    row = finding.row_of(3, leaf)
    assert (row.dataset, row.users, row.refusals, row.purpose) == ("", (), (), "p")


def test_an_entry_that_is_none_stops_the_search():
    """A leaf that is no entry is named by its number."""
    with pytest.raises(StoreAlteredError, match="entry 3"):
        finding.row_of(3, b"no entry")
