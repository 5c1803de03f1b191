"""The embedded PostgreSQL: shared, closed to others, and up again after whatever happened to it."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from gateway.db import binaries
from gateway.db.binaries import programs
from gateway.db.embedded import EmbeddedPostgres, _socket_folder
from gateway.db.upgrade import upgrade
from gateway.domain.errors import ConfigurationError

pytestmark = pytest.mark.postgres

AS_ROOT = os.geteuid() == 0
ROOT = Path(__file__).parents[2]
USE_AND_WAIT = """
import sys
from pathlib import Path
from gateway.db.embedded import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
print(postgres.start().web, flush=True)
sys.stdin.readline()
postgres.destroy()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, whose server is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    yield folder
    shared(folder).destroy()
    shutil.rmtree(folder)


def shared(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, unsafe_settings={"fsync": "off"})


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def answers(url: str) -> bool:
    try:
        connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def process_of(postgres: EmbeddedPostgres) -> int:
    return int((postgres._home_cluster().data / "postmaster.pid").read_text().split()[0])


def use_in_a_process(folder: Path, python: str = sys.executable, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [python, "-c", USE_AND_WAIT, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )


def test_the_last_one_out_stops_the_server(folder):
    """Two users share one server; it runs until both have left, and then starts again with its data."""
    first, second = shared(folder), shared(folder)
    urls = first.start()
    assert repr(second.start()) == repr(urls)
    upgrade(urls.migrate)
    first.stop()
    first.stop()
    assert answers(urls.web)
    second.stop()
    assert not answers(urls.web)
    with first as again, connect(again.web) as connection:
        assert connection.execute("SELECT count(*) FROM flagstone.users").fetchone() == (0,)


def test_a_killed_user_keeps_nothing_running(folder):
    """A process that was killed no longer counts as a user: whoever leaves after it stops the server."""
    postgres = shared(folder)
    urls = postgres.start()
    with use_in_a_process(folder) as other:
        assert other.stdout.readline().strip() == urls.web
        other.kill()
    postgres.stop()
    assert not answers(urls.web)


def test_the_server_outlives_a_killed_sole_user(folder):
    """When every user was killed the next start joins the server that still runs."""
    with use_in_a_process(folder) as user:
        url = user.stdout.readline().strip()
        user.kill()
    assert answers(url)
    with shared(folder) as urls:
        assert urls.web == url
    assert not answers(url)


def test_a_killed_server_comes_back_with_what_was_committed(folder):
    """After SIGKILL of the server `start` revives it, and every committed row is there."""
    postgres = shared(folder)
    urls = postgres.start()
    with connect(urls.migrate) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(process_of(postgres), signal.SIGKILL)
    assert postgres.start().migrate == urls.migrate
    with connect(urls.migrate) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    postgres.stop()


def test_a_stale_pid_file_of_another_process_is_seen_through(folder):
    """A pid file left behind by a killed server does not stop the next, whoever has the number now."""
    postgres = shared(folder)
    postgres.start()
    left_behind = (postgres._home_cluster().data / "postmaster.pid").read_text()
    pid = process_of(postgres)
    postgres.stop()
    stale = postgres._home_cluster().data / "postmaster.pid"
    stale.write_text(left_behind.replace(str(pid), str(os.getpid()), 1))
    with postgres as urls:
        assert answers(urls.web)


def test_concurrent_first_starts_make_one_server(folder):
    """Several users starting at once in a new folder get one server and the same passwords."""
    users = [shared(folder) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(EmbeddedPostgres.start, users))
    assert len({url.worker for url in urls}) == 1
    assert answers(urls[0].worker)
    for user in users:
        user.stop()
    assert not answers(urls[0].worker)


def test_an_interrupted_making_is_completed(folder):
    """A start that was killed while it made the cluster, or before it made the database, is made good."""
    postgres = shared(folder)
    (postgres._home_cluster().home / "data.new").mkdir()
    (postgres._home_cluster().home / "data.new" / "PG_VERSION").write_text("18")
    postgres.start()
    with connect(postgres.admin_url()) as admin:
        admin.execute("DROP DATABASE flagstone")
        admin.execute("REVOKE CONNECT ON DATABASE postgres FROM flagstone_migrate")
        admin.execute("DROP ROLE flagstone_migrate")
    postgres.stop()
    with postgres as urls:
        upgrade(urls.migrate)
        assert answers(urls.review)


def test_it_is_closed(folder):
    """No network address, no `trust`, private folders and files, and no entry without the right password."""
    parent_mode = stat.S_IMODE(folder.parent.stat().st_mode)
    postgres = shared(folder)
    urls = postgres.start()
    cluster = postgres._home_cluster()
    with connect(postgres.admin_url()) as admin:
        assert admin.execute("SHOW listen_addresses").fetchone() == ("",)
        rules = admin.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("local", "scram-sha-256")]
        assert admin.execute("SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM%'").rowcount == 5
    for private in (cluster.data, cluster.socket, cluster.home / "log"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "passwords.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.parent.stat().st_mode) == parent_mode
    for wrong in (
        urls.web.replace("flagstone_web", "postgres"),
        urls.web.replace("flagstone_web:", "flagstone_web:x"),
    ):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(wrong)
    postgres.stop()


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_another_user_of_the_machine_cannot_knock(folder):
    """An ordinary user of the machine can't even reach the socket of root's server."""
    with shared(folder):
        cluster = shared(folder)._home_cluster()
        assert cluster.answers()
        stranger = subprocess.run(
            [sys.executable, "-c", "import sys, socket; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"]
            if _can_run(sys.executable)
            else ["/usr/bin/test", "-e", cluster.socket / ".s.PGSQL.5432"],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            check=False,
        )
        assert stranger.returncode != 0


@pytest.mark.skipif(not AS_ROOT, reason="the other tests run as an ordinary user then")
def test_it_works_for_an_ordinary_user(tmp_path_factory):
    """An ordinary user's server runs under that user, with its data in the folder given."""
    python = next((each for each in (sys.executable, _system_python()) if each and _can_run(each)), None)
    if python is None or not _can_run("/usr/bin/test", "-r", str(ROOT / "gateway" / "ports.py")):
        pytest.skip("this checkout, or its Python, is closed to ordinary users")
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    shutil.chown(home, "nobody", "nogroup")
    with use_in_a_process(home / "data", python, user="nobody", group="nogroup", extra_groups=[]) as user:
        url = user.stdout.readline().strip()
        assert answers(url)
        server = home / "data" / "server"
        assert (server / "data").owner() == "nobody"
        assert stat.S_IMODE(server.parent.stat().st_mode) == 0o700
        user.communicate("\n", timeout=60)
    assert user.returncode == 0
    assert not server.exists()
    shutil.rmtree(home)


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user always reaches its own packages")
def test_unreachable_programs_are_copied(monkeypatch):
    """When root's folders keep the server's account out of the package, a copy of it runs as well."""
    before = set(binaries.STATE.glob("programs-*"))
    monkeypatch.setattr(binaries, "_runs", lambda _: False)
    copied = programs()
    assert copied.folder.is_relative_to(binaries.STATE)
    for program in ("initdb", "postgres", "pg_ctl", "pg_dump"):
        assert copied.run(program, "--version") == 0
    for copy in set(binaries.STATE.glob("programs-*")) - before:
        shutil.rmtree(copy)


def test_lost_passwords_are_not_replaced(folder):
    """Without its passwords existing data is left alone, and the error says what to put back."""
    postgres = shared(folder)
    postgres.start()
    postgres.stop()
    passwords = (folder / "passwords.json").rename(folder / "elsewhere")
    with pytest.raises(ConfigurationError, match="backup"):
        postgres.start()
    passwords.rename(folder / "passwords.json")
    with postgres as urls:
        assert answers(urls.web)


def test_a_long_path_gets_a_short_socket(tmp_path):
    """Where a socket's path would be too long it lies in a private folder under /tmp, never in another's."""
    home = tmp_path / ("long-" * 30)
    home.mkdir()
    folder = _socket_folder(home, programs())
    assert len(str(folder)) < len(str(home))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="somebody else"):
        _socket_folder(home, programs())
    folder.unlink()


