"""Whose rows each caller sees and may change: the same of the store in memory and of PostgreSQL."""

import contextlib
from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest
from fakes import NOON, FakeStore, a_partner, a_prekey, a_user, an_agreement, an_exchange

from gateway.domain.alerts import Alert, Caller, Denied, Rule
from gateway.domain.errors import BadInputError, ConfigurationError, NotFoundError
from gateway.domain.exchange import Status
from gateway.domain.principal import SIGNING_IN, Principal, partner
from gateway.domain.retention import Hold, HoldReason, Retention, RetentionClock
from gateway.ports import Submission
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord

ANN, BOB = UUID(int=7), UUID(int=8)
OWN = an_exchange(id=UUID(int=1), submitted_by=ANN)
OTHER = an_exchange(id=UUID(int=2), submitted_by=BOB, partner="police", agreement="A-2")
KINDS = (
    "accounting/items/person/1",
    "accounting/openings/1",
    "accounting/tags",
    "answer",
    "flags",
    "items/unit/1",
    "probe",
    "request",
    "result",
    "slots",
    "withheld",
)
ANALYST, OFFICER = Principal("programme", str(ANN)), Principal("reviewer", str(UUID(int=9)))
OPERATOR, HEALTH = Principal("operator", str(UUID(int=6))), partner("health")


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request):
    """The store as its owner has it, with two of everything, and as the web role has it."""
    if request.param == "fake":
        owner = web = FakeStore()
    else:
        postgres = request.getfixturevalue("postgres")
        owner, web = postgres.store(), postgres.store("web")
    fill(owner)
    return owner, web


def fill(owner) -> None:
    with owner.begin() as unit:
        for number, (slug, exchange) in enumerate((("health", OWN), ("police", OTHER)), 1):
            unit.partners.add(a_partner(slug))
            unit.agreements.propose(an_agreement(exchange.agreement, partner=slug))
            unit.prekeys.publish([a_prekey("p1", slug)])
            unit.exchanges.add(exchange)
            for kind in KINDS:
                unit.vault.put(exchange.id, kind, f"{slug} {kind}".encode())
            unit.mailbox.post(slug, exchange.id, b"bundle")
            unit.submissions.remember(Submission(exchange.submitted_by, b"k", b"d" * 32, exchange.id, b"{}"))
            unit.retentions.add(Retention(exchange.id, RetentionClock.RESULTS, 30))
            unit.holds.place(Hold(exchange.id, date(2027, 1, 1), HoldReason.COMPLAINT))
            unit.witnesses.announce(WitnessRecord(slug, f"{slug}+vkey", "j.w.s", NOON))
            unit.witnesses.alarm(AlarmRecord(str(number) * 64, slug, "j.w.s", NOON))
            unit.cosignatures.keep(CosignedRecord("log", 1, slug, b"note", NOON))
            unit.cosignatures.deliver(exchange.id, "log", 1)
            unit.alerts.add(Alert(exchange.id, Rule.FIRST_USE, slug, NOON.date(), NOON, salt=b"s"))
        unit.users.add(a_user("Ann", id=ANN))
        unit.users.add(a_user("Bob", id=BOB))
        unit.commit()


def tried(look):
    """What it finds; False where there is nothing for this caller."""
    try:
        return look()
    except NotFoundError:
        return False


