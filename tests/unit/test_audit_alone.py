"""The verifier needs nothing of ours but `audit`, and of others' but `cryptography`."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from audit_samples import exported, log_of, signer
from evidence_samples import DATA, TRUST

import audit
from audit.trust import Trust, write_trust

RUN = """
import runpy, sys
sys.path[:0] = sys.argv.pop(1).split("|")
runpy.run_module("audit", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def alone(tmp_path):
    """A folder with a copy of `audit` and links to `cryptography` and what it loads, no more."""
    shutil.copytree(
        Path(audit.__file__).parent, tmp_path / "audit", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("cryptography", "cffi", "_cffi_backend", "pycparser"):
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            found = origin.parent if spec.submodule_search_locations else origin
            (tmp_path / found.name).symlink_to(found)
    (tmp_path / "export").write_bytes(exported(log_of(300, 100)))
    write_trust(tmp_path / "trust", Trust(signer().verifier))
    return tmp_path


def run(folder: Path, file: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", RUN, str(folder), "verify", file, "--trust", "trust"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_verifier_runs_with_audit_alone(alone):
    """In a process that can import the standard library, `audit` and `cryptography` alone, it verifies."""
    done = run(alone, "export")
    assert (done.returncode, done.stderr) == (0, "")
    assert "all 300 entries" in done.stdout


def test_the_verifier_alone_names_the_wrong_entry(alone):
    """In the same process a changed byte gives exit 5 and the entry's index and kind."""
    data = (alone / "export").read_bytes().replace(b'"number":17,', b'"number":18,')
    (alone / "bad").write_bytes(data)
    done = run(alone, "bad")
    assert done.returncode == 5
    assert "entry 17 (exchange.request-authorised)" in done.stderr


def test_evidence_verifies_with_audit_alone(alone):
    """An evidence file is checked and told in the same process, and an altered one exits 5."""
    write_trust(alone / "trust", TRUST)
    (alone / "evidence").write_bytes(DATA)
    done = run(alone, "evidence")
    assert (done.returncode, done.stderr) == (0, "")
    assert "council asked trust about families" in done.stdout
    (alone / "altered").write_bytes(DATA.replace(b"health.x", b"health.y", 1))
    assert run(alone, "altered").returncode == 5


def test_nothing_of_ours_could_be_imported(alone):
    """The process of these tests can indeed import none of our other packages."""
    probe = "import sys\nsys.path[:0] = [sys.argv[1]]\nimport audit.verify\nimport gateway"
    command = [sys.executable, "-I", "-S", "-c", probe, str(alone)]
    done = subprocess.run(command, cwd=alone, capture_output=True, text=True, check=False, timeout=60)
    assert "No module named 'gateway'" in done.stderr
