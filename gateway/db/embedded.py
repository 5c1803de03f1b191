"""The embedded PostgreSQL: a server of our own, closed to everyone else on the machine.

Closed three times over: no network address, a socket in a folder that only its account (and root) may enter,
and passwords (SCRAM) for every role, the superuser included. `trust` is never set, not even while it is made.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import URL

from gateway.db.binaries import STATE, Programs, programs
from gateway.db.cluster import ADMIN, PLACE, Cluster
from gateway.db.locks import Users, exclusive
from gateway.db.roles import Roles, Urls
from gateway.domain.errors import ConfigurationError, StoreUnavailableError

DATABASE: Final = "flagstone"
_ROLES: Final = Roles()
_MAX_SOCKET_FOLDER: Final = 85  # sun_path holds 107 bytes (unix(7)), with the socket's and its lock's names


class EmbeddedPostgres:
    """One server for one folder, shared by all processes that start it; the last one out stops it.

    Passwords and locks lie in `folder`. An ordinary user's data lies there too; root's lies under
    `/var/lib/flagstone/`, since the server runs under an account that may have no way into `folder`.
    If every process is killed the server goes on, and the next `start` joins it.
    """

    def __init__(self, folder: Path, *, unsafe_settings: Mapping[str, str] | None = None) -> None:
        """`unsafe_settings` are added to postgresql.conf, `fsync` in tests for instance: data may be lost."""
        self._folder = folder.absolute()
        self._settings = dict(unsafe_settings or {})
        self._users = Users(self._folder / "users.lock")
        self._cluster: Cluster | None = None

    def start(self) -> Urls:
        """Join the running server, or make and start it. May be called again at any time, to revive it.

        Raises:
            ConfigurationError: the machine or the folder doesn't allow it; passwords are lost.
            StoreUnavailableError: the server does not come up.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(self._folder / "start.lock"):
            self._users.join()
            try:
                return self._start()
            except BaseException:
                if self._users.leave() and self._cluster:
                    self._cluster.halt()
                raise

    def stop(self) -> None:
        """Leave the server; stop it if nobody else uses it. Idempotent."""
        if self._users.joined:
            with exclusive(self._folder / "start.lock"):
                if self._users.leave():
                    self._home_cluster().halt()

    def destroy(self) -> None:
        """Leave the server, started here or not; if nobody else uses it, stop it and delete all it holds."""
        if not self._folder.exists():
            return
        with exclusive(self._folder / "start.lock"):
            self._users.join()
            if self._users.leave():
                self._delete()

    def __enter__(self) -> Urls:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def admin_url(self) -> str:
        """The superuser's URL of database `postgres`: for backups and tests, never for the product's work."""
        return self._url(self._home_cluster(), ADMIN, self._passwords()[ADMIN], "postgres")

    def _start(self) -> Urls:
        cluster = self._home_cluster()
        passwords = self._passwords()
        if not cluster.data.exists():
            cluster.initialise(passwords[ADMIN])
        cluster.bring_up()
        with _admin(self.admin_url()) as connection:
            _provision(connection, passwords)
        names = asdict(_ROLES)
        return Urls(**{key: self._url(cluster, role, passwords[role]) for key, role in names.items()})

    def _delete(self) -> None:
        cluster = self._home_cluster()
        cluster.halt()
        shutil.rmtree(cluster.socket, ignore_errors=True)
        shutil.rmtree(cluster.home)
        for name in ("passwords.json", "home"):
            (self._folder / name).unlink(missing_ok=True)
        self._cluster = None  # as root another start takes another home

    def _home_cluster(self) -> Cluster:
        if self._cluster is None:
            tools = programs()
            home = self._folder / "server" if tools.user is None else self._home_of_root()
            home.mkdir(mode=0o711, exist_ok=True)
            self._cluster = Cluster(tools, home, _socket_folder(home, tools), self._settings)
        return self._cluster

    def _home_of_root(self) -> Path:
        """A random name, remembered in the folder: a folder made anew at the same place gets new data."""
        memory = self._folder / "home"
        if not memory.exists():
            _write_durably(memory, secrets.token_hex(8))
        return STATE / memory.read_text()

    def _passwords(self) -> dict[str, str]:
        file = self._folder / "passwords.json"
        if not file.exists():
            if self._home_cluster().data.exists():
                raise ConfigurationError(
                    "passwords.json is gone while the data is there",
                    place=PLACE,
                    way_out="Put it back from a backup of the folder",
                )
            names = [ADMIN, *asdict(_ROLES).values()]
            _write_durably(file, json.dumps({name: secrets.token_urlsafe(32) for name in names}))
        return dict(json.loads(file.read_text()))

    @staticmethod
    def _url(cluster: Cluster, role: str, password: str, database: str = DATABASE) -> str:
        address = {"host": str(cluster.socket)}
        url = URL.create("postgresql+psycopg", role, password, database=database, query=address)
        return url.render_as_string(hide_password=False)


def _socket_folder(home: Path, tools: Programs) -> Path:
    """In `home` if the path is short enough for a socket, else under /tmp, unless somebody else made it."""
    inside = home / "run"
    if len(os.fsencode(inside)) <= _MAX_SOCKET_FOLDER:
        return inside
    outside = Path("/tmp") / f"flagstone-{hashlib.sha256(os.fsencode(home)).hexdigest()[:20]}"  # noqa: S108
    outside.mkdir(mode=0o700, exist_ok=True)
    status = outside.lstat()
    if outside.is_symlink() or status.st_uid not in (os.geteuid(), tools.user):
        raise ConfigurationError(
            "the socket's folder under /tmp belongs to somebody else",
            place=PLACE,
            way_out="Use a folder with a shorter path",
        )
    return outside


def _write_durably(path: Path, text: str) -> None:
    """All of the file or none of it, readable by its owner alone."""
    staging = path.with_suffix(".new")
    staging.unlink(missing_ok=True)
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _admin(url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=10)
    except psycopg.Error:
        raise StoreUnavailableError(
            "the superuser can't connect", place=PLACE, way_out="Does passwords.json belong to this data?"
        ) from None


def _provision(connection: psycopg.Connection[tuple[object, ...]], passwords: Mapping[str, str]) -> None:
    """Roles and database, whichever are missing; a start that was killed half-way is completed here."""
    existing = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    for name in asdict(_ROLES).values():
        if name not in existing:
            # hashed here: the password itself never reaches the server
            verifier = connection.pgconn.encrypt_password(
                passwords[name].encode(), name.encode(), b"scram-sha-256"
            )
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(verifier.decode())))
    if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchall():
        owner, database = sql.Identifier(_ROLES.migrate), sql.Identifier(DATABASE)
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
        # where DBOS looks whether its database exists
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE postgres TO {}").format(owner))
