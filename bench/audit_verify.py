"""How fast an outsider verifies an exported log, beside parsing and hashing its entries alone, same run.

    python bench/audit_verify.py [--entries 1000000]

Machines differ and are noisy: read the ratios, not the seconds.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from people import CACHE
from results import circumstances, growth, put

from audit.checkpoint import NoteSigner
from audit.entry import Entry
from audit.export import write_export
from audit.log import Log
from audit.store import FileStore
from audit.trust import Trust, write_trust

BATCH = 10_000  # entries appended at once
TENTH = 10
AT = datetime(2026, 11, 22, tzinfo=UTC)


FIGURES = (
    ("Entries", "entries", ",.0f"),
    ("Export, MiB", "mib", ",.1f"),
    ("Verifying, s", "seconds", ".1f"),
    ("Verifier, peak resident MiB", "peak_mib", ",.0f"),
    ("`json.loads` and SHA-256 of the entries alone, s", "baseline", ".1f"),
)


@dataclass(frozen=True, slots=True)
class Verified:
    """One export: its size, and seconds and peak resident MiB of the verifier's process."""

    entries: int
    mib: float
    seconds: float
    peak_mib: float
    baseline: float


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
    """`log.txt` and `trust.json` of a log of that many entries."""
    folder.mkdir(parents=True)
    signer = NoteSigner("flagstone/bench", Ed25519PrivateKey.generate())
    with tempfile.TemporaryDirectory() as place, FileStore.create(Path(place) / "log") as store:
        log = Log(store, signer)
        for start in range(0, entries, BATCH):
            log.append([entry(index) for index in range(start, min(start + BATCH, entries))])
        with (folder / "log.txt").open("wb") as out:
            write_export(log, out)
    write_trust(folder / "trust.json", Trust(signer.verifier))  # the last one written


def measure(entries: int) -> Verified:
    folder = CACHE / f"log-{entries}"
    if not (folder / "trust.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        make(folder, entries)
    log = folder / "log.txt"
    command = [sys.executable, "-m", "audit", "verify", str(log), "--trust", str(folder / "trust.json")]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    size = log.stat().st_size / 2**20
    return Verified(entries, size, seconds, used.ru_maxrss / 1024, baseline(log))


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
    parts = (
        growth(tenth, whole, *FIGURES),
        f"{rate:,.0f} entries a second; {times:.2f} times as long as parsing and hashing alone.",
    )
    print("\n\n".join(parts))
    if not told.no_results:
        put("Verifying an exported log", circumstances(load), *parts)


if __name__ == "__main__":
    main()
