"""The contract of retention clocks and legal holds, held against the fake and PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from fakes import NOON, a_partner, an_agreement, an_exchange

from gateway.domain.errors import ConflictError
from gateway.domain.exchange import ExchangeId
from gateway.domain.retention import Hold, HoldReason, Retention, RetentionClock
from gateway.ports import Store, Submission

RESULTS, ACCOUNTING = RetentionClock.RESULTS, RetentionClock.ACCOUNTING
DAY = date(2026, 11, 22)


def an_exchange_kept(store: Store, *, days: int = 90, ended: date | None = DAY, partner: str = "health"):
    """An exchange with both clocks, which run since `ended`."""
    exchange = an_exchange(partner=partner, agreement=f"{partner}-1")
    with store.begin() as unit:
        unit.partners.add(a_partner(partner))
        unit.agreements.propose(an_agreement(f"{partner}-1", partner=partner))
        unit.exchanges.add(exchange)
        unit.retentions.add(Retention(exchange.id, RESULTS, days))
        unit.retentions.add(Retention(exchange.id, ACCOUNTING, days + 10))
        if ended:
            unit.retentions.start(exchange.id, ended)
        unit.commit()
    return exchange


def due(store: Store, day: date, limit: int = 10) -> list[tuple[ExchangeId, RetentionClock]]:
    with store.begin() as unit:
        return [(each.exchange, each.clock) for each in unit.retentions.due(day, limit)]


def change(store: Store, act) -> None:
    with store.begin() as unit:
        act(unit)
        unit.commit()


def test_a_clock_starts_once_and_its_days_stay(store):
    """A clock is due its own days after the first start; a second start moves nothing."""
    exchange = an_exchange_kept(store)
    change(store, lambda unit: unit.retentions.start(exchange.id, DAY + timedelta(days=5)))
    with store.begin() as unit:
        kept = unit.retentions.of(exchange.id)
    assert kept == {
        RESULTS: Retention(exchange.id, RESULTS, 90, DAY + timedelta(days=90)),
        ACCOUNTING: Retention(exchange.id, ACCOUNTING, 100, DAY + timedelta(days=100)),
    }


def test_a_clock_is_set_once(store):
    """A second setting of the same clock is refused: nobody lengthens it."""
    exchange = an_exchange_kept(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.retentions.add(Retention(exchange.id, RESULTS, 900))


def test_a_clock_is_due_from_its_day_on(store):
    """Not on the day before; a clock that does not run is never due."""
    exchange = an_exchange_kept(store)
    other = an_exchange_kept(store, ended=None, partner="police")
    assert due(store, DAY + timedelta(days=89)) == []
    assert due(store, DAY + timedelta(days=90)) == [(exchange.id, RESULTS)]
    assert due(store, DAY + timedelta(days=500)) == [(exchange.id, RESULTS), (exchange.id, ACCOUNTING)]
    assert due(store, DAY + timedelta(days=500), limit=1) == [(exchange.id, RESULTS)]
    with store.begin() as unit:
        assert unit.retentions.of(other.id)[RESULTS].due is None


def test_what_is_held_is_not_due(store):
    """A hold keeps both clocks of its exchange from being due until it is lifted; the latest one counts."""
    exchange = an_exchange_kept(store)
    hold = Hold(exchange.id, DAY, HoldReason.COMPLAINT)
    later = replace(hold, until=DAY + timedelta(days=9), reason=HoldReason.REGULATOR)
    for each in (hold, later):
        change(store, lambda unit, each=each: unit.holds.place(each))
    assert due(store, DAY + timedelta(days=500)) == []
    with store.begin() as unit:
        assert unit.holds.of(exchange.id) == later
        assert unit.holds.over(later.until) == []
        assert unit.holds.over(later.until + timedelta(days=1)) == [later]
    for _ in range(2):
        change(store, lambda unit: unit.holds.lift(exchange.id))
    assert len(due(store, DAY + timedelta(days=500))) == 2
    with store.begin() as unit:
        assert unit.holds.of(exchange.id) is None


def test_a_destruction_waits_for_its_certificate_and_the_certificate_for_the_partner(store):
    """Destroyed: no longer due, and uncertified until certified; then listed to its partner until taken."""
    exchange = an_exchange_kept(store)
    change(store, lambda unit: unit.retentions.destroyed(exchange.id, RESULTS, NOON, 7))
    with store.begin() as unit:
        (waiting,) = unit.retentions.uncertified(10)
        assert (waiting.clock, waiting.destroyed_at, waiting.entry) == (RESULTS, NOON, 7)
        assert unit.retentions.untaken("health", 10) == []
    change(store, lambda unit: unit.retentions.certify(exchange.id, RESULTS, "signed"))
    with store.begin() as unit:
        assert unit.retentions.uncertified(10) == []
        assert unit.retentions.untaken("police", 10) == []
        (listed,) = unit.retentions.untaken("health", 10)
        assert (listed.exchange, listed.certificate) == (exchange.id, "signed")
    for _ in range(2):
        change(store, lambda unit: unit.retentions.take(exchange.id, RESULTS))
    with store.begin() as unit:
        assert unit.retentions.untaken("health", 10) == []
    assert due(store, DAY + timedelta(days=500)) == [(exchange.id, ACCOUNTING)]


def test_of_two_who_want_a_clock_alone_the_second_sees_what_the_first_did(store):
    """So that a hold and a destruction, or two destructions, never both go through unseen."""
    exchange = an_exchange_kept(store)

    def destroy(entry: int) -> bool:
        with store.begin() as unit:
            if unit.retentions.of(exchange.id, alone=True)[RESULTS].destroyed_at:
                return False
            unit.retentions.destroyed(exchange.id, RESULTS, NOON, entry)
            unit.commit()
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(destroy, range(8))) == 1


@pytest.mark.parametrize(
    "dangling",
    [
        lambda unit: unit.retentions.add(Retention(ExchangeId(UUID(int=1)), RESULTS, 90)),
        lambda unit: unit.holds.place(Hold(ExchangeId(UUID(int=1)), DAY, HoldReason.COMPLAINT)),
    ],
    ids=["clock", "hold"],
)
def test_a_clock_or_hold_of_no_exchange_does_not_commit(store, dangling):
    """Both belong to an exchange that is there."""
    with store.begin() as unit:
        dangling(unit)
        with pytest.raises(ConflictError):
            unit.commit()


def test_the_vault_lists_what_lies_there(store):
    """Kinds of one exchange, in order, and no other's."""
    exchange = an_exchange_kept(store)
    other = an_exchange_kept(store, partner="police")
    for whose, kind in ((exchange, "slots"), (exchange, "accounting/openings/1"), (other, "facts")):
        change(store, lambda unit, whose=whose, kind=kind: unit.vault.put(whose.id, kind, b"sealed"))
    with store.begin() as unit:
        assert unit.vault.kinds(exchange.id) == ["accounting/openings/1", "slots"]


def test_a_submission_is_forgotten_with_its_exchange(store):
    """Only that one; forgetting again does no harm."""
    exchange, user = an_exchange_kept(store), uuid4()
    for key, whose in ((b"k", exchange.id), (b"l", None)):
        change(
            store,
            lambda unit, key=key, whose=whose: unit.submissions.remember(
                Submission(user, key, b"d", whose, b"{}")
            ),
        )
    for _ in range(2):
        change(store, lambda unit: unit.submissions.forget(exchange.id))
    with store.begin() as unit:
        assert unit.submissions.find(user, b"k") is None
        assert unit.submissions.find(user, b"l")
