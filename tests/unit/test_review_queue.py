"""The review queue from the sweep to a closed alert, and what the log tells of it."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from jobworld import LIST, Job, a_job

from audit.entry import Entry, open_commitment
from gateway.domain.alerts import Closing, Rule
from gateway.domain.errors import ConflictError, LogUnavailableError, NotAllowedError, NotFoundError
from gateway.domain.exchange import Role
from gateway.service import dispatch, review_queue, users
from gateway.service.access import token_hash
from gateway.service.submit import ExchangeRefusedError
from gateway.service.watching import Limits

LIMITS = Limits()


@pytest.fixture
def job() -> Job:
    """NOON of the fakes is a Sunday: go on to Monday, and look at what enrolment left."""
    job = a_job()
    job.clock.advance(days=1)
    review_queue.watch(job.context, LIMITS)
    return job


def alerts(job) -> dict[str, dict]:
    return {alert["rule"]: alert for alert in review_queue.listing(job.context, job.reviewer)}


def swept(job) -> dict[str, dict]:
    review_queue.watch(job.context, LIMITS)
    return alerts(job)


def submit(job, content=LIST) -> UUID | None:
    try:
        return job.submit(content).exchange
    except ExchangeRefusedError:
        return None


SURNAMES = {
    "h1": "Abbott",
    "h2": "Brierley",
    "h3": "Cunliffe",
    "h4": "Dunmore",
    "x": "Eastham",
    "y": "Fothergill",
    "z": "Grimshaw",
}


def households(*wanted: str) -> str:
    """A list of some households, three people each, whom nothing but their surnames tells apart."""
    header, *rows = LIST.splitlines(keepends=True)
    return header + "".join(
        row.replace("h1", name).replace("p1", f"p{name}").replace("Example1", SURNAMES[name])
        for name in wanted
        for row in rows[:3]
    )


def last(job, kind) -> Entry:
    return next(e for e in map(Entry.parse, reversed(job.store.committed.leaves)) if e.kind == kind)


def another_reviewer(job):
    token = users.add(job.context, "second officer", Role.REVIEWER)
    with job.store.begin() as uow:
        return uow.users.by_token(token_hash(token))


# --- raising -----------------------------------------------------------------------------------------


def test_an_alert_is_raised_once_and_logged(job):
    """The sweep raises what it finds with an entry of its own; sweeping again changes nothing."""
    exchange = submit(job)
    assert swept(job).keys() == {"first-use"}
    alert = alerts(job)["first-use"]
    assert (alert["about"], alert["detail"]) == ("health-trust", {"exchange": str(exchange)})
    assert job.kinds().count("review.raised") == 1
    before = job.store.committed
    assert swept(job).keys() == {"first-use"}
    assert job.kinds().count("review.raised") == 1
    assert job.store.committed.leaves == before.leaves


def test_the_entry_commits_to_what_was_found_and_does_not_say_it(job):
    """An entry names the alert alone; with the queue's salt anyone can check what the alert said."""
    submit(job)
    alert = swept(job)["first-use"]
    entry = last(job, "review.raised")
    assert entry.body.keys() == {"actor", "alert", "commitments"}
    assert entry.body["alert"] == alert["alert"]
    kept = job.store.committed.alerts[UUID(alert["alert"])]
    told = {"rule": "first-use", "about": "health-trust", "day": "2026-11-23"}
    open_commitment(entry.body["commitments"]["alert"], kept.salt, kept.entry, "alert", told)
    assert str(entry.id) == alert["entry"]


def test_only_new_entries_are_read(job, monkeypatch):
    """A sweep reads the entries since the last one, however long the log has grown."""
    submit(job)
    swept(job)
    job.submit(households("x", "y", "z"))
    read = []
    monkeypatch.setattr(review_queue, "look", lambda entries, *_: read.extend(e.kind for e in entries) or [])
    review_queue.watch(job.context, LIMITS)
    assert read == ["exchange.permitted"]
    review_queue.watch(job.context, LIMITS)
    assert read == ["exchange.permitted"]


def test_a_long_log_is_looked_at_in_parts(job, monkeypatch):
    """More entries than one transaction takes are all looked at in one sweep."""
    monkeypatch.setattr(review_queue, "_BATCH", 2)
    for _ in range(6):
        with pytest.raises(ExchangeRefusedError):
            job.submit(purpose="results-claim")
    assert swept(job)["repeat-probing"]["about"] == str(job.analyst.id)


