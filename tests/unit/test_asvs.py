"""docs/asvs.md answers every requirement of ASVS 5.0.0 at levels 1 and 2, with evidence that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "asvs.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
ANSWERS = {"met", "n/a", "operator", "not met"}
# section -> the numbers in it that are of level 1 or 2, as ranges
LEVEL_2 = """
1.1:1-2 1.2:1-9 1.3:1-11 1.4:1-3 1.5:1-2 2.1:1-3 2.2:1-3 2.3:1-4 2.4:1 3.2:1-2 3.3:1-4 3.4:1-6 3.5:1-5 3.7:1-2
4.1:1-3 4.2:1 4.3:1-2 4.4:1-4 5.1:1 5.2:1-3 5.3:1-2 5.4:1-3 6.1:1-3 6.2:1-12 6.3:1-4 6.4:1-4 6.5:1-5 6.6:1-3
6.8:1-4 7.1:1-3 7.2:1-4 7.3:1-2 7.4:1-5 7.5:1-2 7.6:1-2 8.1:1-2 8.2:1-3 8.3:1 8.4:1 9.1:1-3 9.2:1-4 10.1:1-2
10.2:1-2 10.3:1-4 10.4:1-11 10.5:1-5 10.6:1-2 10.7:1-3 11.1:1-2 11.2:1-3 11.3:1-3 11.4:1-4 11.5:1 11.6:1
12.1:1-3 12.2:1-2 12.3:1-4 13.1:1 13.2:1-5 13.3:1-2 13.4:1-5 14.1:1-2 14.2:1-4 14.3:1-3 15.1:1-3 15.2:1-3
15.3:1-7 16.1:1 16.2:1-5 16.3:1-4 16.4:1-3 16.5:1-3 17.1:1 17.2:1-4 17.3:1-2
"""


def numbers():
    for section, first, last in re.findall(r"(\d+\.\d+):(\d+)(?:-(\d+))?", LEVEL_2):
        yield from (f"{section}.{number}" for number in range(int(first), int(last or first) + 1))


def test_every_requirement_is_answered_once():
    """No number of the two levels is missing, none stands twice, and every answer is one of four."""
    assert [number for number, *_ in ROWS] == list(numbers())
    assert {answer for _, _, answer, _ in ROWS} <= ANSWERS


def test_what_is_not_met_says_why():
    """What doesn't apply, isn't met, or is the operator's says why, in more than a word."""
    assert all(len(why) > 5 for _, _, answer, why in ROWS if answer != "met")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:tests|gateway|adapters|policies|audit|bench)/[^`]+)`", TEXT)))
)
def test_evidence_exists(path):
    """A file that is named exists, and so does a test in it."""
    file, _, test = path.partition("::")
    assert (ROOT / file).exists()
    assert not test or f"def {test}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([a-z0-9./-]+\.md|\.\./[A-Z]+\.md)\)", TEXT))))
def test_pages_exist(link):
    """A page that is linked exists."""
    assert (ROOT / "docs" / link).exists()
