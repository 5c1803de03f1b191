"""Setting the log's tables aside for a new log; the old ones are moved whole and never altered."""

from typing import Final

from sqlalchemy import Connection, text

from gateway.db.roles import Roles, grant
from gateway.db.tables import LOG_TABLES, SCHEMA, log_index, metadata

_TRIGGERS: Final = text(
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger "
    "WHERE NOT tgisinternal AND tgrelid = ANY(CAST(:tables AS regclass[]))"
)


def aside(number: int) -> str:
    """The schema in which the `number`th log is kept, out of reach of every application role."""
    return f"{SCHEMA}_log_{number}"


def set_log_aside(connection: Connection, number: int, roles: Roles = Roles()) -> None:  # noqa: B008 (frozen)
    """Move the log's tables to a schema of their own, and make empty ones with the same guards and grants.

    Run by the owner, who commits it together with the new log's first entry.
    """
    names = [f"{SCHEMA}.{table.name}" for table in LOG_TABLES]
    guards = connection.execute(_TRIGGERS, {"tables": names}).scalars().all()
    connection.execute(text(f"CREATE SCHEMA {aside(number)}"))
    for name in names:
        connection.execute(text(f"ALTER TABLE {name} SET SCHEMA {aside(number)}"))
    connection.execute(log_index.delete())  # of the old log; the next search fills it from the new one
    metadata.create_all(connection, tables=list(LOG_TABLES), checkfirst=False)
    for guard in guards:
        connection.execute(text(guard))
    grant(connection, roles)
