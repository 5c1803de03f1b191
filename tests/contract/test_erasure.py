"""Erasure on a real PostgreSQL: what an old full backup, write-ahead log and all, still gives away.

A council asks about marked people, one exchange is released and one still waits for its answer. Then the
server is stopped and its data folder copied (a full backup with its write-ahead log), the key folder too.
Afterwards both clocks end, and the backup is restored and attacked with every key that is left.
"""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from contract.test_canary import LOOKED_FOR, MARKS
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fakes import NOON, FakeStore, FakeTransport
from jobworld import LIST, Job, a_job
from people import HOUSEHOLD_LIST
from psycopg import sql

from adapters.keys.files import FileExchangeKeys
from adapters.transports.mailbox import MailboxTransport
from audit.checkpoint import open_checkpoint
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.trust import Trust
from audit.verify import verify_export
from gateway.bundle.format import decrypt, split
from gateway.db.embedded import EmbeddedPostgres
from gateway.db.engine import make_engine
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade
from gateway.domain.errors import VerificationError
from gateway.domain.labels import ANSWER_AAD, REQUEST_AAD, SEALED_AAD
from gateway.linkage.secret import answer_key, request_key, submission_key
from gateway.service import answers, certificates, exchanges, logs
from gateway.service.erasure import destroy_due
from gateway.service.probes import forget

pytestmark = pytest.mark.postgres

BUNDLES = {"request": (request_key, REQUEST_AAD), "answer": (answer_key, ANSWER_AAD)}
MAX_BUNDLE = 1 << 30
KEY_BYTES = 32
OF_RESULTS = {"result", "slots", "withheld", "facts", "openings", "items"}
OF_ACCOUNT = {"accounting"}


class Posting(FakeTransport):
    """Puts what it sends into the mailbox too, as the gateway's own transport does."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__()
        self._mailbox = MailboxTransport(store)

    def send(self, partner, exchange, bundle) -> None:
        super().send(partner, exchange, bundle)
        self._mailbox.send(partner, exchange, bundle)


@dataclass
class Erased:
    """What was had before and after, for the tests to look at."""

    rows: dict = field(default_factory=dict)  # (table, exchange, kind) -> bytes, from the restored backup
    keys: dict = field(default_factory=dict)  # moment -> every key that was left at it
    places: dict = field(default_factory=dict)  # place -> bytes, to be searched for marks
    exports: list = field(default_factory=list)
    proofs: list = field(default_factory=list)  # (leaf, index, proof), as kept before
    consistency: list = field(default_factory=list)
    left: list = field(default_factory=list)  # rows of the live vault, mailbox and submissions at the end
    certificates: list = field(default_factory=list)

    def opened(self, moment: str) -> dict:
        """(exchange, kind) -> plaintext of every row of the backup that one of the keys opens."""
        found = {}
        for (_, exchange, kind), sealed in self.rows.items():
            for key in self.keys[moment]:
                if (plain := attempt(key, exchange, kind, sealed)) is not None:
                    found[exchange, kind] = plain
        return found

    def kinds(self, moment: str) -> set[str]:
        return {kind.split("/")[0] for _, kind in self.opened(moment)}


def attempt(key: bytes, exchange, kind: str, sealed: bytes) -> bytes | None:
    """The plaintext if `key` opens it, as a sealing key or as the secret from which a bundle's is derived."""
    if len(key) != KEY_BYTES:  # the search's own, sealed
        return None
    try:
        if kind in BUNDLES:
            derive, label = BUNDLES[kind]
            return decrypt(derive(key), split(sealed, MAX_BUNDLE)[1], label, exchange)
        associated = SEALED_AAD + exchange.bytes + b"/" + kind.encode()
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], associated)
    except (InvalidTag, VerificationError):
        return None


def every_key(job: Job, folder: Path) -> list[bytes]:
    """All that a thief of the whole machine has: each exchange key, the council's own, what those derive."""
    own = job.context.keys
    private = [own._signing, own._auth, own._exchange]
    shared = [own.agree(peer.exchange) for peer in (own.identity, job.partner.keys.identity)]
    return [
        *(path.read_bytes() for path in folder.iterdir()),
        *(key.private_bytes_raw() for key in private),
        *shared,
        *map(submission_key, shared),
    ]


