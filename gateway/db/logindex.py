"""The index over the log's entries on PostgreSQL (`gateway.review_ports.LogIndex`)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.sql.elements import ColumnElement

from gateway.db.engine import Session
from gateway.db.log_tables import log_index
from gateway.db.rows import found
from gateway.db.tables import subject_tags
from gateway.domain.exchange import ExchangeId
from gateway.review_ports import IndexRow, Wanted

_SAME: Final = ("exchange", "dataset", "recipient", "purpose")
_AMONG: Final = {"user": "users", "law": "law", "refusal": "refusals"}

# one statement for any number of rows
_ADD: Final = text(
    "INSERT INTO flagstone.log_index SELECT * FROM "
    "jsonb_populate_recordset(NULL::flagstone.log_index, CAST(:rows AS jsonb)) ON CONFLICT DO NOTHING"
)


class PostgresLogIndex:
    """`gateway.review_ports.LogIndex`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def following(self) -> int:
        last = self._session.run(select(func.max(log_index.c.index))).scalar_one()
        return 0 if last is None else int(last) + 1

    def add(self, rows: Sequence[IndexRow]) -> None:
        values = [asdict(row) | {"at": row.at.isoformat()} for row in rows]
        self._session.run(_ADD, {"rows": json.dumps(values)})

    def find(self, wanted: Wanted, *, before: int | None, limit: int) -> list[int]:
        chosen = select(log_index.c.index).where(*_conditions(wanted))
        if before is not None:
            chosen = chosen.where(log_index.c.index < before)
        return list(self._session.run(chosen.order_by(log_index.c.index.desc()).limit(limit)).scalars())

    def count(self, wanted: Wanted) -> int:
        counted = select(func.count()).select_from(log_index).where(*_conditions(wanted))
        return int(self._session.run(counted).scalar_one())


class PostgresSubjectTags:
    """`gateway.review_ports.SubjectTags`, through a view: `review` sees nothing else of the vault."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def exchanges(self) -> list[ExchangeId]:
        return list(self._session.run(select(subject_tags.c.exchange)).scalars())

    def get(self, exchange: ExchangeId) -> bytes:
        chosen = select(subject_tags.c.sealed).where(subject_tags.c.exchange == exchange)
        return bytes(found(self._session.run(chosen).one_or_none(), "search tags").sealed)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.kind:
        yield log_index.c.kind.startswith(wanted.kind, autoescape=True)
    for name in _SAME:
        if value := getattr(wanted, name):
            yield log_index.c[name] == value
    for name, column in _AMONG.items():
        if value := getattr(wanted, name):
            yield log_index.c[column].contains([value])
    if wanted.since is not None:
        yield log_index.c.at >= wanted.since
    if wanted.until is not None:
        yield log_index.c.at < wanted.until
