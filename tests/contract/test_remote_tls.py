"""A database elsewhere: Debian's PostgreSQL with TLS, reached over the network under a name of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fakes import FakeStore, a_partner
from sqlalchemy import text

from gateway.db.callers import CallerSeal
from gateway.db.engine import make_engine
from gateway.db.roles import Roles
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade
from gateway.domain.errors import ConfigurationError, StoreUnavailableError
from gateway.domain.principal import SIGNING_IN
from gateway.settings import read_settings

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

NAME = "db.flagstone.test"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
WHO = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
ROLES = Roles()


@dataclass(frozen=True)
class Remote:
    """The server's port, and the authority that its certificate is from."""

    folder: Path
    port: int

    def url(
        self, role: str, *, host: str = NAME, mode: str = "verify-full", ca: str = "ca.pem", db="flagstone"
    ):
        return (
            f"postgresql://{role}:secret@{host}:{self.port}/{db}"
            f"?hostaddr=127.0.0.1&sslmode={mode}&sslrootcert={self.folder / ca}"
        )


def certificate(folder: Path, name: str, *, by: str | None = None) -> None:
    """Write NAME.pem and NAME.key: an authority's own, or a server's, from the authority `by`."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key
    if by is not None:
        issuer = x509.load_pem_x509_certificate((folder / f"{by}.pem").read_bytes()).subject
        signer = serialization.load_pem_private_key((folder / f"{by}.key").read_bytes(), None)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@contextmanager
def running(folder: Path, port: int):
    """A cluster of an ordinary user, on loopback, with TLS for `NAME` and nothing else."""
    for name, by in (("ca", None), ("another-ca", None), (NAME, "ca")):
        certificate(folder, name, by=by)
    (folder / "password").write_text("secret")
    (folder / "hba").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    for each in (folder, *folder.iterdir()):
        each.chmod(0o700 if each.is_dir() else 0o600)
        if WHO:
            shutil.chown(each, WHO["user"], WHO["group"])

    def run(program: str, *argv: str) -> None:
        subprocess.run([PROGRAMS[-1] / program, *argv], check=True, capture_output=True, cwd="/", **WHO)

    data = str(folder / "data")
    run(
        "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        f"--pwfile={folder / 'password'}",
        "--auth=scram-sha-256",
        "-N",
        "--locale=C.UTF-8",
        "--encoding=UTF8",
    )
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "hba_file": folder / "hba",
        "ssl": "on",
        "ssl_cert_file": folder / f"{NAME}.pem",
        "ssl_key_file": folder / f"{NAME}.key",
        "fsync": "off",
    }
    told = " ".join(f"-c {name}='{value}'" for name, value in options.items())
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", told, "start")
    try:
        yield Remote(folder, port)
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def remote():
    if not PROGRAMS:
        pytest.skip("Debian's PostgreSQL is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="flagstone-tls-"))
    try:
        with running(folder, port) as server:
            prepare(server)
            yield server
    finally:
        shutil.rmtree(folder)


def prepare(server: Remote) -> None:
    """What docs/database.md has an administrator do; then the upgrade."""
    with psycopg.connect(server.url("postgres", db="postgres"), autocommit=True) as admin:
        for role in (ROLES.migrate, ROLES.web, ROLES.worker, ROLES.review):
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        admin.execute(f"CREATE DATABASE flagstone OWNER {ROLES.migrate} ENCODING 'UTF8' TEMPLATE template0")
    upgrade(server.url(ROLES.migrate))


def settings(server: Remote, home: Path, **how):
    urls = {
        f"database_url{suffix}": server.url(role, **how)
        for suffix, role in (
            ("", ROLES.web),
            ("_worker", ROLES.worker),
            ("_review", ROLES.review),
            ("_migrate", ROLES.migrate),
        )
    }
    return read_settings(home=home, **urls)


def units(url: str, owner: str) -> None:
    """One unit of work of the web role."""
    web, migrate = make_engine(url), make_engine(owner)
    try:
        store = PostgresStore(web, FakeStore().signer, CallerSeal(migrate))
        with store.acting_for(SIGNING_IN).begin() as unit:
            assert [each.identity.slug for each in unit.partners.all()] == ["health"]
            encrypted = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert unit._session.run(encrypted).scalar_one() is True
    finally:
        web.dispose()
        migrate.dispose()


def test_the_right_server_is_reached_in_cipher(remote, tmp_path):
    """Under the name of its certificate the database works, encrypted, and its rows are guarded."""
    told = settings(remote, tmp_path)
    engine = make_engine(told.database_url_migrate.get_secret_value())
    with PostgresStore(engine, FakeStore().signer).begin() as unit:
        unit.partners.add(a_partner())
        unit.commit()
    engine.dispose()
    units(told.database_url.get_secret_value(), told.database_url_migrate.get_secret_value())


@pytest.mark.parametrize("how", [{"host": "another.flagstone.test"}, {"ca": "another-ca.pem"}], ids=str)
def test_another_s_certificate_is_refused(remote, tmp_path, how):
    """A certificate for another name, or from another authority, ends it before a password is sent."""
    told = settings(remote, tmp_path, **how)
    engine = make_engine(told.database_url.get_secret_value())
    with (
        pytest.raises(StoreUnavailableError) as refusal,
        PostgresStore(engine, FakeStore().signer).begin(),
    ):
        pass
    assert "secret" not in str(refusal.value)
    with pytest.raises(psycopg.OperationalError, match="certificate"):
        psycopg.connect(remote.url(ROLES.web, **how))


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_anything_less_is_no_setting(remote, tmp_path, mode):
    """A URL of another machine that does not check the server's name is refused, the URL unsaid."""
    with pytest.raises(ConfigurationError, match="sslmode=verify-full") as refusal:
        settings(remote, tmp_path, mode=mode)
    assert NAME not in str(refusal.value)


def test_why_the_authority_alone_is_not_enough(remote):
    """`verify-ca` is content with a certificate for another name: any customer of the authority's has one."""
    with psycopg.connect(
        remote.url(ROLES.web, host="another.flagstone.test", mode="verify-ca")
    ) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_server_takes_nothing_in_the_clear(remote):
    """What docs/database.md asks of `pg_hba.conf` holds: without TLS the server does not talk."""
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(remote.url(ROLES.web, mode="disable"))
