"""How near tokens come to the speed of the hash alone, what a big register takes, and how long linking takes.

    python bench/tokens_speed.py [--people 1000000] [--register 10000000] [--listed 10000]

The yardstick is `openssl speed -hmac sha256` in the same run: its rate a core, for messages as long as ours
are on average, times the cores. Other work on the machine slows the wall clock but not OpenSSL's own count,
which is of CPU time: hence the second ratio, of CPU time on both sides.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import linkage_speed
import polars as pl
from results import circumstances, put, table

from gateway.cli.tokens.making import make
from gateway.cli.tokens.sources import open_file
from gateway.cli.tokens.tables import made_with
from gateway.linkage.normalise import Known, normalise
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokens_of

RUNS = 5
MEASURED = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
STRINGS = 200_000  # people whose ready parts are hashed
MILLION = 1_000_000
STEPS = (0.1, 0.2, 0.4, 1.0)  # of the register, for linearity
SECRET = bytes(range(32))
TODAY = date(2026, 11, 22)
AREAS = ("B", "CF", "E", "EH", "G", "L", "LS", "M", "N", "NE", "NG", "NW", "S", "SE", "SW", "W")
TO_REACH = {"strings": 0.6, "parquet": 0.4}


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second, of the wall clock and of CPU time."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Command:
    """One command as a process of its own: seconds, CPU seconds, peak resident MiB."""

    wall: float
    cpu: float
    mib: float


def people(size: int, seed: int) -> pl.DataFrame:
    """Random people with ids; about 45% have an NHS number; postcodes repeat three times in a million."""
    drawn = linkage_speed.people(size, seed).drop("postcode")
    numbers = pl.Series("base", range(size), dtype=pl.Int64) * 7_919 % 899_999_999 + 100_000_000
    digits = numbers.to_frame().with_columns(
        total=pl.sum_horizontal(pl.col("base") // 10 ** (8 - i) % 10 * (10 - i) for i in range(9))
    )
    check = digits.with_columns(check=(11 - pl.col("total") % 11) % 11)
    known = (pl.col("check") != 10) & (pl.col("base") % 2 == 0)  # noqa: PLR2004 - no number has this check
    nhs = check.select(pl.when(known).then(pl.format("{}{}", "base", "check"))).to_series()
    letters = "ABDEFGHJLN"
    units = pl.Series([f"{sector}{a}{b}" for sector in range(10) for a in letters for b in letters])
    districts = pl.Series([f"{area}{number} " for area in AREAS for number in range(1, 21)])

    def some(values: pl.Series, shift: int) -> pl.Series:
        return values.sample(size, with_replacement=True, seed=seed + shift)

    return drawn.with_columns(
        person_id=pl.format("{}-{}", pl.lit(seed), pl.int_range(pl.len())),
        postcode=some(districts, 7) + some(units, 8),
        nhs_number=nhs.sample(size, shuffle=True, seed=seed),
    )


def hashes_a_second(size: int) -> float:
    """HMACs a second and core, by OpenSSL's own bench."""
    command = ["openssl", "speed", "-seconds", "1", "-hmac", "sha256", "-bytes", str(size)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^hmac\(sha256\)\s+([0-9.]+)k", told, re.MULTILINE)
    if found is None:
        raise SystemExit("openssl speed told no rate")
    return float(found[1]) * 1000 / size


def rate(tokens: int, work: Callable[[], object]) -> Rate:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Rate(tokens / (time.perf_counter() - wall), tokens / (time.process_time() - cpu))


def mean_message(parts: pl.DataFrame) -> tuple[int, int]:
    """Bytes of the mean message, rounded, and how many messages there are."""
    lengths = parts.select(
        pl.sum_horizontal((pl.col(part).str.len_bytes() for part in key.parts), ignore_nulls=False)
        .add(len(key.parts) - 1)
        .alias(key.label)
        for key in V1.keys
    )
    count = sum(lengths[label].count() for label in V1.labels)
    return round(sum(lengths[label].sum() for label in V1.labels) / count), count


def flagstone(*arguments: object) -> Command:
    """Run a command below a small process: a child's peak memory begins with its parent's at the fork."""
    command = [sys.executable, "-m", "gateway.cli", *map(str, arguments)]
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], check=True, stdout=subprocess.PIPE
    ).stdout
    return Command(*map(float, told.split()[-3:]))


def write_people(path: Path, size: int) -> None:
    """A raw register in row groups, made a million at a time."""
    pieces = []
    for number, start in enumerate(range(0, size, MILLION)):
        pieces.append(path.with_suffix(f".{number}"))
        people(min(MILLION, size - start), number + 1).write_parquet(pieces[-1])
    pl.scan_parquet(pieces).sink_parquet(path, row_group_size=200_000)
    for piece in pieces:
        piece.unlink()


