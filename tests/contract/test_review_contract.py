"""The contract of failed sign-ins, marks and the review queue, held against the fake and PostgreSQL alike."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from fakes import NOON

from gateway.domain.alerts import Alert, Caller, Closing, Denials, Denied, Rule
from gateway.domain.errors import NotFoundError
from gateway.domain.principal import Principal
from gateway.ports import Store

LATER = NOON + timedelta(minutes=1)


def an_alert(**changes) -> Alert:
    made = Alert(uuid4(), Rule.FIRST_USE, "health-trust", date(2026, 11, 22), NOON, {"people": 12, "of": "x"})
    return replace(made, **changes)


def add(store: Store, *alerts: Alert) -> list[bool]:
    with store.begin() as unit:
        added = [unit.alerts.add(alert) for alert in alerts]
        unit.commit()
    return added


def fail(store: Store, minute=NOON, caller=Caller.USER, reason=Denied.REVOKED) -> None:
    with store.begin() as unit:
        unit.sign_ins.failed(caller, reason, minute)
        unit.commit()


def take(store: Store, before=LATER) -> list[Denials]:
    with store.begin() as unit:
        taken = unit.sign_ins.take(before)
        unit.commit()
    return taken


# --- failed sign-ins ---------------------------------------------------------------------------------


def test_failures_count_by_caller_reason_and_minute(store):
    """What differs in one of the three counts apart, oldest minute first."""
    fail(store)
    fail(store)
    fail(store, caller=Caller.AGENT, reason=Denied.BAD_ASSERTION)
    fail(store, minute=NOON - timedelta(minutes=1))
    assert take(store) == [
        Denials(Caller.USER, Denied.REVOKED, NOON - timedelta(minutes=1), 1),
        Denials(Caller.AGENT, Denied.BAD_ASSERTION, NOON, 1),
        Denials(Caller.USER, Denied.REVOKED, NOON, 2),
    ]


def test_failures_are_taken_once(store):
    """What is taken is gone with the commit; without one it is still there."""
    fail(store)
    with store.begin() as unit:
        assert len(unit.sign_ins.take(LATER)) == 1
    assert len(take(store)) == 1
    assert take(store) == []


def test_a_minute_that_goes_on_is_left(store):
    """Only minutes earlier than the one named are taken."""
    fail(store)
    assert take(store, NOON) == []
    assert [each.count for each in take(store)] == [1]


def test_concurrent_failures_all_count(store):
    """Many at once lose none."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: fail(store), range(40)))
    assert [each.count for each in take(store)] == [40]


# --- marks -------------------------------------------------------------------------------------------


def test_a_mark_is_what_was_put_last(store):
    """A name without a mark is empty; another name is another mark."""
    with store.begin() as unit:
        assert unit.marks.get("a") == ""
        unit.marks.put("a", "1")
        unit.marks.put("a", "2")
        unit.commit()
    with store.begin() as unit:
        assert (unit.marks.get("a"), unit.marks.get("b")) == ("2", "")


def test_a_mark_is_held_until_the_end(store):
    """Of two units that read and raise one mark, the second sees what the first has put."""
    started = threading.Barrier(2)

    def one_more(_: int) -> None:
        started.wait()
        with store.begin() as unit:
            unit.marks.put("n", str(int(unit.marks.get("n") or 0) + 1))
            unit.commit()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one_more, range(2)))
    with store.begin() as unit:
        assert unit.marks.get("n") == "2"


# --- the review queue --------------------------------------------------------------------------------


def test_an_alert_comes_back_as_it_was(store):
    """Every field survives, in the order of arrival."""
    first, second = an_alert(about="b"), an_alert(about="a", at=NOON - timedelta(days=1))
    assert add(store, first, second) == [True, True]
    with store.begin() as unit:
        assert unit.alerts.all() == [first, second]
        assert unit.alerts.get(second.id) == second


def test_one_alert_a_rule_thing_and_day(store):
    """A second one for the same three is not kept, under whatever id."""
    first = an_alert()
    assert add(store, first, an_alert(detail={}), an_alert(day=date(2026, 11, 23))) == [True, False, True]
    with store.begin() as unit:
        assert len(unit.alerts.all()) == 2


def test_what_happens_to_an_alert_is_kept(store):
    """Raising, looking and closing are kept one by one; what it says stays as it was."""
    alert = an_alert()
    add(store, alert)
    raised = replace(alert, raised_at=NOON, entry=uuid4(), salt=bytes(32))
    looked = replace(raised, looked_at=LATER, looked_by=uuid4())
    closed = replace(looked, closed_at=LATER, closed_by=uuid4(), reason=Closing.EXPECTED)
    for step in (raised, looked, replace(closed, about="another")):
        with store.begin() as unit:
            unit.alerts.put(step)
            unit.commit()
    with store.begin() as unit:
        assert unit.alerts.get(alert.id) == closed


def test_open_and_unraised_alerts_are_found(store):
    """Closed alerts are left out on request; unraised are those without a moment of raising."""
    fresh, raised, closed = an_alert(about="1"), an_alert(about="2"), an_alert(about="3")
    add(store, fresh, raised, closed)
    with store.begin() as unit:
        unit.alerts.put(replace(raised, raised_at=NOON))
        unit.alerts.put(replace(closed, raised_at=NOON, closed_at=NOON))
        unit.commit()
    with store.begin() as unit:
        assert [each.about for each in unit.alerts.all(closed=False)] == ["1", "2"]
        assert [each.about for each in unit.alerts.unraised()] == ["1"]


def test_no_alert_of_that_id(store):
    """Asking for one that is not there, or putting it, is an error."""
    with store.begin() as unit:
        with pytest.raises(NotFoundError):
            unit.alerts.get(uuid4())
        with pytest.raises(NotFoundError):
            unit.alerts.put(an_alert())


@pytest.mark.postgres
def test_each_role_writes_its_own_columns(postgres):
    """The worker raises and can't close; the API closes and can't raise; the review role sees no alert."""
    from gateway.domain.errors import FlagstoneError

    alert = an_alert()
    add(postgres.store("worker"), alert)
    raised, closed = replace(alert, raised_at=NOON), replace(alert, closed_at=NOON)
    web = postgres.store("web").acting_for(Principal("reviewer", str(uuid4())))
    for store, may, may_not in ((postgres.store("worker"), raised, closed), (web, closed, raised)):
        with store.begin() as unit, pytest.raises(FlagstoneError):
            unit.alerts.put(may_not)
        with store.begin() as unit:
            unit.alerts.put(may)
    with postgres.store("review").begin() as unit, pytest.raises(FlagstoneError):
        unit.alerts.all()


def test_alerts_of_one_rule_about_one_thing_are_forgotten(store):
    """Open and closed ones go; those of another rule or about something else stay."""
    day = date(2026, 11, 23)
    gone = [an_alert(about="x"), an_alert(about="x", day=day, raised_at=NOON, closed_at=NOON)]
    stay = [an_alert(about="x", rule=Rule.NO_RECEIPT), an_alert(about="y")]
    add(store, *gone, *stay)
    with store.begin() as unit:
        unit.alerts.forget(Rule.FIRST_USE, "x")
        unit.commit()
    with store.begin() as unit:
        assert unit.alerts.all() == stay