def connect(postgres: EmbeddedPostgres) -> psycopg.Connection:
    url = postgres.admin_url().replace("+psycopg", "").replace("/postgres?", "/flagstone?")
    return psycopg.connect(url, autocommit=True)


def tables(postgres: EmbeddedPostgres) -> dict[str, bytes]:
    """Every table as text: what lies compressed in the files is spelled out here."""
    found = {}
    with connect(postgres) as admin:
        for name in admin.execute("SELECT schemaname, tablename FROM pg_tables").fetchall():
            statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*name))
            with admin.cursor().copy(statement) as rows:
                found[".".join(name)] = b"".join(bytes(row) for row in rows)
    return found


def sealed_rows(postgres: EmbeddedPostgres) -> dict:
    with connect(postgres) as admin:
        vault = admin.execute("SELECT 'vault', exchange, kind, sealed FROM flagstone.vault").fetchall()
        posted = admin.execute("SELECT 'mailbox', exchange, 'request', bundle FROM flagstone.mailbox")
        return {tuple(row[:3]): bytes(row[3]) for row in [*vault, *posted.fetchall()]}


@contextmanager
def a_folder() -> Iterator[Path]:
    """With a short path, for the server's socket."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        yield folder
    finally:
        EmbeddedPostgres(folder).destroy()
        shutil.rmtree(folder)


def back_up(postgres: EmbeddedPostgres, source: Path, target: Path) -> EmbeddedPostgres:
    """A copy of the stopped server's whole data folder, under a server of its own that is not started."""
    copy = EmbeddedPostgres(target)
    shutil.copy(source / "passwords.json", target)
    cluster = copy._home_cluster()
    cluster._own(cluster.home / "log")
    subprocess.run(["cp", "-a", postgres._home_cluster().data, cluster.data], check=True)
    return copy


def asked(job: Job) -> tuple:
    """One exchange about the marked people, released; one of other people that waits for its answer."""
    released, waiting = (job.submit(content).exchange for content in (HOUSEHOLD_LIST, LIST))
    for exchange in (released, waiting):
        job.drive(exchange)
    met = {0: ["health.adult_mental_health"]}
    answer = job.partner.answer(job, released, met)
    answers.receive_answer(job.context, job.registered, released, answer)
    assert job.drive(released) == "released"
    return released, waiting


def remember(job: Job, erased: Erased) -> None:
    erased.exports.append(b"".join(logs.export(job.context, job.reviewer)))
    with job.store.begin() as uow:
        size = uow.log.size()
        leaves = list(uow.log.leaves(0, size))
        erased.proofs.append((size, [(leaf, uow.log.inclusion(i, size)) for i, leaf in enumerate(leaves)]))
        erased.consistency.append(uow.log.consistency(erased.proofs[0][0], size))


def on_day(job: Job, worker: PostgresStore, days: int) -> None:
    """What the sweep does, with the worker's privileges."""
    job.clock.now = NOON + timedelta(days=days)
    context = replace(job.context, store=worker)
    forget(context, job.clock())
    destroy_due(context)


