"""`flagstone keys rotate`, `sweep` and `seal`, and what is said of the keys there are."""

import contextlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from adapters.agent.main import only_one as only_agent
from adapters.agent.settings import FILE as AGENT_FILE
from adapters.keys.folder import write_new
from adapters.keys.lock import KeyringLock
from adapters.keys.settings import KEYRING, read_key_settings
from adapters.keys.upkeep import Home, due
from gateway.bootstrap import key_home, now, only_one, opened, sweep_keys
from gateway.cli.output import say
from gateway.domain.errors import BadInputError, ConfigurationError
from gateway.key_ports import KeyInfo
from gateway.service.keyrotation import rotate as rotated
from gateway.settings import read_settings

COLUMNS: Final = ("Key", "Use", "Age", "Next rotation", "State", "Lives in")


class Kind(StrEnum):
    """What rotates without a partner."""

    LOG = "log"
    SEALING = "sealing"
    SEARCH = "search"


class Source(StrEnum):
    """What opens a sealed keyring."""

    PASSPHRASE = "passphrase"  # noqa: S105 - a name, not one
    KEY_FILE = "key-file"


def rotate_log() -> None:
    """Sign the log with a new key, announced by the one in use."""
    _rotate(Kind.LOG)
    say("Auditors need a new trust file, which names both keys: flagstone keys list --trust FILE")


def rotate_sealing() -> None:
    """Seal small secrets with a new key."""
    _rotate(Kind.SEALING)


def rotate_search() -> None:
    """Seal the tags of new exchanges for a new key of the reviewer's search."""
    _rotate(Kind.SEARCH)


def _rotate(kind: Kind) -> None:
    settings = read_settings()
    ring = key_home(settings).rings().get(kind.value)
    if ring is None:
        raise ConfigurationError(f"there is no {kind.value} key", place="keys", way_out="Make it first")
    with opened(settings) as installation:
        made = rotated(installation.operator, ring, kind.value)
    say(f"Generation {made.ref.generation} of the {kind.value} key is in use. It lives in: {made.place}")


def sweep() -> None:
    """Finish rotations that were cut short, and destroy keys that nothing needs any more."""
    settings = read_settings()
    with opened(settings) as installation:
        gone = sweep_keys(settings, installation.operator)
    say(f"Keys destroyed: {', '.join(str(key.ref) for key in gone) or 'none'}")


def seal(
    by: Annotated[Source, typer.Option(help="What opens them")] = Source.PASSPHRASE,
    make_key_file: Annotated[
        Path | None, typer.Option(help="Make the 32 random bytes of the key file here, 0600, first")
    ] = None,
    agent: Annotated[
        Path | None, typer.Option(help="An agent's folder, in the place of the gateway's")
    ] = None,
) -> None:
    """Seal the key files of a home at rest, while nothing runs there. Run again, it seals what is raw."""
    folder = agent or read_settings().home
    settings = read_key_settings()
    with _alone(folder, agent=agent is not None):
        if make_key_file is not None:
            _write_key_file(make_key_file)
        if not (folder / KEYRING / "keyring.json").exists():
            KeyringLock.create(folder / KEYRING, by.value, settings.new_secret)
        done = Home(folder, settings.places(folder)).seal(now())
    say(f"Sealed: {done} files that were raw. Backups made before hold them raw: see docs/backup.md")


def rows(keys: Sequence[KeyInfo], at: datetime) -> list[tuple[str, ...]]:
    """A line for each key that is not destroyed."""
    days = read_key_settings().days
    return [
        (
            str(key.ref),
            key.use.value,
            f"{(at - key.created).days} days",
            _next(key, days, at),
            "retired" if key.retired else "in use",
            key.place,
        )
        for key in keys
        if not key.destroyed
    ]


def documents(keys: Sequence[KeyInfo]) -> list[dict[str, Any]]:
    """The same for machines, destroyed ones too."""
    days = read_key_settings().days
    return [
        {
            "kind": key.ref.kind,
            "generation": key.ref.generation,
            "use": key.use.value,
            "public": key.public.hex(),
            "created": key.created.isoformat(),
            "due": _text(due(key, days)),
            "retired": _text(key.retired),
            "destroyed": _text(key.destroyed),
            "place": key.place,
        }
        for key in keys
    ]


def warn_of_due(keys: Sequence[KeyInfo], at: datetime) -> None:
    """Say which keys in use are older than they should be. A former key that overlaps is not meant."""
    days = read_key_settings().days
    newest = {key.ref.kind: key for key in keys if not key.retired and not key.destroyed}
    for key in newest.values():
        moment = due(key, days)
        if moment is not None and moment <= at:
            say(f"The {key.ref.kind} key is due for rotation since {moment:%Y-%m-%d} (docs/keys.md)")


def _next(key: KeyInfo, days: dict[str, int], at: datetime) -> str:
    moment = due(key, days)
    if moment is None:
        return "-"
    return f"DUE since {moment:%Y-%m-%d}" if moment <= at else f"{moment:%Y-%m-%d}"


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _alone(folder: Path, *, agent: bool) -> contextlib.AbstractContextManager[Any]:
    """Refuse while a process runs there: a file that it destroys while it is being sealed would be back."""
    if (folder / AGENT_FILE).exists() is not agent or not (folder / "keys").is_dir():
        raise BadInputError("no keys of that kind in this folder", place="keys seal", way_out="See --agent")
    return only_agent(folder) if agent else only_one(folder)


def _write_key_file(path: Path) -> None:
    try:
        write_new(path, secrets.token_bytes(32))
    except FileExistsError:
        raise BadInputError("there is such a file", place="--make-key-file", way_out="Leave it out") from None
