"""The contract of exchanges and all that hangs on one, held against the fake and PostgreSQL alike."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from fakes import NOON, a_partner, an_agreement, an_exchange

from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import ENDED, Exchange, Status
from gateway.ports import Store, Submission

LATER = NOON + timedelta(hours=1)


def enrol(store: Store) -> None:
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.commit()


def submitted(store: Store, **changes) -> Exchange:
    exchange = an_exchange(**changes)
    with store.begin() as unit:
        unit.exchanges.add(exchange)
        unit.commit()
    return exchange


def test_exchanges_come_back_as_they_were(store):
    """An exchange is returned whole, and listed newest first, by its submitter if asked."""
    enrol(store)
    old = submitted(store)
    new = submitted(store, submitted_at=LATER, submitted_by=UUID(int=8), indicators=())
    with store.begin() as unit:
        assert unit.exchanges.get(old.id) == old
        assert unit.exchanges.all() == [new, old]
        assert unit.exchanges.all(submitted_by=UUID(int=7)) == [old]


def test_an_exchange_id_is_taken_once(store):
    """A second exchange of the same id is refused."""
    enrol(store)
    exchange = submitted(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.exchanges.add(exchange)


@pytest.mark.parametrize("status", list(Status))
def test_advance_goes_from_what_was_named_only(store, status):
    """`advance` moves from the statuses named, does nothing when it is there already, and else refuses."""
    enrol(store)
    exchange = submitted(store, status=status)
    outcome = {Status.PREPARED: True, Status.AUTHORISED: False}.get(status)
    with store.begin() as unit:
        if outcome is None:
            with pytest.raises(ConflictError):
                unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
        else:
            assert unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED]) is outcome
            assert unit.exchanges.get(exchange.id).status is Status.AUTHORISED


def test_two_advances_at_once_succeed_once(store):
    """Of units that take the same step at once exactly one is told that it took it."""
    enrol(store)
    exchange = submitted(store)
    together = threading.Barrier(4)

    def advance(_: int) -> bool:
        together.wait()
        with store.begin() as unit:
            moved = unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
            unit.commit()
            return moved

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(advance, range(4))) == [False, False, False, True]


@pytest.mark.parametrize("status", list(Status))
def test_unfinished_exchanges_are_those_that_have_not_ended(store, status):
    """`unfinished` lists an exchange exactly while its status is not an end."""
    enrol(store)
    exchange = submitted(store, status=status)
    with store.begin() as unit:
        assert unit.exchanges.unfinished() == ([] if status in ENDED else [exchange])


# --- vault, mailbox ----------------------------------------------------------------------------------


def test_the_vault_keeps_bytes_by_exchange_and_kind(store):
    """What was put is returned byte for byte, replaced by a later put, and gone once dropped."""
    enrol(store)
    exchange = submitted(store)
    with store.begin() as unit:
        unit.vault.put(exchange.id, "list", bytes(range(256)))
        unit.vault.put(exchange.id, "answer", b"")
        unit.vault.put(exchange.id, "answer", b"again")
        unit.commit()
    with store.begin() as unit:
        assert unit.vault.get(exchange.id, "list") == bytes(range(256))
        assert unit.vault.get(exchange.id, "answer") == b"again"
        unit.vault.drop(exchange.id, "list")
        unit.vault.drop(exchange.id, "list")
        with pytest.raises(NotFoundError):
            unit.vault.get(exchange.id, "list")


def test_search_tags_are_the_vault_s_of_that_kind(store):
    """A reviewer's port gives the tags of each exchange that has some, and nothing of any other kind."""
    enrol(store)
    one, other = submitted(store), submitted(store)
    with store.begin() as unit:
        unit.vault.put(one.id, "accounting/tags", b"tags")
        unit.vault.put(other.id, "result", b"result")
        unit.commit()
    with store.begin() as unit:
        assert unit.subject_tags.exchanges() == [one.id]
        assert unit.subject_tags.get(one.id) == b"tags"
        with pytest.raises(NotFoundError):
            unit.subject_tags.get(other.id)


