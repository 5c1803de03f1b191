"""Entries of the log are found by what they are about, by a reviewer alone."""

import json
from datetime import date, timedelta

import pytest
from jobworld import Job, a_job

from audit.entry import Entry
from gateway.domain.errors import (
    BadInputError,
    LogUnavailableError,
    NotAllowedError,
    NotFoundError,
    StoreAlteredError,
)
from gateway.domain.exchange import ExchangeId
from gateway.domain.legal_date import legal_date, start_of
from gateway.review_ports import Wanted
from gateway.service import answers, finding, logs, users
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


OF_EXCHANGES = Wanted(kind="exchange.")
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


def test_reading_the_log_stands_in_the_log():
    """Who looked for entries, or read them, is recorded, by which filters and never for what."""
    job = a_job()
    kinds(job, Wanted(dataset="typed-here", kind="user."))
    logs.entries(job.context, job.reviewer, 0, 5)
    written = map(Entry.parse, job.store.committed.leaves)
    read = [entry.body for entry in written if entry.kind == "log.read"]
    assert [body["actor"]["id"] for body in read] == [str(job.reviewer.id)] * 2
    assert [{**body, "actor": ""} for body in read] == [
        {"actor": "", "by": ["kind", "dataset"]},
        {"actor": "", "from_entry": 0},
    ]


def test_reading_on_comes_to_an_end():
    """Whoever reads page after page reaches the end, though reading adds entries."""
    job, start = a_job(), 0
    while page := logs.entries(job.context, job.reviewer, start, 2):
        start += len(page)
        assert start < 100
    assert start == len(job.kinds())


def test_without_a_durable_entry_nothing_is_read():
    """If the log can't be written, no reading is answered."""
    job = a_job()

    def unwritable() -> None:
        raise LogUnavailableError("the disk is full", place="log")

    job.store.hooks.before_append = unwritable
    with pytest.raises(LogUnavailableError):
        kinds(job)
    with pytest.raises(LogUnavailableError):
        logs.entries(job.context, job.reviewer, 0, 5)


def test_an_earlier_log_is_looked_through_by_its_number():
    """After a relink the log that was set aside answers by number; one that never was is refused."""
    job = a_job()
    before = kinds(job, Wanted(kind="user."))
    job.store.set_log_aside()
    assert kinds(job, Wanted(kind="user.")) == []
    assert kinds(job, Wanted(kind="user."), log=1) == before != []
    with pytest.raises(NotFoundError):
        kinds(job, log=2)


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
    assert kinds(job, OF_EXCHANGES, first=date(2026, 11, 29), last=date(2026, 11, 29)) == ["exchange.refused"]
    assert kinds(job, OF_EXCHANGES, first=date(2026, 11, 30)) == []
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
    newest = whole[0] + 1  # that this was read
    assert whole == sorted(whole, reverse=True)
    for size in (1, 3, len(whole)):
        seen, before = [], newest
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
    of_users = Wanted(kind="user.")
    before = kinds(job, of_users)
    users.new_token(job.context, "analyst")
    assert kinds(job, of_users) == ["user.token-replaced", *before]


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
