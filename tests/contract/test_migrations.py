"""Migrations: from nothing to the tables that the code expects, any number of times, at once."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields
from importlib import resources
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fakes import NOON, FakeStore, a_partner, an_agreement, an_exchange
from sqlalchemy import text
from sqlalchemy.engine import make_url

from audit.entry import Entry
from gateway.db import binaries
from gateway.db.engine import make_engine
from gateway.db.roles import Roles
from gateway.db.tables import SCHEMA, metadata
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import alembic_config, upgrade
from gateway.domain.errors import ConfigurationError, StoreUnavailableError
from gateway.domain.exchange import Status

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).parents[2]


def test_the_migrations_make_what_the_code_expects(postgres):
    """The migrated tables equal the declared ones: a change of `tables.py` without a migration fails here."""
    with postgres.engine().connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "version_table_schema": SCHEMA,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_every_check_of_the_code_is_in_the_database(postgres):
    """Check constraints, which the comparison above does not see, are the declared ones by name and text."""
    question = text(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'c' AND connamespace = 'flagstone'::regnamespace"
    )
    with postgres.engine().begin() as connection:
        migrated = set(connection.execute(question).all())
        connection.execute(text("ALTER SCHEMA flagstone RENAME TO migrated"))
        connection.execute(text("CREATE SCHEMA flagstone"))
        metadata.create_all(connection)
        declared = set(connection.execute(question).all())
        connection.rollback()
    assert migrated == declared


def test_upgrades_at_once_and_again_do_no_harm(empty_database):
    """Three upgrades of an empty database at the same time all succeed, and so does one more."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade, [empty_database.migrate] * 3))
    upgrade(empty_database.migrate)
    engine = make_engine(empty_database.worker)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM dbos.workflow_status")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM flagstone.exchanges")).scalar_one() == 0
    engine.dispose()


def test_a_database_without_tables_says_what_to_run(empty_database):
    """A gateway on a database that was never upgraded is told to upgrade it."""
    engine = make_engine(empty_database.migrate)
    with PostgresStore(engine, None).begin() as unit, pytest.raises(ConfigurationError, match="db upgrade"):
        unit.exchanges.all()
    engine.dispose()


def test_an_upgrade_without_roles_says_what_to_make(empty_database):
    """An upgrade for a role that does not exist is refused with the way out."""
    with pytest.raises(ConfigurationError, match="role is missing"):
        upgrade(empty_database.migrate, Roles(review="nobody_made_this"))


def test_an_upgrade_gives_up_behind_a_stuck_one(empty_database, monkeypatch):
    """While another upgrade holds the lock this one waits its time, then fails without changing anything."""
    monkeypatch.setattr("gateway.db.upgrade.WAIT_SECONDS", 0)
    engine = make_engine(empty_database.migrate)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": 0x666C_6167_6C6F_6702})
        with pytest.raises(StoreUnavailableError, match="another upgrade"):
            upgrade(empty_database.migrate)
    engine.dispose()


def test_the_revisions_form_one_line_and_are_packaged():
    """There is one head, and the revisions and their template are files of the installed package."""
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    migrations = resources.files("gateway.db") / "migrations"
    assert (migrations / "script.py.mako").is_file()
    for revision in scripts.walk_revisions():
        assert (migrations / "versions" / "__init__.py").is_file()
        assert revision.path.startswith(str(migrations / "versions"))


@pytest.mark.parametrize(("kept", "days"), [((), 90), ((60, 30), 30)], ids=["nothing kept", "two sets kept"])
def test_exchanges_of_before_get_clocks(empty_database, kept, days):
    """An upgrade starts the clocks of what ended: the fewest days of a kept policy set, else as shipped."""
    before = ScriptDirectory.from_config(alembic_config()).get_revision("0005").down_revision
    engine = make_engine(empty_database.migrate)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), before)
    with PostgresStore(engine, FakeStore().signer).begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        for status in (Status.RELEASED, Status.SENT):
            unit.exchanges.add(an_exchange(status=status))
        for number in kept:
            document = json.dumps({"datasets": {"health-trust": {"results_days": number}}}).encode()
            unit.policy_sets.keep(f"set {number}", document, NOON)
        unit.commit()
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
        found = connection.execute(
            text(
                "SELECT status, days, due - LEAST(expires_at, now())::date FROM flagstone.retentions "
                "JOIN flagstone.exchanges ON id = exchange WHERE clock = 'results' ORDER BY status"
            )
        ).all()
    engine.dispose()
    assert found == [("released", days, days), ("sent", days, None)]


def test_the_documented_sql_makes_a_database_that_works(postgres_server):
    """What docs/database.md tells an administrator to run is enough for an upgrade, under any names."""
    document = (ROOT / "docs" / "database.md").read_text()
    statements = document.split("```sql\n")[1].split("```")[0].replace("flagstone", "documented")
    roles = Roles(*(f"documented_{each.name}" for each in fields(Roles)))
    admin = postgres_server.admin
    try:
        for statement in statements.splitlines():
            admin.execute(statement)
        admin.execute("ALTER ROLE documented_migrate PASSWORD 'secret'")
        owner = make_url(postgres_server.urls.migrate).set(
            username=roles.migrate, password="secret", database="documented"
        )
        upgrade(owner.render_as_string(hide_password=False), roles)
        with postgres_server.connect("documented") as connection:
            granted = connection.execute(
                "SELECT has_table_privilege('documented_review', 'flagstone.log_leaves', 'INSERT')"
            )
            assert granted.fetchone() == (True,)
    finally:
        admin.execute("DROP DATABASE IF EXISTS documented WITH (FORCE)")
        for role in astuple(roles):
            admin.execute(f"DROP ROLE IF EXISTS {role}")


def test_a_dump_restores_into_an_empty_database(postgres, empty_database, tmp_path):
    """The documented dump and restore bring back a log that verifies and goes on, with its privileges."""
    with postgres.store().begin() as unit:
        unit.log.append([Entry(uuid4(), "log.exported", NOON, {}) for _ in range(5)])
        unit.commit()
    tools = binaries.programs().folder
    dump = tmp_path / "flagstone.dump"
    source, target = (url.migrate.replace("+psycopg", "") for url in (postgres.urls, empty_database))
    subprocess.run([tools / "pg_dump", "--format=custom", "--file", dump, source], check=True)
    subprocess.run([tools / "pg_restore", "--no-owner", "--no-acl", "--dbname", target, dump], check=True)
    upgrade(empty_database.migrate)
    engine = make_engine(empty_database.web)
    with PostgresStore(engine, FakeStore().signer).begin() as unit:
        unit.log.append([Entry(uuid4(), "log.exported", NOON, {})])
        unit.commit()
        assert unit.log.size() == 6
    engine.dispose()
