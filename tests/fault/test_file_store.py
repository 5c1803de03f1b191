"""The file store, killed or failing at every step: what was acknowledged stays, nothing is half written."""

import errno
import io
import itertools
import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from audit_samples import entry, exported, signer, trust

from audit import store as store_module
from audit.disk import Disk
from audit.errors import StoreError
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


HOWS = ("before", "half", "after")


def test_killed_at_any_step(tmp_path):
    """Killed before, amid or after any operation: the log is as before or after the append, and goes on."""
    seen = set()
    for at, how in itertools.product(range(steps(tmp_path / "count")), HOWS):
        folder = tmp_path / f"{at}-{how}"
        new_log(folder)
        with pytest.raises(CrashError):
            append(folder, FaultyDisk(at, how))
        size = check(folder, {FIRST, FIRST + BATCH})
        seen.add(size)
        append(folder, FaultyDisk())
        check(folder, {size + BATCH})
    assert seen == {FIRST, FIRST + BATCH}


def test_power_cut_at_any_step(tmp_path):
    """If all that was not synced is lost too, with renames kept or lost, the same holds."""
    count = steps(tmp_path / "count")
    for at, how, names_kept in itertools.product(range(count), HOWS, (True, False)):
        folder, disk = tmp_path / f"{at}-{how}-{names_kept}", FaultyDisk(at, how)
        new_log(folder)
        disk.synced_now(folder)
        with pytest.raises(CrashError):
            append(folder, disk)
        disk.cut_power(folder, names_kept=names_kept)
        size = check(folder, {FIRST, FIRST + BATCH})
        append(folder, FaultyDisk())
        check(folder, {size + BATCH})


def test_acknowledged_appends_outlive_a_power_cut(tmp_path):
    """What an append that returned has written is synced, names included."""
    folder, disk = tmp_path / "log", FaultyDisk()
    new_log(folder)
    disk.synced_now(folder)
    append(folder, disk)
    disk.cut_power(folder, names_kept=False)
    check(folder, {FIRST + BATCH})


def _killed_twice(tmp_path: Path, cases) -> None:
    for number, (at, how, at2, how2) in enumerate(cases):
        folder = tmp_path / str(number)
        new_log(folder)
        with pytest.raises(CrashError):
            append(folder, FaultyDisk(at, how))
        with pytest.raises(CrashError):
            append(folder, FaultyDisk(at2, how2))
        size = check(folder, {FIRST, FIRST + BATCH, FIRST + 2 * BATCH})
        append(folder, FaultyDisk())
        check(folder, {size + BATCH})


def _double_cases(tmp_path: Path):
    count = range(steps(tmp_path / "count"))
    return list(itertools.product(count, HOWS, count, HOWS))


def test_killed_again_while_recovering(tmp_path):
    """A writer killed while it overwrites what a killed one left loses nothing either (a seeded part)."""
    rng = random.Random(3)  # noqa: S311 - seeded
    _killed_twice(tmp_path, rng.sample(_double_cases(tmp_path), 60))


@pytest.mark.long
def test_killed_again_at_every_step_of_recovering(tmp_path):
    """A writer killed while it overwrites what a killed one left loses nothing either (every pair)."""
    _killed_twice(tmp_path, _double_cases(tmp_path))


@pytest.mark.parametrize("how", HOWS)
def test_an_operation_that_fails(tmp_path, how):
    """A full or failing disk at any step is a StoreError without a path, and the same object then goes on."""
    for at in range(steps(tmp_path / "count")):
        folder = tmp_path / str(at)
        new_log(folder)
        disk = FaultyDisk(at, how, OSError(errno.ENOSPC, "No space left", str(folder)))
        with FileStore(folder, disk) as store:
            log = Log(store, signer())
            with pytest.raises(StoreError, match="No space left on device") as caught:
                log.append([entry(number) for number in range(FIRST, FIRST + BATCH)])
            assert str(tmp_path) not in str(caught.value)
            size = check(folder, {FIRST, FIRST + BATCH})
            log.append([entry(number) for number in range(size, size + BATCH)])
        check(folder, {size + BATCH})


def test_killed_while_creating(tmp_path):
    """A store killed while it is made can be made again."""
    probe = FaultyDisk()
    FileStore.create(tmp_path / "count", probe).close()
    for at, how in itertools.product(range(probe.done), ("before", "after")):
        folder = tmp_path / f"{at}-{how}"
        with pytest.raises(CrashError):
            FileStore.create(folder, FaultyDisk(at, how))
        if not (folder / "lock").exists():
            FileStore.create(folder).close()
        append(folder)
        check(folder, {BATCH})


CHILD = """
import os, signal, sys
from pathlib import Path
from audit_samples import entry, signer
from audit.disk import Disk
from audit.log import Log
from audit.store import FileStore

class KillingDisk(Disk):
    left = int(sys.argv[2])
    def step(self):
        KillingDisk.left -= 1
        if KillingDisk.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def write(self, file, data, offset):
        super().write(file, data[: len(data) // 2], offset)
        self.step()
        super().write(file, data, offset)
    def truncate(self, file, length):
        self.step()
        super().truncate(file, length)
    def sync(self, file):
        self.step()
        super().sync(file)
    def rename(self, old, new):
        self.step()
        super().rename(old, new)

log = Log(FileStore(Path(sys.argv[1]), KillingDisk()), signer())
while True:
    start = log.size()
    log.append([entry(number) for number in range(start, start + 3)])
    print(log.size(), flush=True)
"""


