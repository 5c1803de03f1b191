"""Whether the time of an agent's answer tells what it found: nobody, no flag, an objection or a tie.

    python bench/timing.py [--rounds 200]

One household of one person is asked about at a time, of the four kinds in random order, so that a slow moment
of the machine falls on all alike. What is timed is a whole turn of the agent: fetch, open, match, seal, log,
send. For each kind beside the first, the share of pairs in which it took longer (0.5: no difference), and how
many standard deviations of chance that is from a half (Mann and Whitney's U). A difference counts when it is
both unlikely and large.
"""

import argparse
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from agent_world import ADULT, REGISTER, World, people, person, register_of  # noqa: E402

from adapters.agent.limits import Limits  # noqa: E402
from bench.results import circumstances, put, table  # noqa: E402

KINDS = {"not on the register": 7, "no flag": 2, "objected": 3, "tied": 0}
"""Kind -> the person of `agent_world` who is of that kind, with a second record of person 0."""
SIGMA = 4.0
SHARE = 0.1
"""A difference: beyond so many standard deviations, and so far from a half."""


@dataclass(frozen=True)
class Difference:
    """`share`: of pairs in which the other took longer; `sigmas`: how unlikely that is by chance."""

    share: float
    sigmas: float

    @property
    def seen(self) -> bool:
        return abs(self.sigmas) > SIGMA and abs(self.share - 0.5) > SHARE


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Mann and Whitney's U of two samples, ties counted half."""
    wins = sum((b > a) + (b == a) / 2 for a in one for b in other)
    pairs = len(one) * len(other)
    deviation = math.sqrt(pairs * (len(one) + len(other) + 1) / 12)
    return Difference(wins / pairs, (wins - pairs / 2) / deviation)


def measured(rounds: int, seed: int = 7) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of each turn by kind: on the clock, and of processor time in all threads."""
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    order = [kind for kind in KINDS for _ in range(rounds)]
    random.Random(seed).shuffle(order)  # noqa: S311 - reproducible on purpose
    register = pl.concat([REGISTER, register_of((person(0), {ADULT: True}))])
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), register=register, limits=Limits(max_exchanges_per_day=len(order) + 1))
        for kind in order:
            exchange = world.ask([people(KINDS[kind])])
            began = time.perf_counter(), time.process_time()
            world.round()
            ended = time.perf_counter(), time.process_time()
            clock, processor = (1000 * (end - begin) for begin, end in zip(began, ended, strict=True))
            taken[kind].append((clock, processor))
            if world.flags(exchange).flags.select(pl.any_horizontal(pl.all().any())).item():
                raise AssertionError(f"{kind}: the answer has a flag")
            for kept in (world.gateway.requests, world.gateway.answers):
                kept.pop(exchange)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    load = os.getloadavg()[0]
    taken = measured(rounds)
    rows, seen = [], []
    for way, what in enumerate(("clock", "processor")):
        base, *others = ([turn[way] for turn in turns] for turns in taken.values())
        rows.append((f"{next(iter(KINDS))}, {what}", f"{statistics.median(base):.2f}", "", ""))
        for kind, sample in zip(list(KINDS)[1:], others, strict=True):
            found = difference(base, sample)
            median = f"{statistics.median(sample):.2f}"
            rows.append((f"{kind}, {what}", median, f"{found.share:.3f}", f"{found.sigmas:+.1f}"))
            seen += [f"{kind} ({what})"] if found.seen else []
    said = table(("", "Median, ms", "Took longer", "Standard deviations"), *rows)
    verdict = f"{rounds} turns of each kind. Told apart by time: {', '.join(seen) or 'none'}."
    put("Time of an answer that says nothing", circumstances(load), said, verdict)
    print(said, verdict, sep="\n")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