@pytest.fixture(scope="module")
def erased(tmp_path_factory) -> Iterator[Erased]:
    found, root = Erased(), tmp_path_factory.mktemp("erasure")
    keys = root / "exchange-keys"
    with a_folder() as folder, a_folder() as spare, ExitStack() as engines:
        postgres = EmbeddedPostgres(folder, unsafe_settings={"fsync": "off"})

        def store(url: str) -> PostgresStore:
            engine = make_engine(url)
            engines.callback(engine.dispose)
            return PostgresStore(engine, FakeStore().signer)

        urls = postgres.start()
        upgrade(urls.migrate)
        owner = store(urls.migrate)
        job = a_job(store=owner, exchange_keys=FileExchangeKeys(keys), transport=Posting(owner))
        released, waiting = asked(job)
        found.keys["before"] = every_key(job, keys)
        remember(job, found)
        engines.close()
        postgres.stop()
        backup = back_up(postgres, folder, spare)
        for path in backup._home_cluster().data.rglob("*"):
            if path.is_file():
                found.places[f"backup {path}"] = path.read_bytes().rstrip(b"\0")

        urls = postgres.start()
        job.store = store(urls.migrate)
        job.context = replace(job.context, store=job.store)
        exchanges.cancel(job.context, job.analyst, waiting)
        on_day(job, store(urls.worker), 90)
        found.keys["results destroyed"] = every_key(job, keys)
        on_day(job, store(urls.worker), 2192)
        found.keys["account destroyed"] = every_key(job, keys)
        remember(job, found)
        found.left = [row for row in sealed_rows(postgres) if row]
        found.certificates = certificates.of_exchange(job.context, job.analyst, released)
        found.places |= {f"live {name}": data for name, data in tables(postgres).items()}
        found.places |= {f"export {number}": data for number, data in enumerate(found.exports)}
        engines.close()
        postgres.stop()

        backup.start()
        found.rows = sealed_rows(backup)
        found.places |= {f"restored {name}": data for name, data in tables(backup).items()}
        backup.stop()
        yield found


def test_before_destruction_the_backup_opens(erased):
    """With the keys of then every sealed row of the restored backup opens, and names the marked people.

    So the tests below could fail. The answer alone opens with no key of the council's any more: its secret
    died when the exchange was released.
    """
    everything = {kind.split("/")[0] for _, _, kind in erased.rows}
    assert erased.kinds("before") == everything - {"answer"} >= OF_RESULTS | OF_ACCOUNT | {"request", "probe"}
    found = set().union(*LOOKED_FOR.within(erased.opened("before")).values())
    assert {"Qanary-P-01", "Qanary-H-02", "Qanary-P-05"} <= found


def test_once_the_results_clock_ended_only_the_account_opens(erased):
    """Results, slots, withheld rows, facts and their openings open with no key that is left."""
    assert erased.kinds("results destroyed") == OF_ACCOUNT


def test_once_both_clocks_ended_nothing_of_the_backup_opens(erased):
    """No sealed row of the backup opens with any key that is left, and the live database has none."""
    assert len(erased.rows) > 10
    assert erased.opened("account destroyed") == {}
    assert erased.left == []
    assert len(erased.keys["account destroyed"]) == 7  # the council's own, and none of an exchange
    assert [each["clock"] for each in erased.certificates] == ["results", "accounting"]


def test_the_boundary_is_a_backup_of_the_keys(erased):
    """Whoever kept the keys of then opens it still: that is what the stated number of days is for."""
    kept = erased.keys["account destroyed"] + erased.keys["before"]
    erased.keys["with a backup of the keys"] = kept
    assert erased.opened("with a backup of the keys") == erased.opened("before") != {}


def test_no_byte_of_backup_database_or_export_holds_a_mark(erased):
    """Files, write-ahead log, tables before and after, and both exports: no name, reference or number."""
    assert LOOKED_FOR.within(erased.places) == {}
    assert any("pg_wal" in place and len(data) > 1000 for place, data in erased.places.items())
    assert {"restored flagstone.vault", "live flagstone.submissions", "export 0"} <= erased.places.keys()
    hidden = erased.places["export 0"] + MARKS[0].encode()
    assert LOOKED_FOR.within({"with a mark": hidden})


def test_every_old_proof_still_verifies(erased):
    """Inclusion proofs kept from before, the old export and the new one, which extends the old."""
    trust = Trust(FakeStore().signer.verifier)
    before, after = erased.exports
    notes = [data.split(b"\n", 2)[2].split(b"\ntile ", 1)[0] + b"\n" for data in erased.exports]
    old, new = (open_checkpoint(note, trust.log) for note in notes)
    assert verify_export(io.BytesIO(before), trust).checkpoint == old
    assert verify_export(io.BytesIO(after), trust, seen=notes[0]).seen == old.size < new.size
    (size, proofs), _ = erased.proofs
    assert size == old.size
    for index, (leaf, proof) in enumerate(proofs):
        verify_inclusion(leaf_hash(leaf), index, old.size, proof, old.root)
        assert leaf in after
    verify_consistency(old.size, new.size, old.root, new.root, erased.consistency[1])
