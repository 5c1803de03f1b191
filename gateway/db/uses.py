"""Counts of uses by bucket and window on PostgreSQL (`gateway.ports.Uses`)."""

from datetime import datetime

from sqlalchemy import Engine, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.engine import translated
from gateway.db.tables import uses


class PostgresUses:
    """`gateway.ports.Uses`: each call commits by itself, so that no row stays locked for a whole request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    def count(self, bucket: str, window: datetime) -> int:
        first = insert(uses).values(bucket=bucket, window=window, used=1)
        more = first.on_conflict_do_update(
            index_elements=["bucket", "window"], set_={"used": uses.c.used + 1}
        ).returning(uses.c.used)
        try:
            with self._engine.connect() as connection:
                return int(connection.execute(more).scalar_one())
        except SQLAlchemyError as error:
            raise translated(error) from None

    def forget(self, before: datetime) -> None:
        try:
            with self._engine.connect() as connection:
                connection.execute(delete(uses).where(uses.c.window < before))
        except SQLAlchemyError as error:
            raise translated(error) from None