def test_destroying_leaves_nothing(tmp_path):
    """After `destroy` neither data nor passwords are left, and a new start begins empty."""
    postgres = shared(tmp_path / "p")
    urls = postgres.start()
    home = postgres._home_cluster().home
    postgres.destroy()
    assert not home.exists()
    assert not (tmp_path / "p" / "passwords.json").exists()
    assert postgres.start().web != urls.web
    postgres.stop()
    shared(tmp_path / "p").destroy()
    assert not postgres._home_cluster().home.exists()
    shared(tmp_path / "never made").destroy()


def test_a_missing_wheel_is_named(monkeypatch):
    """Without the wheel the error says what to install, or which setting to use instead."""
    monkeypatch.setattr(binaries, "_WHEEL", "no-such-package-as-this")
    with pytest.raises(ConfigurationError, match="FLAGSTONE_DATABASE_URL"):
        programs()


def _system_python() -> str | None:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return shutil.which(name, path="/usr/bin:/usr/local/bin")


def _can_run(*command: str) -> bool:
    """Whether an ordinary user can."""
    command = command if len(command) > 1 else (*command, "--version")
    try:
        return not subprocess.run(
            command, user="nobody", group="nogroup", extra_groups=[], check=False, capture_output=True
        ).returncode
    except OSError:
        return False
