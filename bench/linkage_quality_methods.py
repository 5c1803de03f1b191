"""The methods: Flagstone's scheme in this process, the peers in theirs. Each gives one-to-one scored
pairs.
"""

import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import polars as pl

from bench.linkage_quality_data import Case, World
from bench.linkage_quality_metrics import best_threshold, judged, one_best, right
from gateway.domain.people import IDENTIFYING
from gateway.linkage.normalise import Known
from gateway.linkage.resolve import best, candidates
from gateway.linkage.scheme import V1
from gateway.linkage.score import threshold
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import beside, parts_of, tokenise, tokens_of

OURS = "Flagstone"
HANDLES = "Flagstone, household handles"
BEST = "best threshold"
FIXED = "fixed"
_KEYS = token_keys(bytes(32), V1)
_BATCH = 100_000
_PEERS = Path(__file__).with_name("peers")
_RULES = 5  # of OpenToken
_SURE = 3.17  # Splink's match weight, log2 of the odds, at p = .9


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a method found in a case. points: operating point -> threshold of the score."""

    method: str
    overlap: float
    nhs: bool
    pairs: pl.DataFrame
    points: Mapping[str, float]


@dataclass(slots=True)
class Spent:
    """Wall and CPU seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def timed(self, who: int = resource.RUSAGE_SELF) -> Iterator[None]:
        wall, cpu = time.perf_counter(), _cpu(who)
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += _cpu(who) - cpu


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


# Flagstone


@dataclass(slots=True, eq=False)
class Ours:
    """The register's tokens, made once with NHS numbers: a list without gives pairs without."""

    world: World
    making: Spent = field(default_factory=Spent)
    batches: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = Known(V1)
        for rows in self.world.register.iter_slices(_BATCH):
            with self.making.timed():
                parts = parts_of(rows, known=known)
                self.batches.append(tokens_of(parts, _KEYS).hstack(beside(parts)))

    @property
    def names(self) -> pl.Series:
        return pl.concat(batch["name"] for batch in self.batches)

    def candidates(self, case: Case, nhs: bool) -> pl.DataFrame:
        allowed = set(IDENTIFYING) - (set() if nhs else {"nhs_number"})
        tokens = tokenise(case.listed, _KEYS, identifiers=allowed)
        handles = case.truth.select(household="unit")
        starts = range(0, self.world.register.height, _BATCH)
        return pl.concat(
            candidates(tokens.hstack(handles), batch, V1, start)
            for start, batch in zip(starts, self.batches, strict=True)
        )

    def found(self, case: Case, nhs: bool) -> list[Outcome]:
        """Without household handles and, where there are households, with them."""
        pairs, size = self.candidates(case, nhs), self.world.register.height
        kinds = {OURS: pairs.drop("household")} | ({HANDLES: pairs} if self.world.uk else {})
        enough = {FIXED: threshold(size, case.overlap, V1)}
        return [
            Outcome(
                name,
                case.overlap,
                nhs,
                best(each, register_size=size, overlap=case.overlap, names=self.names),
                enough,
            )
            for name, each in kinds.items()
        ]


# The peers


@dataclass(frozen=True, slots=True)
class Peer:
    """A script under bench/peers. points: its fixed operating points."""

    name: str
    script: str
    variant: str = ""
    points: Mapping[str, float] = field(default_factory=dict)

    def run(
        self, python: Path, register: Path, lists: Sequence[Path], out: Path, *, nhs: bool, uk: bool
    ) -> dict[str, dict[str, float]]:
        """Seconds that it says it spent, by part. One Parquet for each list is then in `out`."""
        out.mkdir(parents=True, exist_ok=True)
        flags = [*(["--nhs"] if nhs else []), *(["--uk"] if uk else []), "--variant", self.variant]
        command = [*map(str, (python, _PEERS / self.script, register, *lists, "--out", out)), *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{self.name} failed:\n{done.stderr[-2000:]}")
        spent: dict[str, dict[str, float]] = json.loads((out / "spent.json").read_text(encoding="utf-8"))
        return spent


SPLINK = ("Splink, names together", "Splink, names apart")
CLK, EXACT, OPENTOKEN = "clkhash + anonlink", "exact HMAC", "OpenToken rules"
PEERS = {
    "splink": (
        Peer(SPLINK[0], "run_splink.py", "together", {"p >= .9": _SURE}),
        Peer(SPLINK[1], "run_splink.py", "apart", {"p >= .9": _SURE}),
    ),
    "clk": (Peer(CLK, "run_clk.py", points={"at .8": 0.8}),),
    "exact": (Peer(EXACT, "run_exact.py", points={"as is": -inf}),),
    "opentoken": (Peer(OPENTOKEN, "run_opentoken.py"),),
}


def peer_found(
    peer: Peer, python: Path, world: World, case: Case, nhs: bool
) -> tuple[Outcome, dict[str, dict[str, float]]]:
    """The outcome, and the seconds that it says it spent, by part."""
    with tempfile.TemporaryDirectory() as folder:
        register, lists = replace(world, cases=(case,)).write(Path(folder))
        out = Path(folder, "out")
        spent = peer.run(python, register, lists, out, nhs=nhs, uk=world.uk)
        return _outcome(peer, case, nhs, pl.read_parquet(out / lists[0].name)), spent


def _outcome(peer: Peer, case: Case, nhs: bool, pairs: pl.DataFrame) -> Outcome:
    if "rules" in pairs.columns:
        name, pairs = _best_decision(pairs, case)
        return Outcome(peer.name, case.overlap, nhs, pairs, {name: -inf})
    tuned = (
        {} if -inf in peer.points.values() else {BEST: best_threshold(judged(pairs, case.truth), case.truth)}
    )
    return Outcome(peer.name, case.overlap, nhs, pairs, {**tuned, **peer.points})


def _best_decision(pairs: pl.DataFrame, case: Case) -> tuple[str, pl.DataFrame]:
    """Of all decisions "at least k of these rules agree", the one with the largest F1 on the truth."""
    links = case.truth["record"].count()
    largest = (-1.0, "", pairs)
    for chosen in range(1, 1 << _RULES):
        count = (pl.col("rules") & chosen).bitwise_count_ones()
        among = pairs.with_columns(score=count.cast(pl.Float64))
        for least in range(1, chosen.bit_count() + 1):
            linked = one_best(among.filter(pl.col("score") >= least))
            found = right(judged(linked, case.truth))
            largest = max(
                largest,
                (2 * found / (linked.height + links), _decision(chosen, least), linked),
                key=lambda b: b[0],
            )
    return largest[1], largest[2]


def _decision(chosen: int, least: int) -> str:
    rules = ", ".join(f"T{bit + 1}" for bit in range(_RULES) if chosen >> bit & 1)
    return f"{least} of {rules}" if chosen.bit_count() > 1 else rules
