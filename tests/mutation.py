"""Mutation testing: edit a module in one place, run its tests, expect them to fail.

    python tests/mutation.py                    every mutant of every module
    python tests/mutation.py --module merkle    of the modules whose path holds this
    python tests/mutation.py --sample 100       a seeded hundredth

Each mutant is tried in a copy of the checkout, by a process forked from this one, which has imported what the
tests import from others: that halves the time. Exits 1 when a mutant survives that is not excused in
tests/mutation_accepted.toml, or when that file excuses one that is no more.
"""

import argparse
import importlib
import importlib.util
import math
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings
from mutators import Mutant, mutants

ROOT: Final = Path(__file__).parent.parent
ACCEPTED: Final = ROOT / "tests" / "mutation_accepted.toml"
_POLICIES: Final = (
    "unit/test_mutants_policies.py",
    "unit/test_decision_pins.py",
    "unit/test_policies_decision.py",
    "spec/test_policies_tables.py",
)
_JOB: Final = (
    "unit/test_service_job.py",
    "fault/test_review_findings.py",
    "fault/test_log_before_send.py",
    "unit/test_mutants_service.py",
    "unit/test_mutants_replies.py",
)
MODULES: Final = {
    "audit/merkle.py": (
        "unit/test_mutants_merkle.py",
        "unit/test_published_vectors.py",
        "property/test_merkle_properties.py",
    ),
    "audit/checkpoint.py": ("unit/test_audit_checkpoint.py", "unit/test_mutants_notes.py"),
    "policies/decision.py": _POLICIES,
    "policies/grounds.py": _POLICIES,
    "policies/legs.py": _POLICIES,
    "policies/verdict.py": _POLICIES,
    "gateway/bundle/open.py": (
        "unit/test_mutants_bundle.py",
        "unit/test_bundle_request.py",
        "unit/test_bundle_answer.py",
    ),
    "gateway/bundle/tables.py": (
        "unit/test_mutants_bundle.py",
        "unit/test_bundle_table.py",
        "unit/test_bundle_answer.py",
        "property/test_bundle_properties.py",
    ),
    "gateway/linkage/score.py": (
        "unit/test_linkage_score.py",
        "unit/test_linkage_vectors.py",
        "property/test_linkage_score_properties.py",
    ),
    "gateway/linkage/resolve.py": (
        "unit/test_mutants_linkage.py",
        "unit/test_linkage_resolve.py",
        "property/test_linkage_resolve_properties.py",
    ),
    "gateway/service/submit.py": (
        "unit/test_service_job.py",
        "unit/test_mutants_service.py",
        "unit/test_review_service.py",
    ),
    "gateway/service/dispatch.py": _JOB,
    "gateway/service/answers.py": _JOB,
    "gateway/service/release.py": _JOB,
    "gateway/service/access.py": ("unit/test_mutants_access.py", "web/test_token.py"),
    "gateway/service/sealing.py": ("unit/test_mutants_sealing.py",),
}
_COPIED: Final = (
    "adapters",
    "audit",
    "examples",
    "gateway",
    "policies",
    "tests",
    "openapi",
    "pyproject.toml",
)
_SLOWER: Final = 4  # times the processor's seconds that the tests take unedited: then it loops
_LOOPS: Final = 8  # processor's seconds, where it is not known how many they take
_HANGS: Final = 120  # seconds of the clock
_MEMORY: Final = 8 << 30  # bytes of address space: a loop without end stops here or at its time
_BROKEN: Final = 70
_SAYS_NOTHING: Final = (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED, _BROKEN)
# not polars: it starts threads on import, and a forked process has none of them
_OTHERS: Final = ("cryptography", "joserfc.jwt", "fastapi", "dbos", "httpx", "alembic")


def main() -> int:
    parser = argparse.ArgumentParser(description="mutation testing")
    parser.add_argument("--module", default="", help="a part of the module's path")
    parser.add_argument("--sample", type=int, default=0, help="one mutant in so many, without the first run")
    parser.add_argument("--seed", type=int, default=2)
    told = parser.parse_args()
    paths = [path for path in MODULES if told.module in path]
    made = {path: mutants(path, (ROOT / path).read_text()) for path in paths}
    accepted = tomllib.loads(ACCEPTED.read_text())
    gone = list(_unknown(accepted, made))
    if told.sample:
        made = _sampled(made, told.sample, told.seed)
    _import_others()
    with tempfile.TemporaryDirectory() as folder:
        checkout = _copied(Path(folder))
        survivors = [
            mutant
            for path in paths
            if made[path]
            for mutant in _survivors(checkout, path, made[path], accepted, known_good=bool(told.sample))
        ]
    for name in gone:
        sys.stdout.write(f"accepted, but there is no such mutant: {name}\n")
    return 1 if survivors or gone else 0


