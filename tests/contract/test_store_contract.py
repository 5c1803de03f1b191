"""The contract of units of work and of what enrolment stores, held against the fake and PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fakes import NOON, a_partner, a_prekey, a_user, an_agreement, an_exchange

from audit.entry import Entry
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import ExchangeId, Status
from gateway.ports import Store
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord

LATER = NOON + timedelta(hours=1)


def enrol(store: Store) -> None:
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.commit()


def an_entry(**body) -> Entry:
    return Entry(uuid4(), "exchange.permitted", NOON, body)


# --- units of work -----------------------------------------------------------------------------------


def test_a_unit_without_commit_leaves_nothing(store):
    """Leaving the block without commit rolls back rows and log entries alike."""
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.log.append([an_entry()])
    with store.begin() as unit:
        assert unit.partners.all() == []
        assert unit.log.size() == 0


def test_a_unit_that_raises_leaves_nothing(store):
    """An exception inside the block rolls everything back and reaches the caller as it was."""
    with pytest.raises(ZeroDivisionError), store.begin() as unit:  # noqa: PT012 (the block is the subject)
        unit.partners.add(a_partner())
        raise ZeroDivisionError
    with store.begin() as unit:
        assert unit.partners.all() == []


def test_what_is_not_committed_is_not_seen(store):
    """Another unit sees a write only after its commit."""
    with store.begin() as writer:
        writer.partners.add(a_partner())
        with store.begin() as reader:
            assert reader.partners.all() == []
        writer.commit()
    with store.begin() as reader:
        assert reader.partners.all() == [a_partner()]


def test_the_order_of_writes_inside_a_unit_is_free(store):
    """A row may come before the one it refers to, as long as both are there at the commit."""
    exchange = an_exchange()
    with store.begin() as unit:
        unit.vault.put(exchange.id, "list", b"sealed")
        unit.exchanges.add(exchange)
        unit.agreements.propose(an_agreement())
        unit.partners.add(a_partner())
        unit.commit()
    with store.begin() as unit:
        assert unit.vault.get(exchange.id, "list") == b"sealed"


@pytest.mark.parametrize(
    "dangling",
    [
        lambda unit: unit.agreements.propose(an_agreement("A-2", partner="nobody")),
        lambda unit: unit.prekeys.publish([a_prekey(partner="nobody")]),
        lambda unit: unit.exchanges.add(an_exchange(partner="nobody")),
        lambda unit: unit.exchanges.add(an_exchange(agreement="none")),
        lambda unit: unit.vault.put(ExchangeId(UUID(int=1)), "list", b"sealed"),
        lambda unit: unit.mailbox.post("health", ExchangeId(UUID(int=1)), b"bundle"),
        lambda unit: unit.witnesses.announce(a_witness("nobody")),
        lambda unit: unit.witnesses.alarm(AlarmRecord("1" * 64, "nobody", "notice.signed.this", NOON)),
        lambda unit: unit.cosignatures.deliver(ExchangeId(UUID(int=1)), "flagstone/council", 1),
    ],
    ids=[
        "agreement",
        "prekey",
        "exchange of nobody",
        "exchange without agreement",
        "vault",
        "mailbox",
        "witness",
        "alarm",
        "delivery",
    ],
)
def test_a_dangling_reference_does_not_commit(store, dangling):
    """A row that refers to something that is not there is refused whole at the commit."""
    enrol(store)
    with store.begin() as unit:
        dangling(unit)
        with pytest.raises(ConflictError):
            unit.commit()


# --- partners, agreements, users ---------------------------------------------------------------------


def test_partners_come_back_as_they_were(store):
    """A partner is returned whole, revoked or not, and listed by slug."""
    with store.begin() as unit:
        unit.partners.add(a_partner("police"))
        unit.partners.add(a_partner("health"))
        unit.partners.revoke("police", LATER)
        unit.partners.revoke("police", LATER + timedelta(days=1))
        unit.commit()
    with store.begin() as unit:
        assert unit.partners.get("police") == a_partner("police", revoked_at=LATER)
        assert unit.partners.all() == [a_partner("health"), a_partner("police", revoked_at=LATER)]


def test_a_slug_is_taken_once(store):
    """A second partner of the same slug is refused, other keys or not."""
    enrol(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.partners.add(a_partner(added_at=LATER))


@pytest.mark.parametrize(
    "ask",
    [
        lambda unit: unit.partners.get("nobody"),
        lambda unit: unit.partners.revoke("nobody", NOON),
        lambda unit: unit.agreements.get("none"),
        lambda unit: unit.agreements.revoke("none", NOON),
        lambda unit: unit.agreements.countersign("none", "jws", NOON),
        lambda unit: unit.users.replace_token("Nobody", bytes(32)),
        lambda unit: unit.users.revoke("Nobody", NOON),
        lambda unit: unit.exchanges.get(ExchangeId(UUID(int=1))),
        lambda unit: unit.exchanges.advance(ExchangeId(UUID(int=1)), Status.SENT, frm=[Status.AUTHORISED]),
        lambda unit: unit.vault.get(ExchangeId(UUID(int=1)), "list"),
        lambda unit: unit.mailbox.fetch("health", ExchangeId(UUID(int=1))),
    ],
)
def test_what_is_not_there_is_not_found(store, ask):
    """Every port answers a question about nothing with NotFoundError."""
    with store.begin() as unit, pytest.raises(NotFoundError):
        ask(unit)


def test_agreements_are_filtered_and_newest_first(store):
    """Listing filters by partner and dataset, and begins with the newest proposal."""
    old, new = an_agreement("A-1"), an_agreement("A-2", proposed_at=LATER)
    other = an_agreement("A-3", partner="police", dataset="police-force")
    with store.begin() as unit:
        unit.partners.add(a_partner("health"))
        unit.partners.add(a_partner("police"))
        for record in (old, new, other):
            unit.agreements.propose(record)
        unit.commit()
    with store.begin() as unit:
        assert unit.agreements.all()[0] == new
        assert unit.agreements.all(partner="health") == [new, old]
        assert unit.agreements.all(dataset="police-force") == [other]
        assert unit.agreements.all(partner="health", dataset="police-force") == []


def test_an_agreement_is_countersigned_once(store):
    """A countersignature is kept with its time; a second one is refused."""
    enrol(store)
    with store.begin() as unit:
        unit.agreements.countersign("A-1", "partner.signed.this", LATER)
        unit.commit()
    with store.begin() as unit:
        record = unit.agreements.get("A-1")
        assert (record.partner_jws, record.signed_at) == ("partner.signed.this", LATER)
        with pytest.raises(ConflictError):
            unit.agreements.countersign("A-1", "another", LATER)


def test_a_revoked_agreement_is_not_countersigned(store):
    """Revocation bars a later countersignature, and keeps its first date."""
    enrol(store)
    with store.begin() as unit:
        unit.agreements.revoke("A-1", NOON)
        unit.agreements.revoke("A-1", LATER)
        assert unit.agreements.get("A-1").revoked_at == NOON
        with pytest.raises(ConflictError):
            unit.agreements.countersign("A-1", "partner.signed.this", LATER)


def test_a_number_is_taken_once(store):
    """A second agreement of the same number is refused."""
    enrol(store)
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.agreements.propose(an_agreement(dataset="other"))


def test_a_user_is_found_by_token(store):
    """A user is found by the hash of the present token, not by that of the replaced one."""
    ann = a_user("Ann")
    with store.begin() as unit:
        unit.users.add(ann)
        assert unit.users.by_token(ann.token_hash) == ann
        changed = unit.users.replace_token("Ann", b"n" * 32)
        unit.commit()
    with store.begin() as unit:
        assert changed == replace(ann, token_hash=b"n" * 32) == unit.users.by_token(b"n" * 32)
        assert unit.users.by_token(ann.token_hash) is None


def test_a_name_is_free_again_after_revocation(store):
    """Two users in force never share a name; a revoked one's name may be given again."""
    first, second = a_user("Ann"), a_user("Ann", token_hash=b"2" * 32)
    with store.begin() as unit:
        unit.users.add(first)
        with pytest.raises(ConflictError):
            unit.users.add(second)
        assert unit.users.revoke("Ann", LATER) == replace(first, revoked_at=LATER)
        unit.users.add(second)
        unit.commit()
    with store.begin() as unit:
        assert {user.id for user in unit.users.all()} == {first.id, second.id}
        with pytest.raises(NotFoundError):
            unit.users.revoke("Bob", LATER)


