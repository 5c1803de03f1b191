"""How fast linkage is: a list against a register, and HMACs a second beside Python's own `hmac`, same run.

    python bench/linkage_speed.py [--register 1000000] [--listed 45000]

Machines differ and are noisy: read the ratios, not the seconds.
"""

import argparse
import hmac
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import polars as pl
from results import circumstances, put, table

from gateway.linkage.names import NICKNAMES
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

KEYS = token_keys(bytes(32), V1)
BATCH = 200_000  # as the agent's
OVERLAP = 0.85
BASELINE = 200_000  # messages
TOKENS = "Tokens, normalising included"
MESSAGE = b"WILLIAM\x1fSMITH\x1f19610203"


def people(size: int, seed: int) -> pl.DataFrame:
    """Random people: names of many lengths, 270 sectors, a third without a number."""

    def drawn(values: pl.Series, shift: int) -> pl.Series:
        return values.sample(size, with_replacement=True, seed=seed + shift)

    names = pl.Series(sorted(NICKNAMES))
    ends = pl.Series(["", "son", "ford", "ley", "-Jones", "ton", "well", "ham"])
    units = pl.Series([f"{a}{b}" for a in "ABDEFGHJLN" for b in "ABDEFGHJLN"])
    births = pl.date_range(date(1930, 1, 1), date(2024, 1, 1), eager=True)
    sectors = pl.Series([f"M{district} {sector}" for district in range(1, 28) for sector in range(10)])
    return pl.DataFrame(
        {
            "forename": drawn(names, 0),
            "surname": drawn(names, 1).str.to_titlecase() + drawn(ends, 2),
            "dob": drawn(births, 3),
            "postcode": drawn(sectors, 4) + drawn(units, 5),
        }
    )


@contextmanager
def timed(what: str, spent: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    spent[what] = spent.get(what, 0.0) + time.perf_counter() - start


def baseline() -> float:
    """HMACs a second of `hmac.digest` (OpenSSL) in a loop on one core."""
    key = bytes(32).hex().encode()
    digest: Callable[[bytes, bytes, str], bytes] = hmac.digest
    start = time.perf_counter()
    for _ in range(BASELINE):
        digest(key, MESSAGE, "sha256")
    return BASELINE / (time.perf_counter() - start)


def beside_python(tokens: float) -> str:
    """`tokens` a second beside those of `baseline`, measured now."""
    python, cores = baseline(), len(os.sched_getaffinity(0))
    return (
        f"{tokens / 1e6:.2f} M/s on {cores} cores; Python's `hmac.digest` alone makes {python / 1e6:.2f} M/s "
        f"on one: ratio {tokens / python:.2f}, {tokens / python / cores:.2f} a core."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--register", type=int, default=1_000_000)
    parser.add_argument("--listed", type=int, default=45_000)
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    register = people(told.register, 1)
    known = round(told.listed * OVERLAP)
    listed = pl.concat([register.sample(known, seed=2), people(told.listed - known, 100)])

    spent: dict[str, float] = {}
    found = []
    with timed(TOKENS, spent):
        wanted = tokenise(listed, KEYS)
    for start in range(0, register.height, BATCH):
        with timed(TOKENS, spent):
            tokens = tokenise(register[start : start + BATCH], KEYS)
        with timed("Candidate pairs", spent):
            found.append(candidates(wanted, tokens, V1, start))
    with timed("Resolving", spent):
        accepted = resolve(pl.concat(found), register_size=register.height, overlap=OVERLAP)

    made = (listed.height + register.height) * sum("nhs" not in label for label in V1.labels)
    pairs = sum(each.height for each in found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parts = (
        f"{told.listed:,} people against a register of {told.register:,}, in one process:",
        table(
            ("", "Seconds"),
            *((what, f"{seconds:.1f}") for what, seconds in spent.items()),
            ("Together", f"{sum(spent.values()):.1f}"),
        ),
        f"{pairs:,} candidate pairs, {accepted.height:,} accepted of {known:,}; {peak:,.0f} MiB at the peak.",
        f"Tokens, normalising included: {beside_python(made / spent[TOKENS])}",
    )
    print("\n\n".join(parts))
    if not told.no_results:
        put("Linkage", circumstances(load), *parts)


if __name__ == "__main__":
    main()