def _survivors(
    checkout: Path,
    path: str,
    made: Sequence[Mutant],
    accepted: dict[str, dict[str, str]],
    *,
    known_good: bool,
) -> list[Mutant]:
    tests = [str(checkout / "tests" / test) for test in MODULES[path]]
    limit = _LOOPS if known_good else _SLOWER * _checked(checkout, path, tests)
    excused = [mutant for mutant in made if mutant.name in accepted.get(path, {})]
    started = time.monotonic()
    survived = [m for m in made if m not in excused and not _killed(checkout, m, tests, limit)]
    killed = len(made) - len(excused) - len(survived)
    sys.stdout.write(
        f"{path}: {len(made)} mutants, {killed} killed, {len(excused)} accepted, {len(survived)} survived"
        f" ({time.monotonic() - started:.0f} s)\n"
    )
    for mutant in survived:
        sys.stdout.write(f"survived: {path}:{mutant.line}: {mutant.name}\n")
    sys.stdout.flush()
    return survived


def _checked(checkout: Path, path: str, tests: Sequence[str]) -> int:
    """Processor's seconds with nothing edited; the tests must pass then, or all mutants would seem killed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    if _pytest(checkout, tests, _HANGS) != pytest.ExitCode.OK:
        raise SystemExit(f"{path}: its tests fail with nothing edited")
    return math.ceil(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)


def _killed(checkout: Path, mutant: Mutant, tests: Sequence[str], limit: int) -> bool:
    module = checkout / mutant.path
    Path(importlib.util.cache_from_source(str(module))).unlink(missing_ok=True)
    original = module.read_bytes()
    try:
        module.write_text(mutant.source)
        return _pytest(checkout, tests, limit) != pytest.ExitCode.OK
    finally:
        module.write_bytes(original)


def _pytest(checkout: Path, tests: Sequence[str], limit: int) -> int | None:
    """Pytest's exit code, or that of a process stopped after `limit` processor's seconds; None: it hung."""
    child = multiprocessing.get_context("fork").Process(target=_run, args=(checkout, tests, limit))
    child.start()
    child.join(_HANGS)
    if child.is_alive():
        child.kill()
        child.join()
        return None
    if child.exitcode in _SAYS_NOTHING:
        raise SystemExit(f"pytest itself failed ({child.exitcode}), over {' '.join(tests)}")
    return child.exitcode


def _run(checkout: Path, tests: Sequence[str], limit: int) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(checkout)
    sys.path[:] = [
        place for place in sys.path if Path(place) != ROOT / "tests"
    ]  # the copy's stand in for them
    sys.dont_write_bytecode = True  # two edits within a second would share one cached file
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    quick = "not long and not postgres and not processes"
    early = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"  # see `_import_others`
    settings.register_profile(
        "mutation", deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
    )
    options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(checkout), "-m", quick, "-W", early]
    options += ["--hypothesis-profile", "mutation"]  # any counterexample will do, so none is shrunk
    code = _BROKEN
    try:
        code = pytest.main([*options, *tests])
    finally:
        os._exit(code)


def _copied(folder: Path) -> Path:
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy2(ROOT / name, folder)
    return folder


def _sampled(made: dict[str, list[Mutant]], share: int, seed: int) -> dict[str, list[Mutant]]:
    every = [mutant for group in made.values() for mutant in group]
    chosen = random.Random(seed).sample(every, -(-len(every) // share))  # noqa: S311 - seeded, so it repeats
    return {path: [mutant for mutant in chosen if mutant.path == path] for path in made}


def _unknown(accepted: dict[str, dict[str, str]], made: dict[str, list[Mutant]]) -> Iterable[str]:
    for path in accepted.keys() & made.keys():
        names = {mutant.name for mutant in made[path]}
        yield from (f"{path}: {name}" for name in accepted[path] if name not in names)


def _import_others() -> None:
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    for name in _OTHERS:
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
