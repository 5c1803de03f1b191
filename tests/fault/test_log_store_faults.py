"""Log before send: whatever statement fails, before or after it took effect, nothing moves by half."""

import io
from contextlib import nullcontext, suppress
from itertools import count
from uuid import uuid4

import psycopg
import pytest
from fakes import NOON, FakeStore, a_partner, a_user, an_agreement, an_exchange
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from audit.checkpoint import open_checkpoint
from audit.entry import Entry
from audit.export import export_chunks
from audit.merkle import leaf_hash, verify_inclusion
from audit.trust import Trust
from audit.verify import verify_export
from gateway.db.engine import make_engine
from gateway.db.uow import PostgresStore
from gateway.domain.errors import FlagstoneError, LogUnavailableError, StoreUnavailableError
from gateway.domain.exchange import Status

pytestmark = pytest.mark.postgres

SECRET = "Josephine Bloggs"


@pytest.fixture
def exchange(postgres):
    """One prepared exchange, and a log of three entries."""
    exchange = an_exchange()
    with postgres.store().begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.exchanges.add(exchange)
        unit.log.append([an_entry() for _ in range(3)])
        unit.commit()
    return exchange


def an_entry(**body) -> Entry:
    return Entry(uuid4(), "exchange.request-authorised", NOON, body)


def authorise(store: PostgresStore, exchange, entry: Entry) -> bool:
    """The step as a use case takes it: move on, seal, log, commit."""
    with store.begin() as unit:
        if not unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED]):
            return False
        unit.vault.put(exchange.id, "request", b"sealed")
        unit.log.append([entry, an_entry()])
        unit.commit()
        return True


def check_whole(postgres, exchange) -> bool:
    """The log verifies whole; the exchange is authorised if and only if its entries stand there."""
    with postgres.store().begin() as unit:
        size = unit.log.size()
        signed = open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier)
        assert signed.size == size
        for index, leaf in enumerate(unit.log.leaves(0, size)):
            verify_inclusion(leaf_hash(leaf), index, size, unit.log.inclusion(index, size), signed.root)
        authorised = unit.exchanges.get(exchange.id).status is Status.AUTHORISED
        assert size == (5 if authorised else 3)
        return authorised


def lose(engine: Engine, nth: int, moment: str) -> list[str]:
    """Let the nth statement fail `before` it is run or `after`; the list tells what was run."""
    statements: list[str] = []
    numbers = count()

    def fail(connection, cursor, statement, parameters, context, executemany):
        statements.append(statement)
        if next(numbers) == nth:
            lost = psycopg.OperationalError("the connection is lost")
            raise OperationalError(statement, {"name": SECRET}, lost, hide_parameters=True)

    event.listen(engine, f"{moment}_cursor_execute", fail)
    return statements


def statements_of_a_step(postgres, exchange) -> int:
    engine = postgres.engine()
    seen = lose(engine, -1, "before")
    with suppress(ZeroDivisionError), PostgresStore(engine, FakeStore().signer).begin() as unit:
        unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
        unit.vault.put(exchange.id, "request", b"sealed")
        unit.log.append([an_entry(), an_entry()])
        raise ZeroDivisionError
    return len(seen)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_step_that_fails_at_any_statement_leaves_nothing(postgres, exchange, moment):
    """A failure at any statement, run or not, rolls everything back, and repeating the step completes it."""
    steps = statements_of_a_step(postgres, exchange)
    assert steps >= 5
    for nth in range(steps):
        engine = postgres.engine()
        lose(engine, nth, moment)
        with pytest.raises((LogUnavailableError, StoreUnavailableError)):
            authorise(PostgresStore(engine, FakeStore().signer), exchange, an_entry())
        assert not check_whole(postgres, exchange)
    assert authorise(postgres.store(), exchange, an_entry())
    assert check_whole(postgres, exchange)


def test_every_failure_of_an_append_is_the_logs(postgres, exchange):
    """Whichever of its statements fails, an append raises LogUnavailableError, whose text has no value."""
    engine = postgres.engine()
    seen = lose(engine, -1, "before")
    with PostgresStore(engine, FakeStore().signer).begin() as unit:
        unit.log.append([an_entry()])
    for nth in range(len(seen)):
        engine = postgres.engine()
        lose(engine, nth, "before")
        with (
            PostgresStore(engine, FakeStore().signer).begin() as unit,
            pytest.raises(LogUnavailableError) as failure,
        ):
            unit.log.append([an_entry(name=SECRET)])
        assert SECRET not in str(failure.value)
        assert failure.value.__cause__ is None


def unanswered(commit, *, persisted):
    """A commit that gets no answer."""

    def lose_the_answer(connection: psycopg.Connection) -> None:
        if persisted:
            commit(connection)
        raise psycopg.OperationalError("the connection is lost")

    return lose_the_answer


@pytest.mark.parametrize("persisted", [False, True])
def test_an_unconfirmed_commit_is_the_logs_failure(postgres, exchange, monkeypatch, persisted):
    """A commit that gets no answer raises LogUnavailableError; the repeated step finds out what happened."""
    store = postgres.store()
    with monkeypatch.context() as patched:
        lost = unanswered(psycopg.Connection.commit, persisted=persisted)
        patched.setattr(psycopg.Connection, "commit", lost)
        with pytest.raises(LogUnavailableError):
            authorise(store, exchange, an_entry())
    assert check_whole(postgres, exchange) is persisted
    assert authorise(store, exchange, an_entry()) is not persisted
    assert check_whole(postgres, exchange)


