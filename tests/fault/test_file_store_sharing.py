"""The file store under real kills, many processes, locks, and files that others damaged."""

import errno
import io
import os
import random
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from audit_samples import entry, exported, signer, trust
from faulty_disk import BATCH, FIRST, CrashError, FaultyDisk, append, check, new_log, steps

from audit import store as store_module
from audit.errors import StoreError
from audit.log import Log
from audit.store import FileStore
from audit.verify import verify_export

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
from dataclasses import replace
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
        holder.head()
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
        head, leaf = store.head(), entry(FIRST).leaf()
        assert store.write(replace(head, size=FIRST - 1), [leaf], {}, head.checkpoint) == head
        for args in ((head, [leaf], {}, head.checkpoint), (head, [], {(0, 9): b""}, head.checkpoint)):
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
