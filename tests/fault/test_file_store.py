"""The file store, killed or failing at every step: what was acknowledged stays, nothing is half written."""

import errno
import itertools
import random
from pathlib import Path

import pytest
from audit_samples import entry, signer
from faulty_disk import BATCH, FIRST, CrashError, FaultyDisk, append, check, new_log, steps

from audit.errors import StoreError
from audit.log import Log
from audit.store import FileStore

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
