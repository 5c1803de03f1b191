"""A seeded hundredth of the mutants of the core; `make test-long` tries them all."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.timeout(180)
def test_a_hundredth_of_the_mutants_is_killed():
    """Each wrong edit of a seeded hundredth fails the tests of its module, or is excused."""
    command = [sys.executable, str(TESTS / "mutation.py"), "--sample", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed" in done.stdout


def test_removing_a_check_is_noticed():
    """The tool itself works: every edit of a small module is made, each in one place."""
    from mutators import mutants

    source = "def f(a, b=1):\n    if not a and b < 2:\n        raise ValueError\n    g(b)\n    return a\n"
    names = [mutant.name for mutant in mutants("m.py", source)]
    assert names == [
        "f: 1 => 2",
        "f: 1 => (0)",
        "f: not a and b < 2 => (b < 2)",
        "f: not a and b < 2 => (not a)",
        "f: not a => (a)",
        "f: b < 2 => (b <= 2)",
        "f: b < 2 => (b >= 2)",
        "f: 2 => 3",
        "f: 2 => (1)",
        "f: raise ValueError => pass",
        "f: g(b) => pass",
    ]
