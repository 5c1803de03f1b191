"""What an append asks of PostgreSQL."""

from uuid import uuid4

import pytest
from fakes import NOON, FakeStore
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from audit.checkpoint import open_checkpoint
from audit.entry import Entry
from audit.errors import StoreError
from gateway.db.engine import Session
from gateway.db.logstore import PostgresLogStore
from gateway.db.uow import PostgresStore
from gateway.domain.errors import LogUnavailableError

pytestmark = pytest.mark.postgres


def append(store, count=1):
    with store.begin() as unit:
        unit.log.append([Entry(uuid4(), "log.exported", NOON, {}) for _ in range(count)])
        unit.commit()


def test_an_append_is_one_statement(postgres):
    """A process that appended last appends with one statement, after a unit of its own that failed too."""
    engine = postgres.engine()
    store = PostgresStore(engine, FakeStore().signer)
    append(store)
    seen = []
    event.listen(engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    for count in (1, 3, 1):
        with store.begin() as unit:
            unit.log.append([Entry(uuid4(), "log.exported", NOON, {})])
        append(store, count)
    assert len(seen) == 6
    assert set(seen) == {seen[0]}
    assert "log_append" in seen[0]


def test_another_processes_append_costs_one_statement_more(postgres):
    """Where another process appended in between, the answer of the first try is enough for the second."""
    engine = postgres.engine()
    store, other = PostgresStore(engine, FakeStore().signer), postgres.store()
    append(store)
    append(other, 4)
    seen = []
    event.listen(engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    append(store)
    assert len(seen) == 2
    with store.begin() as unit:
        assert open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier).size == 6


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM flagstone.log_leaves WHERE index = 4",
        "DELETE FROM flagstone.log_checkpoints",
        "DELETE FROM flagstone.log_nodes WHERE level = 2",
        "UPDATE flagstone.log_nodes SET hash = sha256('other') WHERE level = 2",
        "UPDATE flagstone.log_checkpoints SET note = 'other'",
        "TRUNCATE flagstone.log_leaves, flagstone.log_nodes, flagstone.log_checkpoints",
    ],
)
def test_a_process_that_remembers_notices_damage(postgres, damage):
    """Tables altered behind a process that remembers where the log is get no new signature from it."""
    store = postgres.store()
    append(store, 5)
    with postgres.engine().begin() as connection:
        for table in ("log_leaves", "log_nodes", "log_checkpoints"):
            connection.execute(text(f"ALTER TABLE flagstone.{table} DISABLE TRIGGER USER"))
        connection.execute(text(damage))
        for table in ("log_leaves", "log_nodes", "log_checkpoints"):
            connection.execute(text(f"ALTER TABLE flagstone.{table} ENABLE TRIGGER USER"))
    with pytest.raises(LogUnavailableError):
        append(store)


def test_nothing_is_written_without_leaves(postgres):
    """A write of no leaves is an error, not a second checkpoint."""
    with postgres.engine().connect() as connection:
        store = PostgresLogStore(Session(connection))
        with pytest.raises(StoreError, match="nothing"):
            store.write(store.head(), [], {}, b"note")


@pytest.mark.parametrize("hashes", [b"", bytes(31), bytes(32 * 2)])
def test_missing_hashes_are_refused(postgres, hashes):
    """Fewer hashes than the leaves complete, or a cut one, are refused by the database itself."""
    statement = text("SELECT * FROM flagstone.log_append(0, NULL, NULL, ARRAY[''::bytea, ''], :hashes, '')")
    with postgres.engine().connect() as connection, pytest.raises(IntegrityError, match="hash"):
        connection.execute(statement, {"hashes": hashes})


def test_the_functions_give_no_privileges(postgres):
    """But for the one that row policies ask, every function runs as its caller: `test_roles` says all."""
    with postgres.engine().connect() as connection:
        definers = "SELECT proname FROM pg_proc WHERE pronamespace = 'flagstone'::regnamespace AND prosecdef"
        assert connection.execute(text(definers)).all() == [("caller",)]
