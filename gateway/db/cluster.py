"""One database cluster on disk: made, started, stopped. Who uses it when is for `gateway.db.embedded`."""

import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg.pq import PGconn, Ping

from gateway.db.binaries import Programs
from gateway.domain.errors import ConfigurationError, StoreUnavailableError

ADMIN: Final = "postgres"
PLACE: Final = "embedded PostgreSQL"
_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.2
_FAILURES: Final = 15  # after a SIGKILL the old server's children take a moment to let go of its memory

_HBA: Final = "# only this socket, only with a password\nlocal all all scram-sha-256\n"
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # no statement, parameter or row value in the server's log, which is kept for a week
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "logging_collector": "on",
    "log_filename": "%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """`home`/data, `home`/log and `socket` are the server's; `home`/etc is ours alone to write."""

    programs: Programs
    home: Path
    socket: Path
    settings: dict[str, str]

    @property
    def data(self) -> Path:
        return self.home / "data"

    def initialise(self, password: str) -> None:
        """Make the cluster, with a password for its superuser. A half-made one is thrown away."""
        staging = self.home / "data.new"
        shutil.rmtree(staging, ignore_errors=True)
        for folder in (staging, self.home / "log"):
            self._own(folder)
        secret = self.home / "initdb.password"
        secret.touch(0o600)
        secret.write_text(password)
        self.programs.give(secret)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        if self.settings.get("fsync") == "off":
            options.append("--no-sync")
        try:
            code = self.programs.run(
                "initdb", "-D", staging, "-U", ADMIN, f"--pwfile={secret}", *options, seconds=300
            )
        finally:
            secret.unlink()
        if code != 0:
            raise ConfigurationError("initdb failed", place=PLACE, way_out="Is the disk full or read-only?")
        # from here on there is a cluster; before it, the next start makes it anew
        staging.rename(self.data)

    def bring_up(self) -> None:
        """Start the server unless it runs, and wait until it answers. Recovers after a crash by itself.

        Raises:
            StoreUnavailableError: it does not answer within a minute, or does not start.
        """
        deadline = time.monotonic() + _SECONDS
        failures = 0
        while not self.answers():
            if failures == _FAILURES or time.monotonic() > deadline:
                raise StoreUnavailableError(
                    "the server does not start", place=PLACE, way_out="Its log folder says why"
                )
            if self._process_lives() or not self._launch():
                failures += not self._process_lives()
                time.sleep(_POLL_SECONDS)

    def halt(self) -> None:
        """Stop the server; open transactions are rolled back."""
        if self._process_lives() and self._control("stop", "-m", "fast") != 0:
            self._control("stop", "-m", "immediate")

    def answers(self) -> bool:
        """Whether the server takes connections now."""
        address = f"host='{self.socket}' dbname=postgres connect_timeout=5"
        return PGconn.ping(address.encode()) == Ping.OK

    def _launch(self) -> bool:
        self._own(self.socket)
        self._configure()
        # left behind by a killed server; its number may be another process by now
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        options = shlex.join(["-c", f"config_file={self.home / 'etc' / 'postgresql.conf'}"])
        return self._control("start", "-o", options, "-l", self.home / "log" / "start.log") == 0

    def _configure(self) -> None:
        etc = self.home / "etc"
        etc.mkdir(mode=0o755, exist_ok=True)
        paths = {
            "data_directory": str(self.data),
            "hba_file": str(etc / "pg_hba.conf"),
            "log_directory": str(self.home / "log"),
            "unix_socket_directories": f'"{self.socket}"',
        }
        quoted = {
            name: value.replace("'", "''") for name, value in (_SETTINGS | paths | self.settings).items()
        }
        for name, text in (
            ("pg_hba.conf", _HBA),
            ("postgresql.conf", "".join(f"{name} = '{value}'\n" for name, value in quoted.items())),
        ):
            (etc / name).write_text(text)
            (etc / name).chmod(0o644)

    def _control(self, action: str, *options: str | Path) -> int:
        return self.programs.run(
            "pg_ctl", action, "-D", self.data, "-w", "-t", str(_SECONDS), *options, seconds=_SECONDS + 30
        )

    def _process_lives(self) -> bool:
        """Whether the process that the pid file names is this cluster's server, and not a later one."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False
        return str(self.data).encode() in command.split(b"\0")

    def _own(self, folder: Path) -> None:
        """A folder that only the server's account (and root) may enter."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink():
            raise ConfigurationError("a folder of the server is a symbolic link", place=PLACE)
        folder.chmod(0o700)
        self.programs.give(folder)