def ratios(folder: Path, size: int) -> str:
    """The two ratios, alternating with OpenSSL."""
    raw, out = folder / "people.parquet", folder / "tokens.parquet"
    write_people(raw, size)
    parts, keys = normalise(pl.read_parquet(raw, n_rows=STRINGS)), token_keys(SECRET, V1)
    length, ready = mean_message(parts)
    tokens = mean_message(normalise(pl.read_parquet(raw), known=Known()))[1]
    cores = len(os.sched_getaffinity(0))

    def whole() -> None:
        make(open_file(raw), out, secret=SECRET, today=TODAY, metadata=made_with(SECRET))

    openssl, strings, parquet = [], [], []
    tokens_of(parts, keys)
    for _ in range(RUNS):
        openssl.append(hashes_a_second(length))
        strings.append(rate(ready, lambda: tokens_of(parts, keys)))
        parquet.append(rate(tokens, whole))
    base = statistics.median(openssl)

    def row(what: str, rates: Sequence[Rate], least: float) -> tuple[str, ...]:
        wall, cpu = (statistics.median(getattr(each, name) for each in rates) for name in ("wall", "cpu"))
        return (what, f"{wall / 1e6:.2f}", f"{wall / base / cores:.2f}", f"{cpu / base:.2f}", f"{least:.2f}")

    told = (
        f"{length} bytes a mean message; `openssl speed -hmac sha256` makes {base / 1e6:.2f} M/s a core "
        f"and {base * cores / 1e6:.2f} M/s on {cores}. Medians of {RUNS} alternating runs."
    )
    rows = (
        row(f"Ready strings to tokens, {STRINGS:,} people", strings, TO_REACH["strings"]),
        row(f"Parquet in to Parquet out, {size:,} people", parquet, TO_REACH["parquet"]),
    )
    header = ("", "M tokens/s", "Ratio to openssl x cores", "Ratio in CPU time", "To reach")
    return f"{told}\n\n{table(header, *rows)}"


def linking(folder: Path, listed: int) -> str:
    """A list against the register of `ratios`, as tokens and as people."""
    raw, tokens, key = folder / "people.parquet", folder / "tokens.parquet", folder / "key"
    known = pl.read_parquet(raw).sample(listed // 2, seed=1)
    strangers = people(listed - known.height, 10_000)
    pl.concat([known, strangers]).write_parquet(folder / "list.parquet")
    flagstone(
        "tokens", "make", folder / "list.parquet", "--key-file", key, "--out", folder / "list-tokens.parquet"
    )
    options = ("--key-file", key, "--out", folder / "pairs.csv", "--overlap", "0.5")
    ready = flagstone("tokens", "link", folder / "list-tokens.parquet", tokens, *options)
    people_ = flagstone("tokens", "link", folder / "list.parquet", raw, *options)
    pairs = pl.read_csv(folder / "pairs.csv").height
    rows = pl.scan_parquet(raw).select(pl.len()).collect().item()
    told = (
        f"A list of {listed:,} against a register of {rows:,}, the whole command with its start; "
        f"{pairs:,} pairs accepted of {known.height:,}:"
    )
    lines = (
        (what, f"{took.wall:.1f}", f"{took.cpu:.1f}", f"{took.mib:,.0f}")
        for what, took in (("Ready tokens to pairs", ready), ("Two raw files to pairs", people_))
    )
    return f"{told}\n\n{table(('', 'Seconds', 'CPU seconds', 'Peak resident MiB'), *lines)}"


def growth(folder: Path, size: int) -> str:
    """What a register takes, by its size."""
    rows = []
    for share in STEPS:
        count = round(size * share)
        write_people(folder / "big.parquet", count)
        took = flagstone(
            "tokens",
            "make",
            folder / "big.parquet",
            "--key-file",
            folder / "key",
            "--out",
            folder / "big-tokens.parquet",
        )
        rows.append(
            (
                f"{count:,}",
                f"{took.wall:.1f}",
                f"{took.wall / count * MILLION:.2f}",
                f"{took.cpu / count * MILLION:.2f}",
                f"{took.mib:,.0f}",
            )
        )
    header = ("People", "Seconds", "Seconds a million", "CPU seconds a million", "Peak resident MiB")
    return f"`tokens make` on registers of growing size, each a process of its own:\n\n{table(header, *rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=MILLION, help="for the ratios and for linking")
    parser.add_argument(
        "--register", type=int, default=10 * MILLION, help="the largest, for memory and growth"
    )
    parser.add_argument("--listed", type=int, default=10_000)
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tokens-") as name:
        folder = Path(name)
        descriptor = os.open(folder / "key", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as key:
            key.write(SECRET.hex())
        found = []
        for part in (
            lambda: ratios(folder, told.people),
            lambda: linking(folder, told.listed),
            lambda: growth(folder, told.register),
        ):
            found.append(part())
            print(found[-1], end="\n\n", flush=True)
    if not told.no_results:
        put("Tokens", circumstances(load), *found)


if __name__ == "__main__":
    main()
