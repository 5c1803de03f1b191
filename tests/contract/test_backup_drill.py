"""The drill of docs/backup.md: keys and database backed up apart, all lost, and restored elsewhere."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from jobworld import LIST, Job, a_job
from sqlalchemy.engine import make_url

from adapters.keys.files import FileExchangeKeys, party_ring
from adapters.keys.logkey import FileSuccessions, load_signer
from adapters.keys.rotating import RotatingKeys
from adapters.keys.search import FileSearchKey, FileSearchSeal
from adapters.keys.settings import read_key_settings
from adapters.keys.upkeep import Home
from audit.trust import Trust, write_trust
from gateway.cli.main import run
from gateway.db.binaries import programs
from gateway.db.engine import make_engine
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade
from gateway.domain.errors import ConfigurationError, NotFoundError
from gateway.domain.exchange import ExchangeId, Status
from gateway.key_ports import Use
from gateway.service import answers, keyrotation, logs, results

pytestmark = pytest.mark.postgres

KEPT = ("keys", "log-key", "search-key", "keyring")
"""What is backed up and kept; `exchange-keys` is backed up apart, for few days."""


@dataclass
class Council:
    """A gateway's home and its database."""

    home: Path
    url: str

    def job(self, made: Job | None = None) -> Job:
        """With every key where the home has it; `made`: go on with what the database of this job holds."""
        places = read_key_settings().places(self.home)
        ring = party_ring(self.home / "keys", places)
        signer = load_signer(self.home / "log-key", places)
        self.engine = make_engine(self.url)
        parts = {
            "store": PostgresStore(self.engine, signer),
            "keys": RotatingKeys(self.home / "keys", places),
            "exchange_keys": FileExchangeKeys(self.home / "exchange-keys", ring),
            "search_seal": FileSearchSeal.load(self.home / "search-key", places),
        }
        if made is None:
            job = a_job(**parts)
        else:
            job = Job(replace(made.context, **parts), parts["store"], *_rest(made))
        job.context = replace(job.context, log_successions=FileSuccessions(self.home / "log-key"))
        return job

    def close(self) -> None:
        self.engine.dispose()


def _rest(job: Job) -> tuple:
    return job.clock, job.transport, job.partner, job.analyst, job.reviewer, job.document, job.numbers


def released(job: Job, surname: str = "Example") -> ExchangeId:
    """`surname`: whose; the same people are not asked about twice within the policy's interval."""
    exchange = job.submit(LIST.replace("Example", surname)).exchange
    job.drive(exchange)
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    assert job.drive(exchange) == Status.RELEASED
    return exchange


def pack(home: Path, names: tuple[str, ...], archive: Path) -> None:
    subprocess.run(["tar", "-cf", archive, "-C", home, *names], check=True)


def unpack(archive: Path, home: Path) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["tar", "-xpf", archive, "-C", home], check=True)
    for path in home.iterdir():
        path.chmod(0o700)


def postgres_tool(name: str, url: str, *arguments: str) -> None:
    parts = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run(
        [programs().folder / name, *arguments, "--dbname", parts],
        check=True,
        timeout=120,
        capture_output=True,
    )


@pytest.fixture
def phrase(tmp_path, monkeypatch):
    file = tmp_path / "phrase"
    file.touch(mode=0o600)
    file.write_text("correct horse battery staple\n")
    monkeypatch.setenv("FLAGSTONE_KEYRING_PASSPHRASE_FILE", str(file))
    return file


@pytest.fixture
def home(tmp_path, phrase, monkeypatch):
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path / "home"))
    assert run(["keys", "new", "--slug", "council", "--name", "Council"]) == 0
    assert run(["keys", "seal"]) == 0
    return tmp_path / "home"


def test_all_is_lost_and_restored_elsewhere(tmp_path, home, postgres, empty_database, phrase, monkeypatch):
    """After both are restored the log verifies against what was kept outside, an old result opens under keys
    of two generations, exchanges go on and the log grows on; and with the passphrase lost nothing opens.
    """
    council = Council(home, postgres.urls.migrate)
    job = council.job()
    exchange = released(job)
    keyrotation.rotate(job.context, Home(home, read_key_settings().places(home)).rings()["log"], "log")
    party_ring(home / "keys", read_key_settings().places(home)).create("sealing", Use.SEAL, job.clock())
    second = released(job, "Other")
    results_before = [results.read(job.context, job.analyst, each) for each in (exchange, second)]
    with job.store.begin() as uow:
        seen, size = uow.log.checkpoint(), uow.log.size()
    (tmp_path / "seen").write_bytes(seen)
    write_trust(tmp_path / "trust.json", Trust(job.store._signer.verifier))

    postgres_tool("pg_dump", council.url, "--format=custom", f"--file={tmp_path / 'flagstone.dump'}")
    pack(home, KEPT, tmp_path / "keys.tar")
    pack(home, ("exchange-keys",), tmp_path / "exchange-keys.tar")
    council.close()
    shutil.rmtree(home)

    restored = Council(tmp_path / "elsewhere", empty_database.migrate)
    postgres_tool("pg_restore", restored.url, "--no-owner", "--no-acl", str(tmp_path / "flagstone.dump"))
    upgrade(restored.url)
    unpack(tmp_path / "keys.tar", restored.home)
    unpack(tmp_path / "exchange-keys.tar", restored.home)
    again = restored.job(job)
    assert [results.read(again.context, again.analyst, each) for each in (exchange, second)] == results_before
    released(again, "Third")
    export = tmp_path / "log.export"
    export.write_bytes(b"".join(logs.export(again.context, again.reviewer)))
    given = ["--trust", tmp_path / "trust.json", "--seen", tmp_path / "seen"]
    said = subprocess.run(
        [sys.executable, "-m", "audit", "verify", export, *given],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"They extend the {size} entries seen before." in said.stdout
    places = read_key_settings().places(restored.home)
    assert FileSearchKey(restored.home / "search-key", places).opener()
    restored.close()
    phrase.write_text("forgotten, and nobody wrote it down\n")
    with pytest.raises(ConfigurationError, match="not the passphrase"):
        restored.job(job)


def test_without_the_exchange_keys_the_log_is_whole_and_no_result_opens(tmp_path, home, postgres, phrase):
    """The days that certificates state: once the backups of `exchange-keys/` are gone, a database backup with
    every other key gives no result away.
    """
    council = Council(home, postgres.urls.migrate)
    job = council.job()
    exchange = released(job)
    pack(home, KEPT, tmp_path / "keys.tar")
    council.close()
    restored = Council(tmp_path / "elsewhere", council.url)
    unpack(tmp_path / "keys.tar", restored.home)
    again = restored.job(job)
    with pytest.raises(NotFoundError):
        results.read(again.context, again.analyst, exchange)
    with again.store.begin() as uow:
        assert uow.log.size() > 0
    restored.close()
