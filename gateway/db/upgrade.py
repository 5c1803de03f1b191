"""Bring a database to this version: our tables, DBOS' tables, the roles' privileges."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.config import Config
from dbos import DBOS
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.engine import make_engine, translated
from gateway.db.roles import Roles, grant
from gateway.domain.errors import StoreUnavailableError

LOCK: Final = 0x666C_6167_6C6F_6702
WAIT_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.1
DBOS_SCHEMA: Final = "dbos"


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings; the scripts are found in the installed package, no `alembic.ini` is needed."""
    config = Config()
    config.set_main_option("script_location", "gateway.db:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(url: str, roles: Roles = Roles()) -> None:  # noqa: B008 (frozen)
    """Run every migration that is missing, then set the privileges.

    Idempotent, and safe when several run at once.

    `url` is that of the owner, `roles.migrate`.

    Raises:
        ConfigurationError: a role is missing.
        StoreUnavailableError: the database can't be reached, or another upgrade goes on for too long.
    """
    engine = make_engine(url)
    try:
        with _alone(engine):
            with engine.begin() as connection:
                command.upgrade(alembic_config(connection), "head")
            DBOS.migrate(url, schema=DBOS_SCHEMA, application_role=roles.worker)
            with engine.begin() as connection:
                grant(connection, roles)
    except SQLAlchemyError as error:
        raise translated(error) from None
    finally:
        engine.dispose()


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the upgrade lock on a connection of its own.

    The lock is polled for, not waited for: a waiting statement holds a snapshot, which a CREATE INDEX
    CONCURRENTLY of the upgrade in progress would wait for in turn, for ever.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + WAIT_SECONDS
        while not connection.execute(select(func.pg_try_advisory_lock(LOCK))).scalar_one():
            if time.monotonic() > deadline:
                raise StoreUnavailableError("another upgrade is going on", place="database upgrade")
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            connection.execute(select(func.pg_advisory_unlock(LOCK)))
