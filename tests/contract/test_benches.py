"""The benches run, at sizes that take seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(bench: str, *sizes: str) -> str:
    command = [sys.executable, f"bench/{bench}.py", "--no-results", *sizes]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=240).stdout


@pytest.mark.parametrize(
    ("bench", "sizes"),
    [
        ("linkage_speed", ("--register", "2000", "--listed", "100")),
        ("tokens_speed", ("--people", "2000", "--register", "4000", "--listed", "200")),
        ("audit_verify", ("--entries", "1000")),
        pytest.param(
            "audit_append",
            ("--entries", "3000", "--batch", "500", "--singles", "20", "--proofs", "20"),
            marks=pytest.mark.postgres,
        ),
        ("policy_speed", ("--households", "100", "--people", "450", "--questions", "40", "--rounds", "1")),
        pytest.param(
            "load",
            ("--seconds", "10", "--rate", "20"),
            marks=[pytest.mark.long, pytest.mark.processes, pytest.mark.postgres],
        ),
        pytest.param(
            "exchange",
            ("--households", "100", "--register", "10000"),
            marks=[pytest.mark.long, pytest.mark.processes, pytest.mark.postgres],
        ),
    ],
)
def test_a_bench_runs_and_prints_ratios(bench, sizes):
    """Every bench runs to its end at a small size, ends with exit code 0 and prints a ratio."""
    assert "ratio" in run(bench, *sizes).lower()