def _child(code: str, *args: str) -> subprocess.Popen[str]:
    paths = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )


@pytest.mark.parametrize("left", random.Random(11).sample(range(1, 60), 5))  # noqa: S311 - seeded
def test_a_process_killed_for_real(tmp_path, left):
    """A process that gets SIGKILL amid its writes leaves all it acknowledged, and a log that goes on."""
    folder = tmp_path / "log"
    FileStore.create(folder).close()
    child = _child(CHILD, str(folder), str(left))
    said, _ = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    acknowledged = int(said.split()[-1]) if said else 0
    size = check(folder, {acknowledged, acknowledged + BATCH})
    append(folder)
    check(folder, {size + BATCH})


WRITER = """
import sys
from pathlib import Path
from audit_samples import entry, signer
from audit.log import Log
from audit.store import FileStore

with FileStore(Path(sys.argv[1])) as store:
    for number in range(20):
        Log(store, signer()).append([entry(1000 * int(sys.argv[2]) + number)])
"""


def test_many_processes_write(tmp_path):
    """Processes that append at once lose none of their entries, and the log verifies."""
    folder = tmp_path / "log"
    FileStore.create(folder).close()
    children = [_child(WRITER, str(folder), str(number)) for number in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    for child in children:
        child.communicate()
    with FileStore(folder) as store:
        log = Log(store, signer())
        expected = {entry(1000 * child + number).leaf() for child in range(3) for number in range(20)}
        assert set(log.leaves(0, log.size())) == expected
        assert log.size() == len(expected)
        verify_export(io.BytesIO(exported(log)), trust())


def test_a_writer_waits_for_the_lock(tmp_path, monkeypatch):
    """While one writer holds the lock no other gets in; it is told so in the end, and served afterwards."""
    monkeypatch.setattr(store_module, "LOCK_SECONDS", 0.02)
    folder = tmp_path / "log"
    new_log(folder)
    with FileStore(folder) as holder:
        holder.lock()
        with pytest.raises(StoreError, match="another process"):
            append(folder)
    append(folder)
    check(folder, {FIRST + BATCH})


def test_an_empty_log_never_takes_a_lost_ones_place(tmp_path):
    """Opening makes nothing: where no log is, that is an error; and what exists is not made again."""
    with pytest.raises(StoreError, match="no log"):
        FileStore(tmp_path / "log")
    new_log(tmp_path / "log")
    with pytest.raises(StoreError, match="already"):
        FileStore.create(tmp_path / "log")
    (tmp_path / "log" / "nodes").unlink()
    with pytest.raises(StoreError, match="nodes"):
        FileStore(tmp_path / "log")


def test_only_the_owner_can_read(tmp_path):
    """The folder is 0700 and every file in it 0600, whatever the umask."""
    old = os.umask(0)
    try:
        new_log(tmp_path / "log")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "log").iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["leaves", "ends", "nodes", "checkpoint"])
def test_a_damaged_file_is_an_error(tmp_path, name):
    """A file that lost its end is an error on append, never filled up or signed over."""
    folder = tmp_path / "log"
    new_log(folder)
    before = (folder / name).read_bytes()[:-1]
    (folder / name).write_bytes(before)
    with pytest.raises(StoreError):
        append(folder)
    assert (folder / name).read_bytes() == before


def test_writes_that_do_not_fit_are_refused(tmp_path):
    """A write at another index, for another checkpoint or without its nodes changes nothing."""
    folder = tmp_path / "log"
    new_log(folder)
    with FileStore(folder) as store:
        note, leaf = store.checkpoint(), entry(FIRST).leaf()
        for args in (
            (FIRST - 1, [leaf], {}, note),
            (FIRST, [leaf], {}, note),
            (FIRST, [], {(0, 9): b""}, note),
        ):
            with pytest.raises(StoreError):
                store.write(*args)
        with pytest.raises(StoreError):
            store.nodes([(1, 2)])
        with pytest.raises(StoreError):
            list(store.leaves(0, FIRST + 1))
    check(folder, {FIRST})


def test_the_lock_ends_with_the_write(tmp_path, monkeypatch):
    """Two open stores append in turn: a write that is done, or that failed, keeps nobody out."""
    monkeypatch.setattr(store_module, "LOCK_SECONDS", 0.02)
    folder = tmp_path / "log"
    new_log(folder)
    failing = FaultyDisk(0, failure=OSError(errno.EIO, "failed"))
    with FileStore(folder, failing) as one, FileStore(folder) as two:
        with pytest.raises(StoreError):
            Log(one, signer()).append([entry(FIRST)])
        for number in range(FIRST, FIRST + 4):
            Log((one, two)[number % 2], signer()).append([entry(number)])
    check(folder, {FIRST + 4})


def test_nothing_of_a_killed_write_is_left(tmp_path):
    """After a killed append, the next one leaves files that hold the log and nothing else."""
    folder = tmp_path / "log"
    new_log(folder)
    with pytest.raises(CrashError):
        append(folder, FaultyDisk(steps(tmp_path / "count") - 3))
    with FileStore(folder) as store:
        Log(store, signer()).append([entry(FIRST)])
    leaves = [entry(number).leaf() + b"\n" for number in range(FIRST + 1)]
    assert (folder / "leaves").read_bytes() == b"".join(leaves)
    assert (folder / "ends").stat().st_size == 8 * (FIRST + 1)
    assert (folder / "nodes").stat().st_size == 32 * (2 * (FIRST + 1) - 2)
