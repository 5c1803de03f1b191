"""Inputs made to hurt are refused, and cheaply: tried in a process of its own, which is held to a budget."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import DOCUMENTS, LISTS

ROOT = Path(__file__).parents[2]
SECONDS = 5.0
"""Of processor time: generous, for a slow machine; what is refused at sight takes a hundredth."""
AT_SIGHT = 20
"""MiB that may be taken by what is refused from its outside alone."""
READ_WHOLE = {
    "a CSV line of 60 MB": 700,
    "a CSV quote that never ends": 700,
    "a CSV row of a million cells": 100,
}
"""MiB for what is within the limit of an upload, and read: some ten times its own size."""


@pytest.fixture(scope="module")
def tried():
    """What `hostile` says of each case."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    run = subprocess.run(
        [sys.executable, "-m", "hostile"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        timeout=240,
    )
    assert run.returncode == 0, run.stderr.decode()[-2000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", [*LISTS, *DOCUMENTS])
def test_what_is_made_to_hurt_is_refused_cheaply(tried, name):
    """It ends in a declared error, within seconds and a bounded piece of memory."""
    told = tried[name]
    assert told["outcome"] == "refused", told["text"]
    assert told["seconds"] < SECONDS
    assert told["grown"] < READ_WHOLE.get(name, AT_SIGHT)


@pytest.mark.parametrize("name", ["an external entity", "a parameter entity", "a billion laughs"])
def test_no_entity_is_looked_at(tried, name):
    """A workbook that declares entities is refused for that, before anything resolves them."""
    assert "declares XML entities" in tried[name]["text"]