@pytest.mark.parametrize("hook", ["before_append", "after_append", "before_commit"])
def test_an_alert_survives_a_log_that_cannot_be_written(job, hook):
    """If the entry can't be written there is no alert, and the next sweep raises it."""
    submit(job)

    def broken():
        raise LogUnavailableError("no log")

    setattr(job.store.hooks, hook, broken)
    with pytest.raises(LogUnavailableError):
        review_queue.watch(job.context, LIMITS)
    assert alerts(job) == {}
    setattr(job.store.hooks, hook, lambda: None)
    assert swept(job).keys() == {"first-use"}
    assert job.kinds().count("review.raised") == 1


def test_what_the_job_leaves_unanswered_is_followed_up(job):
    """An exchange that was sent and expired comes into the queue with its partner."""
    exchange = job.sent()
    job.clock.advance(days=21)
    dispatch.expire(job.context, exchange)
    alert = swept(job)["no-receipt"]
    assert (alert["about"], alert["detail"]["partner"]) == (str(exchange), "trust")


def test_ordinary_work_raises_nothing_but_a_first_use(job):
    """A list in working hours, on a dataset known already, leaves the queue as it was."""
    submit(job)
    swept(job)
    job.clock.advance(days=7)
    submit(job, households("x", "y", "z"))
    assert swept(job).keys() == {"first-use"}


# --- lists that differ in one household ---------------------------------------------------------------

NEAR = [
    # what was asked, what is asked then, whether they differ in one household alone
    (("h1", "h2", "h3", "h4"), ("h1", "h2", "h3"), True),
    (("h1", "h2", "h3"), ("h1", "h2", "h3", "h4"), True),
    (("h1", "h2", "h3"), ("h1", "h2", "x"), True),
    (("h1", "h2", "h3"), ("h1", "h2", "h3"), False),
    (("h1", "h2", "h3", "h4"), ("h1", "h2"), False),
    (("h1", "h2", "h3"), ("h1", "x", "y"), False),
    (("h1", "h2"), ("h1", "x"), False),
    (("h1", "h2", "h3"), ("x", "y", "z"), False),
]


@pytest.mark.parametrize(("first", "then", "near"), NEAR)
def test_a_list_that_differs_in_one_household(job, first, then, near):
    """Two lists that share all households but one raise an alert; any other difference does not."""
    earlier = submit(job, households(*first))
    job.clock.advance(hours=1)
    submit(job, households(*then) + "\n")
    found = swept(job)
    assert ("near-overlap" in found) is near
    if near:
        assert found["near-overlap"]["about"] == str(earlier)
        assert found["near-overlap"]["detail"] == {"user": str(job.analyst.id), "dataset": "health-trust"}


def test_a_near_list_is_told_though_it_is_refused(job):
    """A list whose rows are all withheld as asked too soon is refused, and the alert stays."""
    submit(job, households("h1", "h2", "h3", "h4"))
    job.clock.advance(hours=1)
    with pytest.raises(ExchangeRefusedError):
        job.submit(households("h1", "h2", "h3") + "\n")
    assert "near-overlap" in swept(job)


def test_no_leaf_says_that_lists_overlap(job):
    """The submission logs no alert, and no leaf names the rule, then or when it is raised."""
    submit(job, households("h1", "h2", "h3", "h4"))
    swept(job)
    job.clock.advance(hours=1)
    submit(job, households("h1", "h2", "h3") + "\n")
    assert job.kinds()[-1] == "exchange.refused"
    swept(job)
    assert "near-overlap" not in job.leaves()
    assert last(job, "review.raised").body.keys() == {"actor", "alert", "commitments"}


def test_the_queue_holds_nothing_of_persons(job):
    """Alerts hold ids, codes and counts: no reference, name or household."""
    submit(job, households("h1", "h2", "h3", "h4"))
    job.clock.advance(hours=1)
    submit(job, households("h1", "h2", "h3") + "\n")
    told = json.dumps(list(swept(job).values())) + repr(job.store.committed.marks)
    assert [text for text in ("Abbott", "Ann", '"h1"', "ph1", "LS1") if text in told] == []


# --- looking and closing -------------------------------------------------------------------------------


@pytest.fixture
def alert(job) -> UUID:
    submit(job)
    return UUID(swept(job)["first-use"]["alert"])


def test_an_alert_is_looked_at_then_closed(job, alert):
    """Both are kept with who and when, and logged with the reviewer's opaque id and the reason code."""
    first = job.clock()
    assert review_queue.look_at(job.context, job.reviewer, alert)["looked_by"] == str(job.reviewer.id)
    job.clock.advance(hours=1)
    review_queue.close(job.context, job.reviewer, alert, Closing.EXPECTED)
    assert alerts(job) == {}
    (closed,) = review_queue.listing(job.context, job.reviewer, closed=True)
    assert (closed["looked_at"], closed["reason"]) == (first.isoformat(), "expected")
    assert closed["closed_by"] == str(job.reviewer.id)
    assert job.kinds()[-2:] == ["review.looked-at", "review.closed"]
    body = dict(last(job, "review.closed").body)
    assert (body["alert"], body["reason"]) == (str(alert), "expected")
    assert body["actor"]["id"] == str(job.reviewer.id)