def seen(web, principal) -> dict[str, object]:
    """What a caller finds of each kind of thing, by the other's exchange and its own."""
    with web.acting_for(principal).begin() as unit:
        by_exchange = {
            "exchange": lambda each: bool(tried(lambda: unit.exchanges.get(each.id))),
            "kinds": lambda each: unit.vault.kinds(each.id),
            "bundle": lambda each: bool(tried(lambda: unit.mailbox.fetch(each.partner, each.id))),
            "clocks": lambda each: len(unit.retentions.of(each.id)),
            "hold": lambda each: unit.holds.of(each.id) is not None,
            "delivery": lambda each: unit.cosignatures.delivered(each.id) is not None,
            "submission": lambda each: unit.submissions.find(each.submitted_by, b"k") is not None,
        }
        found = {name: (look(OWN), look(OTHER)) for name, look in by_exchange.items()}
        return found | {
            "partners": [each.identity.slug for each in unit.partners.all()],
            "agreements": sorted(each.number for each in unit.agreements.all()),
            "prekeys": [unit.prekeys.available(slug, NOON) for slug in ("health", "police")],
            "users": [each.name for each in unit.users.all()],
            "witnesses": len(unit.witnesses.all()),
            "alarms": [each.partner for each in unit.witnesses.alarms()],
            "cosigned": [each.partner for each in unit.cosignatures.at("log", 1)],
            "alerts": len(unit.alerts.all()),
            "exchanges": len(unit.exchanges.all()),
        }


NOTHING = {
    "exchange": (False, False),
    "kinds": ([], []),
    "bundle": (False, False),
    "clocks": (0, 0),
    "hold": (False, False),
    "delivery": (False, False),
    "submission": (False, False),
    "partners": [],
    "agreements": [],
    "prekeys": [0, 0],
    "users": [],
    "witnesses": 0,
    "alarms": [],
    "cosigned": [],
    "alerts": 0,
    "exchanges": 0,
}
BOTH, MINE = ["health", "police"], (True, False)
EVIDENCE = ["accounting/items/person/1", "accounting/openings/1", "answer", "items/unit/1"]
EXPECTED = {
    SIGNING_IN: {"partners": BOTH, "users": ["Ann", "Bob"]},
    OPERATOR: {},
    Principal("unheard-of", "x"): {},
    HEALTH: {
        "exchange": MINE,
        "kinds": (["accounting/openings/1", "answer", "flags", "request"], []),
        "bundle": MINE,
        "clocks": (1, 0),
        "hold": MINE,
        "delivery": MINE,
        "partners": ["health"],
        "agreements": ["A-1"],
        "prekeys": [1, 0],
        "witnesses": 2,  # public keys: nobody may announce another's
        "alarms": ["health"],
        "cosigned": ["health"],
        "exchanges": 1,
    },
    ANALYST: {
        "exchange": MINE,
        "kinds": (list(KINDS), []),
        "bundle": MINE,  # to take it away when the exchange is cancelled
        "clocks": (1, 0),
        "hold": MINE,
        "delivery": MINE,
        "partners": BOTH,
        "witnesses": 2,
        "cosigned": BOTH,
        "exchanges": 1,
    },
    ANALYST.submitting(): {
        "exchange": (True, True),  # what colleagues asked of late counts against the list
        "kinds": (list(KINDS), ["probe"]),
        "bundle": MINE,
        "clocks": (1, 0),
        "hold": MINE,
        "delivery": MINE,
        "submission": MINE,
        "partners": BOTH,
        "agreements": ["A-1", "A-2"],
        "prekeys": [1, 1],
        "exchanges": 2,
    },
    OFFICER: {
        "exchange": (True, True),
        "kinds": (EVIDENCE, EVIDENCE),
        "clocks": (1, 1),
        "hold": (True, True),
        "delivery": (True, True),
        "partners": BOTH,
        "agreements": ["A-1", "A-2"],
        "witnesses": 2,
        "alarms": BOTH,
        "cosigned": BOTH,
        "alerts": 2,
        "exchanges": 2,
    },
}


@pytest.mark.parametrize(("principal", "finds"), EXPECTED.items(), ids=lambda each: getattr(each, "kind", ""))
def test_each_caller_sees_its_own(stores, principal, finds):
    """Every kind of caller finds exactly what its line says, of its own and of others'."""
    found = seen(stores[1], principal)
    found["alarms"] = sorted(found["alarms"])
    assert found == NOTHING | finds


