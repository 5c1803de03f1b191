"""Engines and sessions: how we connect, and how a database error becomes one of ours."""

import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    SQLAlchemyError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.domain.errors import (
    BadInputError,
    ConfigurationError,
    ConflictError,
    FlagstoneError,
    StoreUnavailableError,
)

_DRIVER: Final = "postgresql+psycopg"
_OPTIONS: Final = " ".join(
    f"-c {setting}"
    for setting in (
        "timezone=UTC",
        "statement_timeout=60s",
        # shorter than the statement timeout: who waits for the log's lock gives up first, and says so
        "lock_timeout=10s",
        "idle_in_transaction_session_timeout=60s",
    )
)
_SINCE: Final = "flagstone: resting since"
_RESTED_SECONDS: Final = 1.0
_NO_PRIVILEGE: Final = "42501"
_OLD_SCHEMA: Final = {"3F000", "42P01", "42703", "42883"}  # no such schema, table, column, function

_BYTEA, _BYTEA_ARRAY = 17, 1001  # pg_type.dat


@dataclass(frozen=True, slots=True)
class ByteStrings:
    """A `bytea[]` parameter, sent in binary; psycopg sends a list as hexadecimal text, 200 times slower."""

    items: Sequence[bytes]


class _ByteStringsDumper(Dumper):
    format = Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: ByteStrings) -> bytes:
        """What `array_recv` reads: dimensions, has nulls, element type; length, lower bound; then each."""
        parts = [struct.pack("!5i", 1, 0, _BYTEA, len(obj.items), 1)]
        for item in obj.items:
            parts += struct.pack("!i", len(item)), item
        return b"".join(parts)


def _adapt(connection: psycopg.Connection[Any], _record: object) -> None:
    connection.adapters.register_dumper(ByteStrings, _ByteStringsDumper)


def _rested(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_SINCE] = time.monotonic()


def _still_there(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Ask a connection that has rested whether the server is there still; a busy one was there just now.

    Raises:
        DisconnectionError: it is not; the pool then connects anew.
    """
    since = record.info.get(_SINCE)
    if since is None or time.monotonic() - since < _RESTED_SECONDS:
        return
    try:
        connection.autocommit = True
        connection.execute("SELECT 1")
        connection.autocommit = False
    except psycopg.Error:
        raise DisconnectionError from None


def make_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine whose errors and logs show no parameter values. Nothing is connected yet.

    Raises:
        ConfigurationError: the URL is not one of PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError("not a database URL", place="database") from None
    if parsed.get_backend_name() != "postgresql":
        raise ConfigurationError("not a PostgreSQL URL", place="database")
    engine = create_engine(
        parsed.set(drivername=_DRIVER),
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=5,  # then StoreUnavailableError: under a crowd it is better to be told soon
        # stated, not inherited: `advance` and the log's lock rest on each statement seeing what is committed
        isolation_level="READ COMMITTED",
        connect_args={"options": _OPTIONS, "connect_timeout": 10, "application_name": "flagstone"},
    )
    event.listen(engine, "connect", _adapt)
    event.listen(engine, "checkin", _rested)
    event.listen(engine, "checkout", _still_there)
    return engine


def translated(error: SQLAlchemyError) -> FlagstoneError:
    """One of our errors, without the server's text: its DETAIL quotes the row's values."""
    original = error.orig if isinstance(error, DBAPIError) else None
    sqlstate = getattr(original, "sqlstate", None)
    if isinstance(error, IntegrityError):
        constraint = getattr(getattr(original, "diag", None), "constraint_name", None)
        return ConflictError(f"it contradicts what is stored ({constraint or 'constraint'})", place="store")
    if isinstance(error, DataError):
        return BadInputError("a value has a form that can't be stored", place="store")
    if sqlstate == _NO_PRIVILEGE:
        return ConfigurationError("the database role may not do this", place="store")
    if sqlstate in _OLD_SCHEMA:
        return ConfigurationError(
            "the database lacks tables", place="store", way_out="Run flagstone db upgrade"
        )
    return StoreUnavailableError("the database can't be used now", place="store", way_out="Try again later")


class Session:
    """One transaction on one connection, speaking our errors.

    A failed session can't commit: PostgreSQL answers COMMIT after an error by rolling back, without an error.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._failed = False

    def run(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Execute one statement."""
        try:
            return self._connection.execute(statement, parameters)
        except UnicodeError:
            # a lone surrogate; the error itself holds the text
            self.fail()
            raise BadInputError("a text that is not Unicode can't be stored", place="store") from None
        except SQLAlchemyError as error:
            self.fail()
            raise translated(error) from None

    @property
    def process_id(self) -> int:
        """PostgreSQL's, of this session."""
        driver = self._connection.connection.driver_connection
        process_id: int = driver.info.backend_pid  # type: ignore[union-attr]
        return process_id

    def fail(self) -> None:
        """Never commit this session."""
        self._failed = True

    def commit(self) -> None:
        """Make all of it durable.

        Raises:
            StoreUnavailableError: a step failed before, or the database did not confirm; in the second case
                it may be durable all the same.
        """
        if self._failed:
            raise StoreUnavailableError("a step of this unit of work failed before", place="store")
        try:
            self._connection.commit()
        except SQLAlchemyError as error:
            self.fail()
            self._connection.invalidate()  # in a state nobody knows: not for the next unit
            raise translated(error) from None
