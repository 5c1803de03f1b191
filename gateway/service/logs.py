"""The disclosure log, as a reviewer reads it. Only a reviewer does, and an export is itself recorded."""

import tempfile
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from audit.checkpoint import unsafe_read_checkpoint
from audit.entry import Entry, Json
from audit.export import write_export
from gateway.domain.errors import BadInputError
from gateway.domain.exchange import Role
from gateway.party_ports import User
from gateway.ports import DisclosureLog, UnitOfWork
from gateway.review_ports import EarlierLog
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.cosigned import newest_note
from gateway.service.recording import actor_of, record

MAX_PAGE = 1000
READ = "log.read"
_CHUNK = 1 << 16


class ExportFormat(StrEnum):
    """What an export is turned into. The bytes that leave the gateway are the signed log each time."""

    SIGNED = "signed"
    CSV = "csv"
    PARQUET = "parquet"
    ECS = "ecs"
    FHIR = "fhir"


def entries(ctx: Context, user: User, start: int, limit: int) -> list[dict[str, Any]]:
    """Entries from index `start` on, at most `limit`. That they were read is recorded.

    Raises:
        BadInputError: a negative start, or a limit outside 1 to 1000.
    """
    require_role(user, Role.REVIEWER)
    if start < 0 or not 1 <= limit <= MAX_PAGE:
        raise BadInputError(f"start must be 0 or more, limit 1 to {MAX_PAGE}", place="log")
    with ctx.store.begin() as uow:
        stop = min(start + limit, uow.log.size())
        found = [Entry.parse(leaf) for leaf in uow.log.leaves(start, stop)] if start < stop else []
        # a page of the reader's own reading alone is not recorded: whoever reads on would never reach the end
        if not all(entry.kind == READ and entry.body["actor"] == actor_of(ctx, user) for entry in found):
            record_reading(ctx, uow, user, {"from_entry": start})
            uow.commit()
    return [shown(start + i, entry) for i, entry in enumerate(found)]


def proof(ctx: Context, user: User, index: int) -> dict[str, Any]:
    """An inclusion proof (RFC 9162 §2.1.3) of one entry in the newest tree, with its checkpoint.

    Raises:
        BadInputError: there is no such entry.
    """
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        # the log may grow from one reading to the next: everything is said of this one checkpoint
        note = uow.log.checkpoint()
        size = unsafe_read_checkpoint(note).size
        if not 0 <= index < size:
            raise BadInputError("there is no such entry", place="log proof")
        return {
            "index": index,
            "size": size,
            "leaf": next(iter(uow.log.leaves(index, index + 1))).decode(),
            "proof": [node.hex() for node in uow.log.inclusion(index, size)],
            "checkpoint": note.decode(),
        }


def export(
    ctx: Context, user: User, wanted: ExportFormat = ExportFormat.SIGNED, cosigned: int = 0
) -> Iterator[bytes]:
    """The whole log in one file that `python -m audit verify` checks offline.

    The export is recorded first, and so contains its own entry. `wanted` is what the caller makes of it.
    `cosigned`: up to the newest checkpoint that so many witnesses cosigned, which came before.

    Raises:
        NotFoundError: so many witnesses have not cosigned any one checkpoint.
    """
    require_role(user, Role.REVIEWER)
    body: dict[str, Json] = {"whole": True, "format": wanted.value}
    with ctx.store.begin() as uow:
        record(ctx, uow, "log.exported", actor=actor_of(ctx, user), body=body, at=ctx.clock())
        uow.commit()
    return _export(ctx, cosigned)


def _export(ctx: Context, cosigned: int) -> Iterator[bytes]:
    # a log leaf holds no personal data, so an export may pass through a file
    with tempfile.TemporaryFile() as out:
        with ctx.store.begin() as uow:
            write_export(uow.log, out, newest_note(uow, cosigned))
        out.seek(0)
        while chunk := out.read(_CHUNK):
            yield chunk


def logged(uow: UnitOfWork) -> Iterator[Entry]:
    """Every entry, from the first of the council's first log."""
    logs: list[EarlierLog | DisclosureLog] = [*reversed(uow.earlier_logs()), uow.log]
    for log in logs:
        yield from map(Entry.parse, log.leaves(0, log.size()))


def record_reading(ctx: Context, uow: UnitOfWork, user: User, body: Mapping[str, Json]) -> None:
    """Say in the log that somebody read it, and how; never what was typed, which could be anything."""
    record(ctx, uow, READ, actor=actor_of(ctx, user), body=body, at=ctx.clock())


def shown(index: int, entry: Entry) -> dict[str, Any]:
    """One entry as it is handed out."""
    return {
        "index": index,
        "id": str(entry.id),
        "kind": entry.kind,
        "at": entry.at.isoformat(),
        "body": dict(entry.body),
    }
