"""How fast an outsider verifies an exported log, beside parsing and hashing its entries alone, same run;
and how fast the log itself proves that it holds an entry.

    python bench/audit_verify.py [--entries 1000000]

Machines differ and are noisy: read the ratios, not the seconds.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from people import CACHE
from results import circumstances, growth, put, table

from audit.checkpoint import NoteSigner, unsafe_read_checkpoint
from audit.entry import Entry
from audit.export import write_export
from audit.log import Log
from audit.merkle import inclusion_proof, leaf_hash, verify_inclusion
from audit.store import FileStore
from audit.tiles import write_tiles
from audit.trust import Trust, write_trust

BATCH = 10_000  # entries appended at once
PROOFS = 1000
TENTH = 10
AT = datetime(2026, 11, 22, tzinfo=UTC)


FIGURES = (
    ("Entries", "entries", ",.0f"),
    ("Export, MiB", "mib", ",.1f"),
    ("Verifying, s", "seconds", ".1f"),
    ("of it: the verifier's own CPU, s", "cpu", ".1f"),
    ("Verifier, peak resident MiB", "peak_mib", ",.0f"),
    ("`json.loads` and SHA-256 of the entries alone, s", "baseline", ".1f"),
    ("Tiles (C2SP tlog-tiles) of that export, verifying, s", "tiles", ".1f"),
    ("Inclusion proof from a file store, median of 1,000, ms", "median_ms", ".2f"),
    ("Inclusion proof, 99th percentile, ms", "worst_ms", ".2f"),
)
MAX_SECONDS, MAX_MIB, MAX_MS = 30, 500, 5  # of issue 5, at 1,000,000 entries


@dataclass(frozen=True, slots=True)
class Verified:
    """One log: its export's size, seconds and peak resident MiB of the verifier's process; proofs."""

    entries: int
    mib: float
    seconds: float
    cpu: float
    peak_mib: float
    baseline: float
    tiles: float
    median_ms: float
    worst_ms: float


def entry(index: int) -> Entry:
    """As large as a real one of the kind, and different from every other."""
    digest = hashlib.sha256(index.to_bytes(8)).hexdigest()
    exchange = str(uuid.UUID(hex=digest[:32], version=4))
    body = {
        "exchange": exchange,
        "dataset": "police-force",
        "actor": digest[:32],
        "private": [digest, digest],
    }
    return Entry(uuid.UUID(hex=digest[32:], version=4), "exchange.delivered", AT, body)


def make(folder: Path, entries: int) -> None:
    """A log of that many entries: its `store`, its export `log.txt`, the same as `tiles`, `trust.json`."""
    folder.mkdir(parents=True)
    signer = NoteSigner("flagstone/bench", Ed25519PrivateKey.generate())
    with FileStore.create(folder / "store") as store:
        log = Log(store, signer)
        for start in range(0, entries, BATCH):
            log.append([entry(index) for index in range(start, min(start + BATCH, entries))])
        with (folder / "log.txt").open("wb") as out:
            write_export(log, out)
        write_tiles(log, folder / "tiles")
    write_trust(folder / "trust.json", Trust(signer.verifier))  # the last one written


def measure(entries: int) -> Verified:
    folder = CACHE / f"audit-{entries}"
    if not (folder / "trust.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, entries)
    log = folder / "log.txt"
    seconds, cpu, peak = verified(log)
    size = log.stat().st_size / 2**20
    tiles, _, _ = verified(folder / "tiles")
    return Verified(entries, size, seconds, cpu, peak, baseline(log), tiles, *proofs(folder / "store"))


def verified(log: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak resident MiB of a process that verifies it."""
    command = [sys.executable, "-m", "audit", "verify", str(log), "--trust", str(log.parent / "trust.json")]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def proofs(folder: Path) -> tuple[float, float]:
    """Milliseconds for a random entry's inclusion proof, median and 99th percentile; each is verified."""
    rng = random.Random(1)  # noqa: S311 - seeded
    taken = []
    with FileStore(folder) as store:
        checkpoint = unsafe_read_checkpoint(store.checkpoint() or b"")
        for _ in range(PROOFS):
            index = rng.randrange(checkpoint.size)
            start = time.perf_counter()
            proof = inclusion_proof(index, checkpoint.size, store.nodes)
            taken.append(1000 * (time.perf_counter() - start))
            leaf = next(store.leaves(index, index + 1))
            verify_inclusion(leaf_hash(leaf), index, checkpoint.size, proof, checkpoint.root)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[-1]


def baseline(log: Path) -> float:
    """Seconds that `json` and `hashlib` alone take over the entries."""
    start = time.perf_counter()
    with log.open("rb") as lines:
        for line in lines:
            if line.startswith(b"{"):
                json.loads(line)
                hashlib.sha256(line).digest()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    tenth, whole = measure(told.entries // TENTH), measure(told.entries)
    rate, times = whole.entries / whole.seconds, whole.seconds / whole.baseline
    limits = (
        ("Verifying, s", whole.seconds, MAX_SECONDS, ".1f"),
        ("Verifier, peak resident MiB", whole.peak_mib, MAX_MIB, ".0f"),
        ("Inclusion proof, 99th percentile, ms", whole.worst_ms, MAX_MS, ".2f"),
    )
    parts = (
        table(
            ("", "Measured", "Limit", "Ratio"),
            *((what, f"{is_:{form}}", str(most), f"{is_ / most:.2f}") for what, is_, most, form in limits),
        ),
        growth(tenth, whole, *FIGURES),
        f"{rate:,.0f} entries a second; {times:.2f} times as long as parsing and hashing alone.",
    )
    print("\n\n".join(parts))
    if not told.no_results:
        put("Verifying an exported log", circumstances(load), *parts)


if __name__ == "__main__":
    main()
