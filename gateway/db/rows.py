"""What every repository does with rows."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Table, literal
from sqlalchemy.dialects.postgresql import insert

from gateway.db.engine import Session
from gateway.domain.errors import ConflictError, NotFoundError


def found(row: Row[Any] | None, place: str) -> Row[Any]:
    """The row, or NotFoundError."""
    if row is None:
        raise NotFoundError("there is none", place=place)
    return row


def add(session: Session, table: Table, values: Mapping[str, Any], *, place: str, taken: str) -> None:
    """Insert one row, or ConflictError with `taken` as its reason; the unit of work stays usable."""
    if not add_unless_there(session, table, values):
        raise ConflictError(taken, place=place)


def add_unless_there(session: Session, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert one row; False if a unique key of it is taken. Waits for a concurrent twin to end."""
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(literal(1))
    return session.run(statement).one_or_none() is not None
