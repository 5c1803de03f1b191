"""Coverage-guided fuzzing: `python tests/fuzz/run.py [TARGET ...] --seconds 600`.

Exits with 1 and leaves the input in build/fuzz/TARGET when one crashes, hangs or takes too much memory.
`--keep` puts what was learned into tests/fuzz/corpus/TARGET: as few and as small inputs as reach that code.
"""

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz.targets import Target

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).resolve().parent / "corpus"
MEMORY_MIB = 1024
HANG_SECONDS = 20  # on the clock: a hang outside Python, which no signal handler sees
KEEP = 150
"""Files of a kept corpus at most, the smallest first: what `make test` replays in seconds."""


def _child(name: str, arguments: list[str]) -> None:
    """Fuzz in this process; libFuzzer ends it. It starts itself anew, by the first argument, to merge."""
    import atheris

    os.environ["POLARS_MAX_THREADS"] = "1"
    with atheris.instrument_imports(include=["gateway", "audit", "policies", "adapters"]):
        from fuzz.bounds import in_time
        from fuzz.targets import TARGETS

        target = TARGETS[name]
        target.ways  # noqa: B018 - imports what is fuzzed, instrumented

    def one(data: bytes) -> None:
        with in_time():
            target.run(data)

    atheris.Setup(arguments, one)
    atheris.Fuzz()


def _start(name: str, arguments: list[str]) -> subprocess.CompletedProcess:
    starter = ROOT / "build" / "fuzz" / name / "start"
    program = shlex.join([sys.executable, __file__, name, "--child", str(starter)])
    starter.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    starter.chmod(0o700)
    return subprocess.run([starter, *arguments], check=False, cwd=ROOT, stderr=subprocess.PIPE)


def _keep(name: str, found: Path, flags: list[str]) -> int:
    """Merge what was found into the kept corpus; how many files it has now."""
    kept = CORPUS / name
    with tempfile.TemporaryDirectory() as temporary:
        merged = Path(temporary)
        merging = _start(name, ["-merge=1", *flags, *map(str, (merged, kept, found))])
        if merging.returncode:
            raise SystemExit(f"{name}: merging failed: {merging.stderr[-500:].decode(errors='replace')}")
        smallest = sorted(merged.iterdir(), key=lambda path: (path.stat().st_size, path.name))[:KEEP]
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for path in smallest:
            data = path.read_bytes()
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(smallest)


def _fuzz(target: "Target", name: str, seconds: int, *, keep: bool) -> bool:
    """Fuzz one target, say what came of it, and whether nothing was found."""
    work = ROOT / "build" / "fuzz" / name
    found, kept = work / "corpus", CORPUS / name
    found.mkdir(parents=True, exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (found / f"seed{number}").write_bytes(seed)
    bounds = [f"-max_len={target.most}", f"-rss_limit_mb={MEMORY_MIB}", f"-timeout={HANG_SECONDS}"]
    flags = [f"-max_total_time={seconds}", f"-artifact_prefix={work}/", "-print_final_stats=1"]
    run = _start(name, [*bounds, *flags, str(found), str(kept)])
    told = run.stderr.decode(errors="replace")
    (work / "last.log").write_text(told)
    executed, peak = (_stat(told, stat) for stat in ("number_of_executed_units", "peak_rss_mb"))
    outcome = f"FAILED: see {work}/last.log, and the input beside it" if run.returncode else "nothing found"
    print(f"{name}: {executed} inputs, {peak} MiB at most: {outcome}", flush=True)
    if keep and not run.returncode:
        print(f"{name}: {_keep(name, found, bounds)} inputs kept", flush=True)
    return run.returncode == 0


def _stat(told: str, name: str) -> str:
    return (re.findall(rf"{name}:\s+(\d+)", told) or ["?"])[-1]


def main() -> int:
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    if sys.argv[2:3] == ["--child"]:
        _child(sys.argv[1], sys.argv[3:])
    from fuzz.targets import TARGETS

    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="*", help="all if none is named")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    names = given.targets or list(TARGETS)
    clean = [_fuzz(TARGETS[name], name, given.seconds, keep=given.keep) for name in names]
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
