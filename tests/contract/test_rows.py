"""Whose rows each caller sees and may change: the same of the store in memory and of PostgreSQL."""

import contextlib
from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import psycopg
import pytest
from fakes import NOON, FakeStore, a_partner, a_prekey, a_user, an_agreement, an_exchange
from sqlalchemy import text

from gateway.db.engine import Session
from gateway.db.rowpolicies import OPEN, ROWS
from gateway.db.tables import metadata
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
    _fill(owner)
    return owner, web


def _fill(owner) -> None:
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


# --- PostgreSQL alone: what SQL as the web role can and can't do ----------------------------------------


@pytest.fixture
def filled(postgres):
    _fill(postgres.store())
    postgres.store("web").acting_for(SIGNING_IN).begin().__enter__()  # the key is there
    return postgres


def raw(postgres, role="web"):
    return psycopg.connect(getattr(postgres.urls, role).replace("+psycopg", ""))


@pytest.mark.postgres
def test_every_table_has_its_rows_declared():
    """A table is either under row policies or named, with the reason, among those that are not."""
    assert ROWS.keys() | OPEN.keys() == {table.name for table in metadata.sorted_tables}
    assert not ROWS.keys() & OPEN.keys()


@pytest.mark.postgres
@pytest.mark.parametrize("told", [None, "", "reviewer", "0" * 64 + " reviewer", "partner:health partner"])
def test_without_a_seal_there_is_no_row(filled, told):
    """No setting, an empty one or one of whoever speaks SQL: every guarded table is empty to the web role."""
    with raw(filled) as connection:
        if told is not None:
            connection.execute("SELECT set_config('flagstone.caller', %s, false)", [told])
        for table in ROWS:
            assert connection.execute(f"SELECT count(*) FROM flagstone.{table}").fetchone() == (0,)  # noqa: S608
            assert connection.execute("SELECT flagstone.caller()").fetchone() == (None,)


@pytest.mark.postgres
def test_a_seal_is_good_for_its_caller_in_its_session(filled):
    """A seal taken from one transaction opens nothing in another session, and says nobody else in its own."""
    with filled.store("web").acting_for(HEALTH).begin() as unit:
        session: Session = unit._session
        (told,) = session.run(text("SELECT current_setting('flagstone.caller')")).one()
        forged = told.replace("partner:health", "partner:police")
        session.run(text("SELECT set_config('flagstone.caller', :told, true)"), {"told": forged})
        assert unit.exchanges.all() == []
    with raw(filled) as connection:
        connection.execute("SELECT set_config('flagstone.caller', %s, false)", [told])
        assert connection.execute("SELECT flagstone.caller()").fetchone() == (None,)


@pytest.mark.postgres
def test_the_caller_ends_with_the_transaction(filled):
    """A pooled connection keeps nothing of the caller before: the next unit, for nobody, sees nothing."""
    web = filled.store("web")
    with web.acting_for(HEALTH).begin() as unit:
        assert len(unit.exchanges.all()) == 1
        unit.commit()
    with web.begin() as unit:
        assert unit.exchanges.all() == []
        assert (
            unit._session.run(
                text("SELECT coalesce(current_setting('flagstone.caller', true), '')")
            ).scalar_one()
            == ""
        )


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM flagstone.caller_key",
        "UPDATE flagstone.caller_key SET inner_pad = outer_pad",
        "CREATE POLICY x ON flagstone.exchanges USING (true)",
        "ALTER TABLE flagstone.exchanges DISABLE ROW LEVEL SECURITY",
        "CREATE OR REPLACE FUNCTION flagstone.caller() RETURNS text[] LANGUAGE sql AS 'SELECT NULL'",
        "SET ROLE flagstone_worker",
        "SET ROLE flagstone_migrate",
        "SET SESSION AUTHORIZATION flagstone_worker",
        "SET row_security = off; SELECT * FROM flagstone.exchanges",
        "TRUNCATE flagstone.exchanges",
    ],
)
def test_the_web_role_can_not_get_round_it(filled, statement):
    """Neither the key nor the policies, the function or another role's eyes are the web role's to have."""
    with raw(filled) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.postgres
def test_a_forgotten_condition_changes_no_row_of_others(filled):
    """A statement without any WHERE, as an agent: its own rows alone are read, changed and removed."""
    with filled.store("web").acting_for(HEALTH).begin() as unit:
        session: Session = unit._session
        assert session.run(text("SELECT id FROM flagstone.exchanges")).scalars().all() == [OWN.id]
        assert session.run(text("UPDATE flagstone.exchanges SET status = 'cancelled'")).rowcount == 1
        assert session.run(text("UPDATE flagstone.agreements SET revoked_at = now()")).rowcount == 1
        assert session.run(text("DELETE FROM flagstone.mailbox")).rowcount == 1
        assert session.run(text("DELETE FROM flagstone.vault")).rowcount == 4


@pytest.mark.postgres
def test_the_worker_and_the_owner_see_everything(filled):
    """The worker carries everybody's exchanges on, and the owner's dump is whole."""
    for role in ("worker", "migrate"):
        with raw(filled, role) as connection:
            assert connection.execute("SELECT count(*) FROM flagstone.exchanges").fetchone() == (2,)
            assert connection.execute("SELECT count(*) FROM flagstone.vault").fetchone() == (2 * len(KINDS),)


@pytest.mark.postgres
def test_a_policy_made_by_hand_is_gone_after_an_upgrade(filled):
    """What somebody opened, or dropped, is as declared again when privileges are set."""
    from gateway.db.roles import Roles, grant

    with raw(filled, "migrate") as connection:
        connection.execute("CREATE POLICY open ON flagstone.exchanges TO flagstone_web USING (true)")
        (name,) = connection.execute(
            "SELECT policyname FROM pg_policies WHERE tablename = 'vault' AND policyname LIKE 'read%'"
        ).fetchone()
        connection.execute(f'DROP POLICY "{name}" ON flagstone.vault')
        connection.execute("ALTER TABLE flagstone.vault DISABLE ROW LEVEL SECURITY")
    with filled.engine().begin() as connection:
        grant(connection, Roles())
    with filled.store("web").acting_for(HEALTH).begin() as unit:
        assert len(unit.exchanges.all()) == 1
        assert len(unit.vault.kinds(OWN.id)) == 4
        assert unit.vault.kinds(OTHER.id) == []