def test_looking_again_is_not_logged_again(job, alert):
    """Who looked first stays; another look changes nothing."""
    second = another_reviewer(job)
    review_queue.look_at(job.context, job.reviewer, alert)
    before = job.store.committed
    assert review_queue.look_at(job.context, second, alert)["looked_by"] == str(job.reviewer.id)
    assert job.store.committed.leaves == before.leaves


def test_nothing_is_closed_unseen(job, alert):
    """An alert that nobody has looked at can't be closed."""
    with pytest.raises(ConflictError, match="Look at it first"):
        review_queue.close(job.context, job.reviewer, alert, Closing.EXPECTED)


def test_closing_again(job, alert):
    """The same reason again is no error and no entry; another reason is a conflict."""
    review_queue.look_at(job.context, job.reviewer, alert)
    for _ in range(2):
        review_queue.close(job.context, job.reviewer, alert, Closing.TEST)
    assert job.kinds().count("review.closed") == 1
    with pytest.raises(ConflictError, match="another reason"):
        review_queue.close(job.context, job.reviewer, alert, Closing.MISUSE)


def test_nobody_closes_an_alert_about_themselves(job):
    """What a reviewer did at night is closed by another reviewer."""
    job.clock.advance(hours=12)
    from gateway.service import logs

    list(logs.export(job.context, job.reviewer))
    alert = UUID(swept(job)["out-of-hours"]["alert"])
    review_queue.look_at(job.context, job.reviewer, alert)
    with pytest.raises(NotAllowedError, match="another reviewer"):
        review_queue.close(job.context, job.reviewer, alert, Closing.EXPECTED)
    review_queue.close(job.context, another_reviewer(job), alert, Closing.EXPECTED)


@pytest.mark.parametrize("role", [Role.PROGRAMME, Role.OPERATOR])
def test_only_reviewers_see_the_queue(job, alert, role):
    """Neither those who ask nor those who operate list, look at or close alerts."""
    user = replace(job.analyst, role=role)
    for act in (
        lambda: review_queue.listing(job.context, user),
        lambda: review_queue.look_at(job.context, user, alert),
        lambda: review_queue.close(job.context, user, alert, Closing.EXPECTED),
    ):
        with pytest.raises(NotAllowedError):
            act()


def test_what_is_not_raised_is_not_there(job):
    """An alert that no entry tells of yet can be neither seen nor looked at."""
    submit(job, households("h1", "h2", "h3", "h4"))
    job.clock.advance(hours=1)
    submit(job, households("h1", "h2", "h3") + "\n")
    (waiting,) = job.store.committed.alerts
    assert alerts(job) == {}
    for unknown in (waiting, uuid4()):
        with pytest.raises(NotFoundError):
            review_queue.look_at(job.context, job.reviewer, unknown)


def test_every_rule_has_been_raised_here_or_in_the_table():
    """The rule that only a submission can judge is tried in this file, both ways."""
    assert {near for *_, near in NEAR} == {True, False}
    assert Rule.NEAR_OVERLAP in Rule


def test_an_alert_of_a_day_is_one(job):
    """The same rule about the same user on another day is another alert."""
    for _ in range(2):
        job.clock.advance(hours=9)
        for _ in range(5):
            with pytest.raises(ExchangeRefusedError):
                job.submit(purpose="results-claim")
        review_queue.watch(job.context, LIMITS)
        job.clock.now += timedelta(hours=15)
    found = [each["rule"] for each in review_queue.listing(job.context, job.reviewer)]
    assert found.count("repeat-probing") == 2


def test_a_new_log_is_looked_at_from_its_beginning(job):
    """After a relink the log is another and shorter: how far the old one was looked at says nothing of it."""
    job.submit(households("x", "y", "z"))
    review_queue.watch(job.context, LIMITS)
    with job.store.begin() as uow:
        memory = json.loads(uow.marks.get("review"))
        uow.marks.put("review", json.dumps(memory | {"log": "flagstone/earlier", "next": 1_000}))
        uow.commit()
    before = job.kinds().count("review.raised")
    for _ in range(6):
        with pytest.raises(ExchangeRefusedError):
            job.submit(households("x", "y", "z"), purpose="results-claim")
    review_queue.watch(job.context, LIMITS)
    assert job.kinds().count("review.raised") > before
