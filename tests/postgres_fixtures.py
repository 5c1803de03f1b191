"""The embedded PostgreSQL for tests: one server a run, an empty migrated database for each test.

The database is cloned from a migrated template once, and emptied before each test: a clone takes half a
second, emptying a hundredth.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from fakes import FakeStore
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from gateway.db.callers import CallerSeal
from gateway.db.embedded import DATABASE, EmbeddedPostgres
from gateway.db.engine import make_engine
from gateway.db.locks import exclusive
from gateway.db.roles import Roles, Urls, grant
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade

_TABLES = """
    SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('flagstone', 'dbos')
    AND tablename NOT IN ('alembic_version', 'dbos_migrations')
"""
_END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class Server:
    """The running server. `database` clones the template."""

    urls: Urls
    admin_url: str
    admin: psycopg.Connection

    def connect(self, name: str) -> psycopg.Connection:
        """As the superuser."""
        url = make_url(self.admin_url).set(drivername="postgresql", database=name)
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def create(self, name: str, *, template: str = DATABASE) -> Urls:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        self.admin.execute(statement.format(*map(sql.Identifier, (name, template, Roles().migrate))))
        return Urls(
            *(
                make_url(getattr(self.urls, role)).set(database=name).render_as_string(hide_password=False)
                for role in ("migrate", "web", "worker", "review")
            )
        )

    def drop(self, name: str) -> None:
        self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass
class Database:
    """One test's database: `urls` by role; `store()` and `engine()` for the role wanted."""

    urls: Urls
    admin: psycopg.Connection  # the superuser, in database `postgres`
    _stack: ExitStack = field(default_factory=ExitStack)

    def engine(self, role: str = "migrate") -> Engine:
        engine = make_engine(getattr(self.urls, role))
        self._stack.callback(engine.dispose)
        return engine

    def store(self, role: str = "migrate") -> PostgresStore:
        """A store that signs with the same key as `FakeStore`. `migrate` may do everything."""
        seal = CallerSeal(self.engine()) if role == "web" else None
        return PostgresStore(self.engine(role), FakeStore().signer, seal)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the run, shared by pytest-xdist's workers; its database `flagstone` is the template."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "postgres"
    embedded = EmbeddedPostgres(folder, unsafe_settings=UNSAFE_BUT_FAST)
    urls = embedded.start()
    try:
        with exclusive(folder / "template.lock"):
            _make_template(folder / "template.made", urls)
        with psycopg.connect(embedded.admin_url().replace("+psycopg", ""), autocommit=True) as admin:
            yield Server(urls, embedded.admin_url(), admin)
    finally:
        embedded.destroy()


def _make_template(made: Path, urls: Urls) -> None:
    # once only: nobody may be connected to a database that is being cloned
    if not made.exists():
        upgrade(urls.migrate)
        made.touch()


@pytest.fixture
def empty_database(postgres_server: Server) -> Iterator[Urls]:
    """A database without tables, as a council's administrator would make it."""
    name = f"empty_{uuid4().hex}"
    yield postgres_server.create(name, template="template1")
    postgres_server.drop(name)


class Cleaner:
    """Empties the database it is connected to."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        tables = [sql.Identifier(*row) for row in connection.execute(_TABLES).fetchall()]
        self._deletes = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in tables)
        # as the superuser may, past the triggers that guard the log
        connection.execute("SET session_replication_role = replica")

    def empty(self) -> None:
        """End whatever still uses the database, then empty every table."""
        self._connection.execute(_END_OTHER_SESSIONS)
        self._connection.execute(self._deletes)


@pytest.fixture(scope="session")
def migrated_database(postgres_server: Server) -> Iterator[tuple[Urls, Cleaner]]:
    name = f"test_{uuid4().hex}"
    urls = postgres_server.create(name)
    engine = make_engine(urls.migrate)
    with engine.begin() as connection:
        grant(connection, Roles())  # a clone does not inherit the privileges on the database itself
    engine.dispose()
    with postgres_server.connect(name) as connection:
        yield urls, Cleaner(connection)
    postgres_server.drop(name)


@pytest.fixture
def postgres(postgres_server: Server, migrated_database: tuple[Urls, Cleaner]) -> Iterator[Database]:
    """A migrated, empty database of this test alone."""
    urls, cleaner = migrated_database
    cleaner.empty()
    database = Database(urls, postgres_server.admin)
    yield database
    database.close()
