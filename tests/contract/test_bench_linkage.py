"""The linkage study runs, without its peers, at a size that takes seconds."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIZES = ("--register", "3000", "--listed", "300", "--grouped", "300", "--resamples", "20")


def study(*options):
    command = [sys.executable, "-m", "bench.linkage_quality", "--no-results", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


def test_the_study_runs_without_peers(tmp_path):
    """It ends with exit code 0 and says of every precision target whether it is met."""
    done = study("--peers", "", "--febrl", str(tmp_path), "--overlaps", ".85,.2", *SIZES)
    assert done.returncode == 0, done.stderr
    for target in ("Precision, typical, 85%", "Precision, hard, 20%"):
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"| {target} |"))
        assert line.endswith(("| met |", "| **not met** |"))


def test_nothing_is_reported_on_the_seed_of_the_fit():
    """The seed that the scores were fitted on is refused, and the reason told."""
    done = study("--seed", "fit")
    assert done.returncode == 2
    assert "fitted" in done.stderr
