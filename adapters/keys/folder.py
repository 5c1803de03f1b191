"""A folder of small secret files, each written whole or not at all, readable by its owner alone."""

import contextlib
import fcntl
import hmac
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o077
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")
_MAX_FILE: Final = 64 * 1024
# a link is not followed, and a pipe in a key's place must not make us wait
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class SecretFolder:
    """Named secrets in one folder. Trusted: whoever reads the folder holds the secrets.

    Deleting unlinks; that a storage device forgets is the operator's duty (encrypted disk, no backup of this
    folder beyond its keys' life).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self) -> None:
        """Make the folder, 0700, unless it is there."""
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.check()

    def exists(self) -> bool:
        return self._folder.exists()

    def check(self) -> None:
        """Refuse a folder that others could read or that is not ours.

        Raises:
            ConfigurationError: it is missing, a link, another's, or open to group or others.
        """
        try:
            status = self._folder.lstat()
        except FileNotFoundError:
            raise _unsafe("the key folder is missing", "Make the keys first") from None
        if not stat.S_ISDIR(status.st_mode):
            raise _unsafe("the key folder is not a folder", "Name a folder, not a file or a link")
        _check_owner(status, "key folder", "chmod 700")

    def put(self, secrets: Mapping[str, bytes]) -> None:
        """Write each secret under its name, durable on return. The same bytes again do nothing.

        Raises:
            ConflictError: other bytes stand under a name.
        """
        for name, secret in secrets.items():
            self._put_one(name, secret)
        self._sync()

    def _put_one(self, name: str, secret: bytes) -> None:
        final = self._path(name)
        # the temporary name starts with the final one, so that `destroy` finds what a crash left behind
        draft = self._folder / f".{name}~{os.getpid()}"
        draft.unlink(missing_ok=True)
        try:
            write_new(draft, secret)
            os.link(draft, final)  # commit point: fails, atomically, when the name is taken
        except FileExistsError:
            if not hmac.compare_digest(self.get(name), secret):
                raise ConflictError("another secret stands under this name", place="key folder") from None
        finally:
            draft.unlink(missing_ok=True)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Each secret by name; one that is destroyed meanwhile is left out."""
        for name in self.names():
            with contextlib.suppress(NotFoundError):
                yield name, self.get(name)

    def replace(self, name: str, secret: bytes) -> None:
        """Put a secret into the place of another, in one step: a crash leaves the one or the other.

        The moment it was put stays. Nobody may destroy the secret meanwhile: it would be back.
        """
        final = self._path(name)
        draft = self._folder / f".{name}~{os.getpid()}"
        draft.unlink(missing_ok=True)
        write_new(draft, secret)
        with contextlib.suppress(FileNotFoundError):
            status = final.stat()
            os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
        draft.rename(final)  # commit point
        self._sync()

    def get(self, name: str) -> bytes:
        """Read a secret.

        Raises:
            NotFoundError: there is none.
            ConfigurationError: others could read it, or it is not a plain file of ours.
        """
        self.check()
        try:
            return read_own_file(self._path(name), "key file")
        except FileNotFoundError:
            raise NotFoundError("there is no such key", place="key folder") from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes that ask for the same out while the block lasts."""
        with _opened_folder(self._folder) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def made(self, name: str) -> datetime:
        """When a secret was put, by the file system's clock."""
        return datetime.fromtimestamp(self._path(name).stat().st_mtime, UTC)

    def destroy(self, name: str) -> None:
        """Remove a secret and any draft of it that a crash left. Idempotent."""
        self._path(name).unlink(missing_ok=True)
        for draft in self._folder.glob(f".{name}~*"):
            draft.unlink(missing_ok=True)
        self._sync()

    def older_than(self, moment: datetime) -> list[str]:
        """Names of the secrets that were put before `moment`, by the file system's clock."""
        found = []
        for name in self.names():
            with contextlib.suppress(FileNotFoundError):  # another process destroys one meanwhile
                if self._path(name).stat().st_mtime < moment.timestamp():
                    found.append(name)
        return found

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigurationError("not a name for a key file", place="key folder")
        return self._folder / name

    def _sync(self) -> None:
        with _opened_folder(self._folder) as handle:
            os.fsync(handle)


def read_own_file(path: Path, what: str, *, by_system: bool = False) -> bytes:
    """A small file that is a plain one, ours, and closed to everybody else.

    `by_system`: the service manager may own it and let us in by an access list, which shows as a right of
    the group's.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError: it is a link or no plain file, another's, open to others, or too large.
    """
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError:
        raise _unsafe(f"the {what} can't be opened as a plain file", "Replace links by files") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _unsafe(f"the {what} is not a plain file", "Replace it by the file itself")
        if not by_system:
            _check_owner(status, what, "chmod 600")
        elif status.st_uid not in {0, os.geteuid()} or status.st_mode & stat.S_IRWXO:
            raise _unsafe(f"the {what} is not the service manager's alone", "Hand it over anew")
        if status.st_size > _MAX_FILE:
            raise _unsafe(f"the {what} is larger than {_MAX_FILE} bytes", "Name the right file")
        return os.read(handle, _MAX_FILE)
    finally:
        os.close(handle)


@contextmanager
def _opened_folder(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def write_new(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, durable on return. Raise FileExistsError where there is one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_owner(status: os.stat_result, what: str, remedy: str) -> None:
    if status.st_uid != os.geteuid():
        raise _unsafe(f"the {what} belongs to another user", "Run as its owner")
    if status.st_mode & _OTHERS:
        raise _unsafe(f"the {what} is open to other users", f"Use {remedy}, and replace keys others saw")


def _unsafe(reason: str, way_out: str) -> ConfigurationError:
    return ConfigurationError(reason, place="keys", way_out=way_out)
