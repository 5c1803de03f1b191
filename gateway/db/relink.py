"""Setting the log's tables aside for a new log; the old ones are moved whole and never altered."""

from typing import Final

from sqlalchemy import Connection, text

from gateway.db.earlier import aside
from gateway.db.log_tables import LOG_TABLES, log_index
from gateway.db.roles import Roles, grant
from gateway.db.tables import SCHEMA, metadata

_TRIGGERS: Final = text(
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger "
    "WHERE NOT tgisinternal AND tgrelid = ANY(CAST(:tables AS regclass[]))"
)


def set_log_aside(connection: Connection, number: int, roles: Roles = Roles()) -> None:  # noqa: B008 (frozen)
    """Move the log's tables to a schema of their own, and make empty ones with the same guards and grants.

    The index goes with its log, and must have caught up with it. Run by the owner, who commits it together
    with the new log's first entry.
    """
    names = [f"{SCHEMA}.{table.name}" for table in LOG_TABLES]
    guards = connection.execute(_TRIGGERS, {"tables": names}).scalars().all()
    connection.execute(text(f"CREATE SCHEMA {aside(number)}"))
    for name in (*names, f"{SCHEMA}.{log_index.name}"):
        connection.execute(text(f"ALTER TABLE {name} SET SCHEMA {aside(number)}"))
    metadata.create_all(connection, tables=[*LOG_TABLES, log_index], checkfirst=False)
    for guard in guards:
        connection.execute(text(guard))
    grant(connection, roles)
