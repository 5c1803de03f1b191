"""A folder of small durable files: what the agent must still find after it was killed."""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.domain.errors import BadInputError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class Tray:
    """Bytes by name, each there whole or not at all. Readable by its owner alone; trusted like the keys.

    One process at a time writes a name; others may read it at any moment.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._folder = folder

    def put(self, name: str, data: bytes) -> None:
        """Durable on return. Replaces what stood under the name."""
        path = self._path(name)
        draft = self._folder / f".{name}"  # the same for every try: a killed one leaves no second file
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)  # commit point
        self._sync()

    def get(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def drop(self, name: str) -> None:
        """Idempotent, and durable on return."""
        self._path(name).unlink(missing_ok=True)
        (self._folder / f".{name}").unlink(missing_ok=True)
        self._sync()

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the tray's lock, a file beside the folder: others who ask for it wait. `put` does not ask."""
        lock = self._folder.with_name(f"{self._folder.name}.lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, _FILE_MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)  # frees the lock, as a kill does

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadInputError("not a name for a file", place="agent folder")
        return self._folder / name

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
