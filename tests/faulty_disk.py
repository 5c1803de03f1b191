"""A file store on a disk that fails where a test says, and what its log must then hold."""

import io
import os
from pathlib import Path

from audit_samples import entry, exported, signer, trust

from audit.disk import Disk
from audit.log import Log
from audit.store import FileStore
from audit.verify import verify_export

FIRST, BATCH = 5, 3
"""A log of 5 entries gets 3 more: across a power of two, so that nodes on four levels are completed."""


class CrashError(BaseException):
    """The process is gone: no handler of the code under test may see this and go on."""


class FaultyDisk(Disk):
    """Counts operations; at number `at` does it not, half, or whole, then raises `failure`.

    Keeps what a power cut would leave: contents as of their last sync, names as of the folder's.
    """

    def __init__(self, at: int = -1, how: str = "before", failure: BaseException | None = None) -> None:
        self.at, self.how, self.failure = at, how, failure or CrashError()
        self.done = 0
        self.contents: dict[int, bytes] = {}
        self.names: dict[str, int] = {}

    def _step(self, operation, half=None) -> None:
        number, self.done = self.done, self.done + 1
        if number != self.at:
            operation()
            return
        if self.how == "after":
            operation()
        elif self.how == "half" and half:
            half()
        raise self.failure

    def write(self, file: int, data: bytes, offset: int) -> None:
        self._step(
            lambda: super(FaultyDisk, self).write(file, data, offset),
            lambda: os.pwrite(file, data[: len(data) // 2], offset),
        )

    def truncate(self, file: int, length: int) -> None:
        self._step(lambda: super(FaultyDisk, self).truncate(file, length))

    def sync(self, file: int) -> None:
        self._step(lambda: self._synced(file))

    def rename(self, old: Path, new: Path) -> None:
        self._step(lambda: super(FaultyDisk, self).rename(old, new))

    def sync_folder(self, folder: Path) -> None:
        self._step(lambda: self._folder_synced(folder))

    def _synced(self, file: int) -> None:
        status = os.fstat(file)
        self.contents[status.st_ino] = os.pread(file, status.st_size, 0)

    def _folder_synced(self, folder: Path) -> None:
        self.names = {path.name: path.stat().st_ino for path in folder.iterdir() if path.is_file()}

    def synced_now(self, folder: Path) -> None:
        """All that is there now outlives a power cut."""
        self._folder_synced(folder)
        self.contents = {path.stat().st_ino: path.read_bytes() for path in folder.iterdir()}

    def cut_power(self, folder: Path, *, names_kept: bool) -> None:
        """Leave what was synced; of names that changed since, either all or none made it to the disk."""
        if names_kept:
            self._folder_synced(folder)
        left = {name: self.contents.get(inode, b"") for name, inode in self.names.items()}
        for path in list(folder.iterdir()):
            path.unlink()
        for name, data in left.items():
            (folder / name).write_bytes(data)


def new_log(folder: Path) -> None:
    with FileStore.create(folder, FaultyDisk()) as store:
        Log(store, signer()).append([entry(number) for number in range(FIRST)])


def append(folder: Path, disk: Disk | None = None) -> None:
    """Append the next batch."""
    with FileStore(folder, disk) as store:
        log = Log(store, signer())
        start = log.size()
        log.append([entry(number) for number in range(start, start + BATCH)])


def check(folder: Path, sizes: set[int]) -> int:
    """The whole log is there, in order, and verifies offline; its size."""
    with FileStore(folder) as store:
        log = Log(store, signer())
        size = log.size()
        assert size in sizes
        assert list(log.leaves(0, size)) == [entry(number).leaf() for number in range(size)]
        verify_export(io.BytesIO(exported(log)), trust())
    return size


def steps(folder: Path) -> int:
    """How many operations one append takes."""
    disk = FaultyDisk()
    new_log(folder)
    append(folder, disk)
    return disk.done