REFUSED = {
    "another's exchange advanced": lambda unit: unit.exchanges.advance(
        OTHER.id, Status.CANCELLED, frm=[Status.PREPARED]
    ),
    "another's agreement signed": lambda unit: unit.agreements.countersign("A-2", "j.w.s", NOON),
    "another's agreement revoked": lambda unit: unit.agreements.revoke("A-2", NOON),
    "a prekey for another": lambda unit: unit.prekeys.publish([a_prekey("p2", "police")]),
    "sealed bytes of another's exchange": lambda unit: unit.vault.put(OTHER.id, "answer", b"x"),
    "an exchange": lambda unit: unit.exchanges.add(replace(OWN, id=uuid4())),
    "another's cosignature": lambda unit: unit.cosignatures.keep(
        CosignedRecord("log", 2, "police", b"note", NOON)
    ),
    "another's alarm": lambda unit: unit.witnesses.alarm(AlarmRecord("3" * 64, "police", "j.w.s", NOON)),
    "another's delivery": lambda unit: unit.cosignatures.deliver(OTHER.id, "log", 1),
    "another's hold": lambda unit: unit.holds.place(Hold(OTHER.id, date(2028, 1, 1), HoldReason.COMPLAINT)),
    "a failed sign-in": lambda unit: unit.sign_ins.failed(Caller.USER, Denied.REVOKED, NOON),
    "an alert": lambda unit: unit.alerts.add(
        Alert(uuid4(), Rule.NEAR_OVERLAP, "x", NOON.date(), NOON, salt=b"s")
    ),
}


@pytest.mark.parametrize("principal", [HEALTH, ANALYST, OPERATOR, SIGNING_IN], ids=lambda each: each.kind)
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_anothers_is_not_changed(stores, principal, what):
    """Changing another's row finds none, adding one for another is refused; nothing is different then."""
    if (principal, what) == (SIGNING_IN, "a failed sign-in"):
        return  # which is what it may do
    owner, web = stores
    before = seen_by_owner(owner)
    with web.acting_for(principal).begin() as unit:
        if what == "another's delivery":  # where nothing may be told of the row that is there already
            with contextlib.suppress(ConfigurationError):
                REFUSED[what](unit)
        else:
            with pytest.raises((NotFoundError, ConfigurationError)):
                REFUSED[what](unit)
    assert seen_by_owner(owner) == before


def seen_by_owner(owner):
    with owner.begin() as unit:
        return (
            unit.exchanges.all(),
            unit.agreements.all(),
            unit.vault.get(OTHER.id, "answer"),
            unit.holds.of(OTHER.id),
            len(unit.cosignatures.at("log", 2)),
            unit.prekeys.available("police", NOON),
        )


def test_what_may_not_be_removed_stays(stores):
    """Taking away another's sealed bytes or bundle does nothing, as if there were none."""
    owner, web = stores
    with web.acting_for(HEALTH).begin() as unit:
        unit.vault.drop(OTHER.id, "result")
        unit.vault.drop(OWN.id, "result")
        unit.mailbox.remove(OTHER.id)
        unit.holds.lift(OWN.id)
        unit.commit()
    with owner.begin() as unit:
        assert unit.vault.get(OTHER.id, "result")
        assert unit.vault.get(OWN.id, "result")
        assert unit.mailbox.waiting("police") == [OTHER.id]
        assert unit.holds.of(OWN.id)


def test_a_caller_is_named_in_short_words():
    """Nothing that could be taken for two tags, or for another's, gets into a principal."""
    for words in (
        ("reviewer x",),
        ("partner", "a reviewer"),
        ("partner", "a:b"),
        ("", "a"),
        ("custodian", "a", "B"),
    ):
        with pytest.raises(BadInputError):
            Principal(*words)
    assert Principal("custodian", "x", "health").tags == ("custodian", "custodian:x", "custodian@health")