# --- prekeys -----------------------------------------------------------------------------------------


def test_prekeys_are_claimed_oldest_first_and_once(store):
    """Each prekey goes to one claim, in the order of publication, until none is left."""
    enrol(store)
    keys = [a_prekey(name) for name in ("p3", "p1", "p2")]
    with store.begin() as unit:
        unit.prekeys.publish(keys)
        unit.commit()
    with store.begin() as unit:
        claims = [unit.prekeys.claim("health", ExchangeId(uuid4()), NOON) for _ in range(4)]
        unit.commit()
    assert claims == [*keys, None]


def test_publishing_again_does_no_harm(store):
    """A prekey that was published and claimed stays claimed when it is published again."""
    enrol(store)
    with store.begin() as unit:
        unit.prekeys.publish([a_prekey("p1")])
        unit.prekeys.claim("health", ExchangeId(uuid4()), NOON)
        unit.prekeys.publish([])
        unit.prekeys.publish([a_prekey("p1"), a_prekey("p2")])
        assert unit.prekeys.available("health", NOON) == 1


def test_a_prekey_counts_for_its_partner_until_it_expires(store):
    """Expired prekeys and those of other partners are neither counted nor claimed."""
    enrol(store)
    with store.begin() as unit:
        unit.partners.add(a_partner("police"))
        unit.prekeys.publish([a_prekey("p1", expires_at=NOON), a_prekey("p1", "police"), a_prekey("p2")])
        assert unit.prekeys.available("health", NOON) == 1
        assert unit.prekeys.claim("health", ExchangeId(uuid4()), NOON) == a_prekey("p2")
        assert unit.prekeys.claim("health", ExchangeId(uuid4()), NOON) is None
        assert unit.prekeys.available("police", NOON) == 1


