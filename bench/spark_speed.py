"""How fast Spark makes tokens beside one process, same file, same run; and what 60 million people would take.

    make bench-spark, or: python bench/spark_speed.py [--people 2000000] [--runs 3]

Machines differ and are noisy: read the ratios, not the seconds.
"""

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from linkage_speed import people
from people import CACHE
from results import circumstances, put, table

from gateway.cli.tokens import app, read_key
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import threshold
from gateway.spark import KeyFile, local_session, make

NATION = 60_000_000
CLUSTERS = ((1, 2), (1, 16), (1, 64), (20, 16))  # machines, cores of each
GROUP = 100_000  # people in a row group: what Spark gives to a task at the least
MESSAGE = 64  # bytes, one SHA-256 block
OVERLAP = 0.85
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Engine:
    """What one engine took: seconds of every run, without Spark's start; peak resident MiB by process."""

    seconds: list[float]
    peaks: dict[str, float]

    def rate(self, people: int) -> float:
        return people / statistics.median(self.seconds)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def openssl() -> float:
    """HMACs a second of one core."""
    command = ["openssl", "speed", "-mr", "-bytes", str(MESSAGE), "-seconds", "1", "-hmac", "sha256"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^\+F:\d+:hmac\(sha256\):([0-9.]+)$", told, re.MULTILINE)
    if found is None:
        raise SystemExit("openssl speed said nothing that this bench can read")
    return float(found[1]) / MESSAGE


def polars_make(file: Path, key: Path, out: Path) -> None:
    app(["make", str(file), "--key-file", str(key), "--out", str(out)], standalone_mode=False)


def descendants(parent: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = entry.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        if int(told.rpartition(")")[2].split()[1]) == parent:
            pid = int(entry.parent.name)
            yield pid
            yield from descendants(pid)


def peaks(parent: int) -> dict[str, float]:
    """Peak resident MiB: Java's, and the largest Python worker's."""
    found = {"Java": 0.0, "a Python worker": 0.0}
    for pid in descendants(parent):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        high = re.search(r"VmHWM:\s+(\d+)", status)
        kind = "Java" if status.startswith("Name:\tjava") else "a Python worker"
        found[kind] = max(found[kind], int(high[1]) / 1024 if high else 0.0)
    return found


def race(file: Path, key: Path, folder: Path, runs: int) -> tuple[Engine, Engine, float]:
    """Both engines in turns on the same file; and the seconds until Spark had done a first small job."""
    outs = folder / "polars.parquet", folder / "spark.parquet"
    day = datetime.now(UTC).date()
    secret = KeyFile(key, read_key)
    start = time.perf_counter()
    with local_session(folder) as spark:
        warm = folder / "warm.parquet"
        people(1000, 9).with_row_index("person_id").write_parquet(warm)
        make(spark, warm, outs[1], key=secret, today=day, metadata={})
        ready = time.perf_counter() - start
        seconds: tuple[list[float], list[float]] = [], []
        for _ in range(runs):
            seconds[0].append(timed(lambda: polars_make(file, key, outs[0])))
            seconds[1].append(timed(lambda: make(spark, file, outs[1], key=secret, today=day, metadata={})))
        spark_peaks = peaks(os.getpid())
    same(*outs)
    return Engine(seconds[0], {}), Engine(seconds[1], spark_peaks), ready


def same(one: Path, other: Path) -> None:
    """Both files hold the same tokens; the order is Spark's."""
    left, right = (pl.scan_parquet(path).sort("person_id").collect() for path in (one, other))
    if not left.equals(right):
        raise SystemExit("the two engines made different tokens")


def linking(tokens: Path, listed: int) -> tuple[float, int]:
    """Seconds, and candidate pairs, of a list of that many drawn from these tokens against all of them."""
    register = pl.read_parquet(tokens, columns=list(V1.labels))
    wanted = register.sample(min(listed, register.height), seed=1)
    start = time.perf_counter()
    found = [
        candidates(wanted, register[first : first + GROUP], V1, first)
        for first in range(0, register.height, GROUP)
    ]
    pairs = pl.concat(found)
    resolve(pairs, register_size=register.height, overlap=OVERLAP)
    return time.perf_counter() - start, pairs.height


def nation(rate: float, bytes_each: float) -> str:
    """What a core's `rate` (people a second) makes of 60 million people."""
    rows = (
        (
            f"{machines} x {cores} cores" if machines > 1 else f"1 machine, {cores} cores",
            f"{NATION / (rate * machines * cores) / 60:.1f}",
            f"{bytes_each * NATION / (NATION / (rate * machines * cores)) / 2**20 / machines:,.0f}",
        )
        for machines, cores in CLUSTERS
    )
    return (
        f"A register of {NATION:,} at {rate:,.0f} people a second and core, once started:\n\n"
        + table(("", "Minutes", "MiB written a second and machine"), *rows)
        + f"\n\nTokens: {bytes_each * NATION / 2**30:.1f} GiB, at {bytes_each:.0f} bytes a person."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--listed", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        folder = Path(temporary)
        file, key = folder / "people.parquet", folder / "key"
        people(told.people, 1).with_row_index("person_id").write_parquet(file, row_group_size=GROUP)
        key.touch(mode=0o600)
        key.write_text("5a" * 32)
        one, many, ready = race(file, key, folder, told.runs)
        tokens = folder / "polars.parquet"
        parts = report(told.people, one, many, ready, file, tokens)
        links = [(listed, *linking(tokens, listed)) for listed in told.listed if listed <= told.people]
    parts += [linked(told.people, links)] if links else []
    print("\n\n".join(parts))
    if not told.no_results:
        put("Spark", circumstances(load), *parts)


def report(size: int, one: Engine, many: Engine, ready: float, file: Path, tokens: Path) -> list[str]:
    made = pl.scan_parquet(tokens).select(pl.col(V1.labels).count()).collect().sum_horizontal()[0]
    hmacs = openssl()

    def row(name: str, engine: Engine) -> tuple[str, ...]:
        rate = engine.rate(size)
        share = rate * made / size / (hmacs * CORES)
        figures = (f"{size / rate:.1f}", f"{rate:,.0f}", f"{rate / CORES:,.0f}")
        return name, *figures, f"{rate * made / size / 1e6:.2f}", f"{share:.2f}"

    bytes_each = tokens.stat().st_size / size
    header = ("", "Seconds", "People/s", "People/s, core", "M tokens/s", "Ratio to `openssl`")
    peak = ", ".join(f"{name} {mib:,.0f} MiB" for name, mib in many.peaks.items())
    told = (
        f"{size:,} people, {made / size:.1f} tokens each, from Parquet to Parquet on {CORES} cores; median "
        f"of {len(one.seconds)} runs in turns, the same tokens in both files. Ratio: to the HMACs of "
        f"`openssl speed -hmac sha256`, {MESSAGE} bytes ({hmacs / 1e6:.2f} M/s a core) times the cores."
    )
    besides = (
        f"Spark to Polars: ratio {many.rate(size) / one.rate(size):.2f}. Spark had done a first small job "
        f"after {ready:.0f} s. At the peak: {peak}. "
        f"People: {file.stat().st_size / size:.0f} bytes each in Parquet; tokens: {bytes_each:.0f}."
    )
    rates = table(header, row("Polars, one process", one), row("Spark, `local[*]`", many))
    return [told, rates, besides, nation(many.rate(size) / CORES, bytes_each)]


def linked(size: int, links: list[tuple[int, float, int]]) -> str:
    rows = (
        (
            f"{listed:,}",
            f"{seconds:.1f}",
            f"{seconds / size * 1e6:.2f}",
            f"{seconds / size * NATION / 60:.0f}",
            f"{pairs / listed:.1f}",
        )
        for listed, seconds, pairs in links
    )
    header = ("Listed", "Seconds", "Seconds a million", f"Minutes for {NATION:,}", "Pairs a listed person")
    return (
        f"Linking ready tokens against the register of {size:,}, in batches of {GROUP:,}, in one process. "
        f"Threshold at {OVERLAP:.0%} overlap: {threshold(size, OVERLAP):.1f} bits here, "
        f"{threshold(NATION, OVERLAP):.1f} at {NATION:,}.\n\n" + table(header, *rows)
    )


if __name__ == "__main__":
    main()
