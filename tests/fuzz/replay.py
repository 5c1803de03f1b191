"""Runs the kept corpora and the seeds once, in a process of their own, and prints what each took as JSON."""

import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"

from fuzz.bounds import in_time
from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def _mebibytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def replay(name: str) -> dict[str, object]:
    """How many inputs, how many of them were taken, what broke, the slowest in seconds, MiB grown."""
    target = TARGETS[name]
    seeds = [(f"seed {n}", seed) for n, seed in enumerate(target.seeds())]
    target.run(seeds[0][1])  # what is loaded at first use is no input's doing
    before, slowest, taken, broken = _mebibytes(), 0.0, 0, []
    inputs = [*seeds, *((path.name, path.read_bytes()) for path in sorted((CORPUS / name).iterdir()))]
    for label, data in inputs:
        began = time.process_time()
        try:
            with in_time():
                taken += target.run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            broken.append(f"{label}: {type(error).__name__}")
        slowest = max(slowest, time.process_time() - began)
    return {
        "inputs": len(inputs),
        "taken": taken,
        "broken": broken,
        "slowest": slowest,
        "grown": _mebibytes() - before,
    }


if __name__ == "__main__":
    json.dump({name: replay(name) for name in TARGETS}, sys.stdout)