def test_concurrent_claims_never_share_a_prekey(store):
    """Eight claims at once on five prekeys get five different ones."""
    enrol(store)
    with store.begin() as unit:
        unit.prekeys.publish([a_prekey(f"p{i}") for i in range(5)])
        unit.commit()

    def claim(_: int) -> str | None:
        with store.begin() as unit:
            key = unit.prekeys.claim("health", ExchangeId(uuid4()), NOON)
            unit.commit()
            return key.id if key else None

    with ThreadPoolExecutor(4) as pool:
        claimed = [key for key in pool.map(claim, range(8)) if key]
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 5


# --- witnesses ---------------------------------------------------------------------------------------


def a_witness(partner: str = "health", **changes) -> WitnessRecord:
    return replace(WitnessRecord(partner, f"{partner}+vkey", "partner.signed.this", NOON), **changes)


def a_note(size: int, partner: str = "health", **changes) -> CosignedRecord:
    note = f"{partner} saw {size}".encode()
    return replace(CosignedRecord("flagstone/council", size, partner, note, NOON), **changes)


def test_a_witness_has_one_key(store):
    """A later announcement takes the place of the earlier; two witnesses never have one key."""
    enrol(store)
    with store.begin() as unit:
        assert unit.witnesses.get("health") is None
        unit.partners.add(a_partner("police"))
        unit.witnesses.announce(a_witness())
        unit.witnesses.announce(a_witness("police"))
        unit.witnesses.announce(a_witness(vkey="another", announced_at=LATER))
        unit.commit()
    with store.begin() as unit:
        held = [a_witness(vkey="another", announced_at=LATER), a_witness("police")]
        assert unit.witnesses.all() == held
        assert unit.witnesses.get("health") == held[0]
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.witnesses.announce(a_witness(vkey="police+vkey"))


def test_alarms_come_once_and_newest_first(store):
    """The same notice again is not new, and is listed once."""
    enrol(store)
    first = AlarmRecord("1" * 64, "health", "notice.signed.this", NOON)
    second = AlarmRecord("2" * 64, "health", "notice.signed.too", LATER)
    with store.begin() as unit:
        assert [unit.witnesses.alarm(each) for each in (first, second, first)] == [True, True, False]
        unit.commit()
    with store.begin() as unit:
        assert unit.witnesses.alarms() == [second, first]


def test_cosigned_checkpoints_are_kept_for_ever(store):
    """Each size once for each partner; the newest of one, all of a size, the largest that enough signed."""
    other = a_note(9, origin="flagstone/council/2")
    with store.begin() as unit:
        kept = [a_note(3), a_note(5), a_note(5, "police"), a_note(7), other]
        assert all(unit.cosignatures.keep(each) for each in kept)
        assert not unit.cosignatures.keep(a_note(5, note=b"another"))
        unit.commit()
    with store.begin() as unit:
        cosigned = unit.cosignatures
        assert cosigned.newest("flagstone/council", "health") == a_note(7)
        assert cosigned.newest("flagstone/council", "nobody") is None
        assert cosigned.at("flagstone/council", 5) == [a_note(5), a_note(5, "police")]
        assert cosigned.at("flagstone/council", 4) == []
        assert [cosigned.largest("flagstone/council", least) for least in (1, 2, 3)] == [7, 5, None]
        assert cosigned.largest("flagstone/council/2", 1) == 9


def test_a_delivery_has_one_place(store):
    """The first place that is told of a delivery stands."""
    enrol(store)
    exchange = an_exchange()
    with store.begin() as unit:
        unit.exchanges.add(exchange)
        unit.cosignatures.deliver(exchange.id, "flagstone/council", 4)
        unit.cosignatures.deliver(exchange.id, "flagstone/council", 5)
        unit.commit()
    with store.begin() as unit:
        assert unit.cosignatures.delivered(exchange.id) == ("flagstone/council", 4)
        assert unit.cosignatures.delivered(ExchangeId(uuid4())) is None