def test_a_mailbox_is_its_partners_alone(store):
    """Bundles wait in order of arrival, for their partner; to another they do not exist."""
    enrol(store)
    first, second = submitted(store), submitted(store, submitted_at=LATER)
    with store.begin() as unit:
        unit.mailbox.post("health", second.id, b"second")
        unit.mailbox.post("health", first.id, b"first")
        unit.mailbox.post("health", first.id, b"first")
        unit.commit()
    with store.begin() as unit:
        assert unit.mailbox.waiting("health") == [second.id, first.id]
        assert unit.mailbox.waiting("police") == []
        assert unit.mailbox.fetch("health", first.id) == b"first"
        with pytest.raises(NotFoundError):
            unit.mailbox.fetch("police", first.id)
        unit.mailbox.remove(first.id)
        unit.mailbox.remove(first.id)
        assert unit.mailbox.waiting("health") == [second.id]


@pytest.mark.parametrize(("partner", "bundle"), [("health", b"other"), ("police", b"bundle")])
def test_a_waiting_bundle_is_never_exchanged_for_another(store, partner, bundle):
    """Posting other bytes, or for another partner, under the same exchange is refused."""
    enrol(store)
    exchange = submitted(store)
    with store.begin() as unit:
        unit.mailbox.post("health", exchange.id, b"bundle")
        with pytest.raises(ConflictError):
            unit.mailbox.post(partner, exchange.id, bundle)
        assert unit.mailbox.fetch("health", exchange.id) == b"bundle"


# --- submissions, replays ----------------------------------------------------------------------------


def test_an_idempotency_key_is_remembered_once(store):
    """What a key stood for is found again by the same user only, and can't be overwritten."""
    submission = Submission(UUID(int=7), b"k" * 32, b"d" * 32, None, b'{"refused":true}')
    with store.begin() as unit:
        assert unit.submissions.find(UUID(int=7), b"k" * 32) is None
        unit.submissions.remember(submission)
        unit.commit()
    with store.begin() as unit:
        assert unit.submissions.find(UUID(int=7), b"k" * 32) == submission
        assert unit.submissions.find(UUID(int=8), b"k" * 32) is None
        with pytest.raises(ConflictError):
            unit.submissions.remember(replace(submission, request_digest=b"e" * 32))


def test_of_concurrent_twins_one_wins(store):
    """The same idempotency key used by several submissions at once is remembered by one of them."""
    together = threading.Barrier(3)

    def remember(n: int) -> bool:
        together.wait()
        with store.begin() as unit:
            try:
                unit.submissions.remember(Submission(UUID(int=7), b"k", b"d", None, b"%d" % n))
            except ConflictError:
                return False
            unit.commit()
            return True

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(remember, range(3))) == [False, False, True]


@pytest.mark.parametrize("status", list(Status))
def test_a_request_is_under_way_until_its_exchange_ends(store, status):
    """The same request of the same user is found while its exchange has not ended, whatever the key."""
    enrol(store)
    exchange = submitted(store, status=status)
    with store.begin() as unit:
        unit.submissions.remember(Submission(UUID(int=7), b"k", b"d", exchange.id, b"{}"))
        unit.submissions.remember(Submission(UUID(int=7), b"l", b"e", None, b"{}"))
        assert unit.submissions.under_way(UUID(int=7), b"d") == (None if status in ENDED else exchange.id)
        assert unit.submissions.under_way(UUID(int=7), b"e") is None
        assert unit.submissions.under_way(UUID(int=8), b"d") is None


def test_a_twin_waits_until_the_first_has_ended(store):
    """Of two units of work that look for the same request, the second sees what the first committed."""
    enrol(store)
    exchange = an_exchange()

    def twin():
        with store.begin() as unit:
            return unit.submissions.under_way(UUID(int=7), b"d")

    with ThreadPoolExecutor(1) as pool, store.begin() as unit:
        assert unit.submissions.under_way(UUID(int=7), b"d") is None
        waiting = pool.submit(twin)
        unit.exchanges.add(exchange)
        unit.submissions.remember(Submission(UUID(int=7), b"k", b"d", exchange.id, b"{}"))
        unit.commit()
        assert waiting.result(10) == exchange.id


