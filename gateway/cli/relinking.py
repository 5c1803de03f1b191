"""A new log in the place of one whose database was set back to before a cosigned checkpoint (DESIGN.md §6).

Whatever was cosigned and is lost stays lost; the new log says so in its first entry, and partners' agents
follow it only when their custodians say yes. Killed at any point, the command is run again and goes on.
"""

import re
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters.cosigned import FileCosignedMemory
from adapters.keys.files import create_signer, load_signer
from audit.checkpoint import NoteSigner, NoteVerifier, open_checkpoint
from audit.entry import Entry, Json
from audit.errors import NoteError
from gateway.bootstrap import council_identity, database_urls, now, only_one
from gateway.db.engine import Session, make_engine
from gateway.db.logstore import Memory
from gateway.db.relink import set_log_aside
from gateway.db.uow import PostgresStore, PostgresUnitOfWork
from gateway.db.upgrade import upgrade
from gateway.domain.errors import ConflictError, VerificationError
from gateway.service.witnessing import RELINKED, check_holds
from gateway.settings import Settings

_NUMBERED: Final = re.compile(r"(.*)/([1-9][0-9]{0,3})")


class Cause(StrEnum):
    """Why a new log is needed: a code, since nothing that a log holds can be taken back."""

    RESTORED_BACKUP = "restored-backup"
    LAGGING_REPLICA = "lagging-replica"
    DAMAGED_STORAGE = "damaged-storage"
    OTHER = "other"


def open_linked_log(settings: Settings, cause: Cause) -> NoteVerifier:
    """Open a new log, with a key and name of its own, that names what witnesses cosigned of the old.

    Raises:
        ConflictError: the gateway runs; or the log holds all that was cosigned, so that none is needed.
    """
    home = settings.home
    with only_one(home), database_urls(settings) as urls:
        upgrade(urls.migrate)
        if not _is_done(home, urls.migrate):
            _open_new(home, urls.migrate, cause)
        _switch(home)
    return load_signer(home / "log-key").verifier


def _is_done(home: Path, url: str) -> bool:
    """Whether the database has turned to the new log already, and only the files have not."""
    if not (home / "log-key.new").exists():
        return False
    signer = load_signer(home / "log-key.new")
    try:
        return open_checkpoint(_newest(url, signer), signer.verifier).size > 0
    except NoteError:
        return False


def _open_new(home: Path, url: str, cause: Cause) -> None:
    old = load_signer(home / "log-key")
    follows = _lost(url, old, FileCosignedMemory(home / "cosigned").all())
    name, number = _next(old.name)
    if not (home / "log-key.new").exists():
        create_signer(home / "log-key.new", name)
    new = load_signer(home / "log-key.new")
    body: dict[str, Json] = {
        "actor": {
            "id": "shell",
            "role": "operator",
            "organisation": council_identity(home).slug,
        },
        "reason": cause.value,
        "follows": follows,
        "previous_log": old.verifier.vkey,
        "left": _newest(url, old).decode(),
    }
    first = Entry(UUID(bytes=secrets.token_bytes(16), version=4), RELINKED, now(), body)
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            set_log_aside(connection, number)
            uow = PostgresUnitOfWork(Session(connection), new, Memory())
            uow.log.append([first])
            uow.commit()  # commit point: the old tables are aside, and the new log has its first entry
    finally:
        engine.dispose()


def _lost(url: str, old: NoteSigner, notes: dict[str, bytes]) -> list[str]:
    """What witnesses cosigned of the log, which must hold less."""
    engine = make_engine(url)
    try:
        with PostgresStore(engine, old).begin() as uow:
            for note in notes.values():
                check_holds(uow.log, open_checkpoint(note, old.verifier))
    except (NoteError, VerificationError):
        return [note.decode() for note in notes.values()]
    finally:
        engine.dispose()
    raise ConflictError(
        "the log holds all that witnesses have cosigned: it goes on as it is", place="log relink"
    )


def _newest(url: str, signer: NoteSigner) -> bytes:
    engine = make_engine(url)
    try:
        with PostgresStore(engine, signer).begin() as uow:
            return uow.log.checkpoint()
    finally:
        engine.dispose()


def _switch(home: Path) -> None:
    """Keep the old key and the old cosigned notes under the old log's number; the new key takes its place."""
    number = _next(load_signer(home / "log-key.new").name)[1] - 1
    for name in ("cosigned", "log-key"):
        if (home / name).exists() and not (home / f"{name}.{number}").exists():
            (home / name).rename(home / f"{name}.{number}")
    (home / "log-key.new").rename(home / "log-key")


def _next(name: str) -> tuple[str, int]:
    """The name of the log after this one, and this one's number."""
    numbered = _NUMBERED.fullmatch(name)
    base, number = (numbered[1], int(numbered[2])) if numbered else (name, 1)
    return f"{base}/{number + 1}", number
