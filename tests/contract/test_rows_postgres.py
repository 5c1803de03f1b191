"""What SQL as the web role can and can't do, whatever the application would ask."""

import psycopg
import pytest
from contract.test_rows import HEALTH, KINDS, OTHER, OWN, fill
from sqlalchemy import text

from gateway.db.engine import Session
from gateway.db.roles import Roles, grant
from gateway.db.rowpolicies import OPEN, ROWS
from gateway.db.tables import metadata
from gateway.domain.principal import SIGNING_IN

pytestmark = pytest.mark.postgres


@pytest.fixture
def filled(postgres):
    fill(postgres.store())
    with postgres.store("web").acting_for(SIGNING_IN).begin():
        pass  # the key is made
    return postgres


def raw(postgres, role="web"):
    return psycopg.connect(getattr(postgres.urls, role).replace("+psycopg", ""))


def test_every_table_has_its_rows_declared():
    """A table is either under row policies or named, with the reason, among those that are not."""
    assert ROWS.keys() | OPEN.keys() == {table.name for table in metadata.sorted_tables}
    assert not ROWS.keys() & OPEN.keys()


@pytest.mark.parametrize("told", [None, "", "reviewer", "0" * 64 + " reviewer", "partner:health partner"])
def test_without_a_seal_there_is_no_row(filled, told):
    """No setting, an empty one or one of whoever speaks SQL: every guarded table is empty to the web role."""
    with raw(filled) as connection:
        if told is not None:
            connection.execute("SELECT set_config('flagstone.caller', %s, false)", [told])
        for table in ROWS:
            assert connection.execute(f"SELECT count(*) FROM flagstone.{table}").fetchone() == (0,)  # noqa: S608
            assert connection.execute("SELECT flagstone.caller()").fetchone() == (None,)


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


def test_a_forgotten_condition_changes_no_row_of_others(filled):
    """A statement without any WHERE, as an agent: its own rows alone are read, changed and removed."""
    with filled.store("web").acting_for(HEALTH).begin() as unit:
        session: Session = unit._session
        assert session.run(text("SELECT id FROM flagstone.exchanges")).scalars().all() == [OWN.id]
        assert session.run(text("UPDATE flagstone.exchanges SET status = 'cancelled'")).rowcount == 1
        assert session.run(text("UPDATE flagstone.agreements SET revoked_at = now()")).rowcount == 1
        assert session.run(text("DELETE FROM flagstone.mailbox")).rowcount == 1
        assert session.run(text("DELETE FROM flagstone.vault")).rowcount == 4


def test_the_worker_and_the_owner_see_everything(filled):
    """The worker carries everybody's exchanges on, and the owner's dump is whole."""
    for role in ("worker", "migrate"):
        with raw(filled, role) as connection:
            assert connection.execute("SELECT count(*) FROM flagstone.exchanges").fetchone() == (2,)
            assert connection.execute("SELECT count(*) FROM flagstone.vault").fetchone() == (2 * len(KINDS),)


def test_a_policy_made_by_hand_is_gone_after_an_upgrade(filled):
    """What somebody opened, or dropped, is as declared again when privileges are set."""
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