def test_a_one_time_id_is_used_once_until_it_expires(store):
    """A second use is refused before the id's end, and ids past their end are forgotten."""
    with store.begin() as unit:
        unit.replays.use(b"j", NOON + timedelta(seconds=60), NOON)
        with pytest.raises(ConflictError):
            unit.replays.use(b"j", NOON + timedelta(seconds=90), NOON + timedelta(seconds=59))
        unit.replays.use(b"j", NOON + timedelta(seconds=120), NOON + timedelta(seconds=60))


def test_recent_exchanges_are_those_of_one_partner_and_dataset(store):
    """`recent` gives what was submitted after a moment for one partner and dataset, newest first."""
    enrol(store)
    old = submitted(store)
    new = submitted(store, submitted_at=LATER)
    submitted(store, dataset="another", submitted_at=LATER)
    partner, dataset = old.partner, old.dataset
    with store.begin() as unit:
        assert unit.exchanges.recent(partner, dataset, NOON - timedelta(seconds=1)) == [new, old]
        assert unit.exchanges.recent(partner, dataset, NOON) == [new]
        assert unit.exchanges.recent(partner, "nothing", NOON) == []


def test_the_second_to_ask_what_is_recent_sees_what_the_first_submitted(store):
    """Two submissions on one dataset at once: the second waits for the first, and finds its exchange."""
    enrol(store)
    asked = threading.Event()
    exchange = an_exchange()

    def second() -> list[Exchange]:
        asked.wait(10)
        with store.begin() as unit:
            return unit.exchanges.recent(exchange.partner, exchange.dataset, NOON - timedelta(days=1))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second)
        with store.begin() as unit:
            assert unit.exchanges.recent(exchange.partner, exchange.dataset, NOON - timedelta(days=1)) == []
            asked.set()
            unit.exchanges.add(exchange)
            unit.commit()
        assert waiting.result(20) == [exchange]


def test_a_policy_set_is_kept_once_and_never_changed(store):
    """The first document of a digest stays; keeping it again says that it was there."""
    with store.begin() as unit:
        assert unit.policy_sets.keep("a" * 64, b"{}", NOON)
        unit.commit()
    with store.begin() as unit:
        assert not unit.policy_sets.keep("a" * 64, b"[]", LATER)
        unit.commit()
    with store.begin() as unit:
        assert unit.policy_sets.get("a" * 64) == b"{}"
        with pytest.raises(NotFoundError):
            unit.policy_sets.get("b" * 64)


def test_of_two_uses_at_once_one_holds(store):
    """Two units of work that use one id at the same time: the second waits, and is refused."""

    def twin():
        with store.begin() as unit:
            unit.replays.use(b"twin", NOON + timedelta(seconds=60), NOON)
            unit.commit()

    with ThreadPoolExecutor(1) as pool, store.begin() as unit:
        unit.replays.use(b"twin", NOON + timedelta(seconds=60), NOON)
        waiting = pool.submit(twin)
        unit.commit()
        with pytest.raises(ConflictError):
            waiting.result(10)


def test_what_is_forgotten_of_ids_is_what_counts_no_more(store):
    """However many ids are past their end, those that still count are refused, others may come again."""
    for number in range(30):
        with store.begin() as unit:
            unit.replays.use(b"old %d" % number, NOON + timedelta(seconds=60), NOON)
            unit.replays.use(b"kept %d" % number, NOON + timedelta(days=1), NOON)
            unit.commit()
    later = NOON + timedelta(seconds=60)
    for number in range(3):
        with store.begin() as unit:
            unit.replays.use(b"\0new %d" % number, later + timedelta(seconds=60), later)
            unit.commit()
    with store.begin() as unit:
        for number in range(30):
            unit.replays.use(b"old %d" % number, later + timedelta(seconds=60), later)
            with pytest.raises(ConflictError):
                unit.replays.use(b"kept %d" % number, later, later)
