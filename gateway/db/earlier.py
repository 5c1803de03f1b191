"""Logs that a relink set aside, each in a schema of its own with its index: read, never appended to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, Executable, text

from gateway.db.engine import Session
from gateway.db.log_tables import log_index, log_leaves
from gateway.db.logindex import PostgresLogIndex
from gateway.db.logstore import PostgresLogStore
from gateway.db.tables import SCHEMA
from gateway.review_ports import Wanted

READERS: Final = {"web": (log_leaves.name,), "review": (log_leaves.name, log_index.name)}
"""Which tables of an earlier log a role reads: for the record of processing, and for a reviewer's search."""

_PREFIX: Final = f"{SCHEMA}_log_"
_SCHEMAS: Final = text("SELECT nspname FROM pg_namespace WHERE nspname LIKE :prefix || '%'")


def aside(number: int) -> str:
    """The schema in which the `number`th log is kept."""
    return f"{_PREFIX}{number}"


def set_aside(session: "Session | Connection") -> list[int]:
    """The numbers of the logs that were set aside, newest first."""
    run = session.run if isinstance(session, Session) else session.execute
    names = run(_SCHEMAS, {"prefix": _PREFIX.replace("_", "\\_")}).scalars()
    return sorted((int(name.removeprefix(_PREFIX)) for name in names), reverse=True)


class PostgresEarlierLog:
    """`gateway.review_ports.EarlierLog`."""

    def __init__(self, session: Session, number: int) -> None:
        within = _Within(session, aside(number))
        self.number = number
        self._store, self._index = PostgresLogStore(within), PostgresLogIndex(within)

    def size(self) -> int:
        return self._store.size()

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        return self._store.leaves(start, stop)

    def find(self, wanted: Wanted, *, before: int | None, limit: int) -> list[int]:
        return self._index.find(wanted, before=before, limit=limit)


class _Within(Session):
    """The same transaction, its statements speaking of the tables of another schema."""

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self._schemas = {SCHEMA: schema}

    def run(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        return self._session.run(statement.execution_options(schema_translate_map=self._schemas), parameters)

    def fail(self) -> None:
        self._session.fail()
