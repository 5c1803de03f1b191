"""Run by Alembic inside `gateway.db.upgrade`, which hands over a connection; there is no offline mode."""

from alembic import context

from gateway.db.tables import SCHEMA, metadata


def _run() -> None:
    connection = context.config.attributes["connection"]
    # building an index on a large table takes its time; waiting for a lock stays bounded
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
        version_table_schema=SCHEMA,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
