"""The contract of partners' successions of keys, held against the fake and PostgreSQL alike."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOON, a_partner, a_prekey, an_agreement, an_exchange
from succession_world import Keys, chain

from gateway.domain.errors import ConflictError, NotFoundError, StoreAlteredError
from gateway.ports import Store
from gateway.succession_ports import SuccessionRecord

CHAIN = chain(2, "health")
LATER = NOON + timedelta(hours=1)


def a_succession(sequence: int = 1, **changes) -> SuccessionRecord:
    fingerprint = Keys("health", sequence).identity.fingerprint
    record = SuccessionRecord("health", sequence, CHAIN[sequence - 1], fingerprint, NOON, NOON)
    return replace(record, **changes)


def change(store: Store, act) -> None:
    with store.begin() as unit:
        act(unit)
        unit.commit()


@pytest.fixture
def enrolled(store):
    change(store, lambda unit: unit.partners.add(a_partner()))
    return store


def test_confirmed_successions_give_a_partner_its_current_keys(enrolled):
    """In the order of their numbers, whatever order they came in; those that wait give nothing."""
    change(enrolled, lambda unit: unit.successions.add(a_succession(2, confirmed_at=None)))
    change(enrolled, lambda unit: unit.successions.add(a_succession(1)))
    with enrolled.begin() as unit:
        assert unit.partners.get("health").identity == Keys("health", 1).identity
        assert unit.partners.all()[0].lineage.current.number == 1
        assert [each.sequence for each in unit.successions.of("health")] == [1, 2]
    change(enrolled, lambda unit: unit.successions.confirm("health", 2, LATER))
    change(enrolled, lambda unit: unit.successions.confirm("health", 2, LATER + timedelta(hours=1)))
    with enrolled.begin() as unit:
        assert unit.partners.get("health").lineage.current.identity == Keys("health", 2).identity
        assert unit.successions.of("health") == [a_succession(1), a_succession(2, confirmed_at=LATER)]


def test_a_number_is_taken_once(enrolled):
    """A second succession of one number is a conflict, and the first one stands."""
    change(enrolled, lambda unit: unit.successions.add(a_succession()))
    with enrolled.begin() as unit:
        with pytest.raises(ConflictError, match="taken"):
            unit.successions.add(a_succession(document="other"))
        assert unit.successions.of("health") == [a_succession()]


def test_what_is_not_there_is_not_confirmed(enrolled):
    """There is nothing to confirm of a partner without successions."""
    with enrolled.begin() as unit, pytest.raises(NotFoundError):
        unit.successions.confirm("health", 1, NOON)


def test_a_succession_refers_to_a_partner(store):
    """Of nobody's keys there is no succession, and no acknowledgement."""
    for act in (
        lambda unit: unit.successions.add(a_succession()),
        lambda unit: unit.successions.take("health", "aa" * 32, "jws", NOON),
    ):
        with pytest.raises(ConflictError):
            change(store, act)


def test_a_stored_succession_that_does_not_hold_is_not_followed(enrolled):
    """A partner whose chain is broken can't be had at all: nothing goes on with doubtful keys."""
    change(enrolled, lambda unit: unit.successions.add(a_succession(document=CHAIN[1])))
    with enrolled.begin() as unit, pytest.raises(StoreAlteredError):
        unit.partners.get("health")


def test_the_newest_acknowledgement_counts(enrolled):
    """None before the first; the same again changes nothing."""
    with enrolled.begin() as unit:
        assert unit.successions.taken("health") is None
    for digest in ("aa" * 32, "bb" * 32, "aa" * 32):
        change(enrolled, lambda unit, told=digest: unit.successions.take("health", told, "jws", NOON))
    with enrolled.begin() as unit:
        assert unit.successions.taken("health") == "bb" * 32


def test_discarding_drops_unclaimed_prekeys_alone(enrolled):
    """What an exchange has claimed stays claimed, so that it is never used twice; other partners' stay."""
    exchange = an_exchange()

    def leave(unit):
        unit.partners.add(a_partner("police"))
        unit.agreements.propose(an_agreement())
        unit.exchanges.add(exchange)
        unit.prekeys.publish([a_prekey("p1"), a_prekey("p2"), a_prekey("p1", partner="police")])
        unit.prekeys.claim("health", exchange.id, NOON)

    change(enrolled, leave)
    change(enrolled, lambda unit: unit.prekeys.discard("health"))
    change(enrolled, lambda unit: unit.prekeys.publish([a_prekey("p1")]))
    with enrolled.begin() as unit:
        assert unit.prekeys.available("health", NOON) == 0
        assert unit.prekeys.available("police", NOON) == 1
