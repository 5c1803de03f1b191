"""What the fuzzers learned is tried again in every run of the tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.bounds import HangError, in_time
from fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
GROWN = 200
"""MiB that any number of inputs of 64 KiB at most may add; Polars keeps some for itself."""


@pytest.fixture(scope="module")
def replayed():
    """What `replay` says of each target."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    command = [sys.executable, "-m", "fuzz.replay"]
    run = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        timeout=240,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_meets_declared_errors_alone(replayed, name):
    """No kept input crashes a parser, holds it for a second, or makes it grow without bound."""
    told = replayed[name]
    assert told["broken"] == []
    assert told["slowest"] < 1
    assert told["grown"] < GROWN
    assert told["inputs"] > len(TARGETS[name].ways)


@pytest.mark.parametrize("name", TARGETS)
def test_every_way_in_has_a_seed(name):
    """Each way of each target starts from something well formed: the fuzzer gets past the first check."""
    target = TARGETS[name]
    assert {seed[0] for seed in target.seeds()} == set(range(len(target.ways)))
    assert all(len(seed) <= target.most for seed in target.seeds())


def test_a_crash_and_a_hang_are_seen(monkeypatch):
    """An undeclared error comes out of a target, and an endless loop is ended: fuzzing can find them."""
    broken = Target("fuzz.bundle", 1)
    monkeypatch.setitem(broken.__dict__, "ways", {"crash": lambda data: data[7], "hang": endless})
    with pytest.raises(IndexError):
        broken.run(b"\0")
    with pytest.raises(HangError), in_time():
        broken.run(b"\1")


def endless(_):
    while True:
        pass
