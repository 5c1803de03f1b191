"""Four processes append to one PostgreSQL while they, its backends and the whole server are killed.

What a process acknowledges it writes to a file itself, after its commit. The server's `fsync` is off: a kill
leaves to the kernel what was written, a power cut is another test's matter (`test_file_store.py` has one).
"""

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import appending_process
import psycopg
import pytest
from appending_process import AUTHORISED, NEVER, PERMITTED
from fakes import FakeStore, a_partner, an_agreement
from processes import UNSAFE_BUT_FAST, eventually

from audit.entry import Entry
from audit.export import export_chunks
from audit.trust import Trust
from audit.verify import verify_export
from gateway.db.embedded import EmbeddedPostgres
from gateway.db.engine import make_engine
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade
from gateway.domain.errors import FlagstoneError, StoreUnavailableError
from gateway.domain.exchange import Status

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

PROCESSES = 4
VICTIMS = ("a process", "all processes", "a backend", "the server", "the server, by order")
SHORT = ("a process", "a backend", "all processes", "the server", "a process")
SIGNER = FakeStore().signer


@dataclass
class Load:
    """The server and the processes; `nursery` forks them."""

    folder: Path
    server: EmbeddedPostgres
    nursery: subprocess.Popen
    alive: list = field(default_factory=list)
    seen: bytes = None

    def fill(self):
        """Start as many processes as are missing."""
        while len(self.alive) < PROCESSES:
            self.nursery.stdin.write("one\n")
            self.nursery.stdin.flush()
            self.alive.append(int(self.nursery.stdout.readline()))

    def kill(self, victim, rng):
        """SIGKILL, or for the server alone its immediate shutdown; then bring back what is gone."""
        if victim == "a process":
            os.kill(self.alive.pop(rng.randrange(PROCESSES)), signal.SIGKILL)
        elif victim == "all processes":
            while self.alive:
                os.kill(self.alive.pop(), signal.SIGKILL)
        elif victim == "a backend":
            self._kill_backend(rng)
        else:
            how = signal.SIGKILL if victim == "the server" else signal.SIGQUIT
            os.kill(self._postmaster(), how)
        eventually(self._revive)
        self.fill()

    def _revive(self):
        with contextlib.suppress(StoreUnavailableError):  # it went down while it was looked at
            return self.server.start()

    def _kill_backend(self, rng):
        url = self.server.admin_url().replace("+psycopg", "")
        question = "SELECT pid FROM pg_stat_activity WHERE usename = 'flagstone_migrate' ORDER BY pid"
        with contextlib.suppress(psycopg.OperationalError, ProcessLookupError):  # it went down just now
            with psycopg.connect(url) as admin:
                backends = [pid for (pid,) in admin.execute(question)]
            os.kill(rng.choice(backends), signal.SIGKILL)

    def _postmaster(self):
        data = self.server._home_cluster().data
        return int((data / "postmaster.pid").read_text().split()[0])

    def acknowledged(self):
        """(exchange, kind) of every whole line; the last one of a killed process may be cut."""
        lines = [
            line
            for file in (self.folder / "acks").iterdir()
            for line in file.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]
        return [tuple(line.split()) for line in lines]

    def stop(self):
        """Let every process end the step it takes."""
        self.nursery.stdin.close()
        self.nursery.wait(60)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in self.alive))

    def _read(self):
        """State first, then the log: what was disclosed by then has its entry by now."""
        engine = make_engine((self.folder / "url").read_text())
        try:
            with contextlib.suppress(FlagstoneError), PostgresStore(engine, SIGNER).begin() as unit:
                exchanges = unit.exchanges.all()
                export = b"".join(export_chunks(unit.log))
                leaves = [Entry.parse(line) for line in export.splitlines() if line.startswith(b"{")]
                return exchanges, export, leaves, unit.log.checkpoint()
        finally:
            engine.dispose()

    def check(self, *, ended=False):
        """All that the log promises, for what was acknowledged and disclosed by now. How many entries.

        `ended`: nobody writes any more, so that state and log must say the same.
        """
        acknowledged = self.acknowledged()
        exchanges, export, leaves, note = eventually(self._read)
        verify_export(io.BytesIO(export), Trust(SIGNER.verifier), self.seen)
        self.seen = note
        parts = Counter((e.body["exchange"], e.kind, e.body["part"]) for e in leaves)
        assert set(parts.values()) <= {1}
        whole = {(e.body["exchange"], e.kind) for e in leaves}
        assert len(leaves) == sum({(e.body["exchange"], e.kind): e.body["of"] for e in leaves}.values())
        assert set(acknowledged) <= whole
        assert len(set(acknowledged)) == len(acknowledged)
        assert NEVER not in {kind for _, kind in whole}
        taken = {(str(e.id), PERMITTED) for e in exchanges}
        taken |= {(str(e.id), AUTHORISED) for e in exchanges if e.status is Status.AUTHORISED}
        assert taken == whole if ended else taken <= whole
        return len(leaves)


@pytest.fixture
def load(tmp_path):
    tmp_path.chmod(0o700)
    server = EmbeddedPostgres(tmp_path / "postgres", unsafe_settings=UNSAFE_BUT_FAST)
    url = server.start().migrate
    (tmp_path / "url").write_text(url)
    (tmp_path / "acks").mkdir()
    command = [sys.executable, appending_process.__file__, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    nursery = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    made = Load(tmp_path, server, nursery)
    try:
        enrol(url)
        made.fill()
        yield made
    finally:
        made.stop()
        nursery.stdout.close()
        server.destroy()


def enrol(url):
    upgrade(url)
    engine = make_engine(url)
    with PostgresStore(engine, SIGNER).begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.commit()
    engine.dispose()


def more_acknowledged(load, count):
    """Wait until the processes have got that much further."""
    before = len(load.acknowledged())
    eventually(lambda: len(load.acknowledged()) >= before + count)


def test_four_processes_append_at_once(load):
    """Of four processes that append at the same time no entry is lost or doubled, and the log verifies."""
    more_acknowledged(load, 200)
    assert load.check() >= 200
    load.stop()
    load.check(ended=True)
    assert {int(file.name) for file in (load.folder / "acks").iterdir() if file.stat().st_size} == set(
        load.alive
    )


@pytest.mark.parametrize(
    ("victims", "between"),
    [
        pytest.param(SHORT, 1, id="5"),
        pytest.param(
            random.Random(5).choices(VICTIMS, [80, 5, 5, 5, 5], k=500),  # noqa: S311 - seeded
            25,
            id="500",
            marks=pytest.mark.long,
        ),
    ],
)
def test_killed_at_random_moments(load, victims, between):
    """Processes, backends or the server are killed under load, at random moments.

    Afterwards no acknowledged entry is missing and none stands twice, nothing of a unit that was rolled back
    is there, no disclosure lacks its entry, and the log verifies and extends the one seen before.
    """
    rng = random.Random()  # noqa: S311 - the moments are anybody's
    for number, victim in enumerate(victims, 1):
        time.sleep(rng.uniform(0, 0.2))
        load.kill(victim, rng)
        if number % between == 0:
            more_acknowledged(load, 10)
            load.check()
    load.stop()
    entries = load.check(ended=True)
    print(f"{len(victims)} kills, {entries} entries, {len(load.acknowledged())} acknowledged steps")  # noqa: T201