@pytest.mark.parametrize("persisted", [False, True])
def test_a_process_goes_on_after_unconfirmed_commits(postgres, monkeypatch, persisted):
    """A process that remembers the log outlasts commits without an answer, whether they were made or not."""
    store, written = postgres.store(), []

    def append(number):
        with store.begin() as unit:
            unit.log.append([an_entry(n=number)])
            unit.commit()

    for number in range(0, 9, 3):
        append(number)
        with monkeypatch.context() as patched:
            lost = unanswered(psycopg.Connection.commit, persisted=persisted)
            patched.setattr(psycopg.Connection, "commit", lost)
            with pytest.raises(LogUnavailableError):
                append(number + 1)
        append(number + 2)
        written += [number, *[number + 1] * persisted, number + 2]
        with store.begin() as unit:
            leaves = io.BytesIO(b"".join(export_chunks(unit.log)))
            assert verify_export(leaves, Trust(FakeStore().signer.verifier))
            assert [Entry.parse(leaf).body["n"] for leaf in unit.log.leaves(0, unit.log.size())] == written


def test_a_unit_that_did_not_log_blames_the_store(postgres, exchange, monkeypatch):
    """Without entries in the unit, an unconfirmed commit is StoreUnavailableError."""

    def lost(connection: psycopg.Connection) -> None:
        raise psycopg.OperationalError("the connection is lost")

    with postgres.store().begin() as unit:
        unit.vault.put(exchange.id, "list", b"sealed")
        monkeypatch.setattr(psycopg.Connection, "commit", lost)
        with pytest.raises(StoreUnavailableError):
            unit.commit()


def test_a_backend_killed_in_the_middle_leaves_nothing(postgres, exchange):
    """When the server ends the session between two statements, the unit fails and nothing of it stays."""
    with postgres.store().begin() as unit:
        unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
        postgres.admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        )
        with pytest.raises(LogUnavailableError):
            unit.log.append([an_entry()])
    assert not check_whole(postgres, exchange)
    assert authorise(postgres.store(), exchange, an_entry())


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_a_connection_lost_before_the_rollback_is_no_error(postgres, exchange, error):
    """Leaving a unit without commit is no error if the server is gone: it rolled back by itself."""
    store = postgres.store()
    with pytest.raises(error) if error else nullcontext(), store.begin() as unit:
        unit.log.append([an_entry()])
        postgres.admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        )
        if error:
            raise error
    assert not check_whole(postgres, exchange)
    assert authorise(store, exchange, an_entry())
    assert store._engine.pool.checkedout() == 0


def test_a_held_log_is_not_waited_for_without_end(postgres, exchange, monkeypatch):
    """While another writer keeps the log's lock, an append gives up after the lock timeout; reads go on."""
    monkeypatch.setattr("gateway.db.engine._OPTIONS", "-c lock_timeout=100ms")
    impatient = postgres.store()
    with postgres.store().begin() as holder:
        holder.log.append([an_entry()])
        with impatient.begin() as unit, pytest.raises(LogUnavailableError):
            unit.log.append([an_entry()])
        with impatient.begin() as unit:
            assert unit.log.size() == 3
    assert not check_whole(postgres, exchange)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM flagstone.log_leaves WHERE index = 2",
        "DELETE FROM flagstone.log_checkpoints",
        "DELETE FROM flagstone.log_nodes WHERE level = 0 AND index = 2",
        "UPDATE flagstone.log_nodes SET hash = sha256('other') WHERE level = 1",
        "UPDATE flagstone.log_checkpoints SET note = 'other'",
    ],
)
def test_a_damaged_log_takes_no_entry(postgres, exchange, damage):
    """A log whose tables were altered behind its back refuses to grow, so nothing more is disclosed."""
    with postgres.engine().begin() as connection:
        for table in ("log_leaves", "log_nodes", "log_checkpoints"):
            connection.execute(text(f"ALTER TABLE flagstone.{table} DISABLE TRIGGER ALL"))
        connection.execute(text(damage))
        for table in ("log_leaves", "log_nodes", "log_checkpoints"):
            connection.execute(text(f"ALTER TABLE flagstone.{table} ENABLE TRIGGER ALL"))
    with pytest.raises(LogUnavailableError):
        authorise(postgres.store(), exchange, an_entry())
    with postgres.store().begin() as unit:
        assert unit.exchanges.get(exchange.id).status is Status.PREPARED


def test_database_errors_carry_no_values(postgres, exchange):
    """A violated constraint's text names the constraint, and neither the row's values nor the statement's."""
    with postgres.store().begin() as unit:
        unit.users.add(a_user("Ann", token_hash=b"1" * 32))
        unit.users.add(a_user(SECRET, token_hash=b"2" * 32))
        with pytest.raises(FlagstoneError) as failure:
            unit.users.replace_token(SECRET, b"1" * 32)
    assert "uq_users_token_hash" in str(failure.value)
    assert SECRET not in str(failure.value)
    assert failure.value.__cause__ is None
    assert failure.value.__suppress_context__


def test_no_database_is_a_named_error(postgres):
    """When no server answers, beginning a unit raises StoreUnavailableError without the password."""
    engine = make_engine("postgresql://someone:secret@/nothing?host=/nowhere")
    with pytest.raises(StoreUnavailableError) as failure, PostgresStore(engine, FakeStore().signer).begin():
        pytest.fail("there is no unit without a database")
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("text", [f"{SECRET}\0", f"{SECRET}\ud800"])
def test_text_that_cannot_be_stored_is_bad_input(postgres, text):
    """A NUL or a lone surrogate, which PostgreSQL can't hold, is the caller's error and not the store's."""
    with postgres.store().begin() as unit, pytest.raises(FlagstoneError) as failure:
        unit.agreements.get(text)
    assert failure.value.status == 422
    assert SECRET not in str(failure.value)
