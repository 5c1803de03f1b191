"""From two raw files to scored pairs: the command line of ours and Splink, by turns."""

import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.linkage_quality_data import World
from bench.linkage_quality_methods import PEERS, Spent


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds of each round, ours and Splink's."""

    form: str
    ours: tuple[Spent, ...]
    splink: tuple[Spent, ...]

    def medians(self, what: str) -> tuple[float, float]:
        """Of `wall` or `cpu`: ours, Splink's."""
        ours, splink = (median(getattr(each, what) for each in side) for side in (self.ours, self.splink))
        return ours, splink


def race(world: World, python: Path, rounds: int) -> list[Race]:
    """From CSV and from Parquet; the first of the world's lists."""
    with tempfile.TemporaryDirectory() as folder:
        return [_race(world, python, rounds, Path(folder), form) for form in ("csv", "parquet")]


def _race(world: World, python: Path, rounds: int, folder: Path, form: str) -> Race:
    case, files = world.cases[0], (folder / f"list.{form}", folder / f"register.{form}")
    for people, path in zip((case.listed, world.register), files, strict=True):
        with_id = people.with_row_index("person_id")
        write = with_id.write_csv if form == "csv" else with_id.write_parquet
        write(path)
    ours, splink = [], []
    for _ in range(rounds):
        ours.append(_ours(files, folder, case.overlap))
        splink.append(_splink(files, folder, python))
    return Race(form, tuple(ours), tuple(splink))


def _ours(files: tuple[Path, Path], folder: Path, overlap: float) -> Spent:
    key = folder / "key"
    key.write_text(f"{'0' * 64}\n", encoding="ascii")
    key.chmod(0o600)
    told = ("--key-file", key, "--overlap", overlap, "--out", folder / "pairs.csv")
    return _spent([sys.executable, "-m", "gateway.cli", "tokens", "link", *files, *told])


def _splink(files: tuple[Path, Path], folder: Path, python: Path) -> Spent:
    spent = Spent()
    out = folder / "splink"
    with spent.timed(resource.RUSAGE_CHILDREN):
        PEERS["splink"][0].run(python, files[1], files[:1], out, nhs=False, uk=True)
    return spent


def _spent(command: list[object]) -> Spent:
    spent = Spent()
    with spent.timed(resource.RUSAGE_CHILDREN):
        done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"flagstone tokens link failed:\n{done.stderr[-2000:]}")
    return spent
