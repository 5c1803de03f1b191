"""Each law entry, line by line: on which day, between whom, for what and with what it stands."""

from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from policies.grounds import grounds
from policies.loader import builtin, load
from policies.model import LawEntry, Serves

LAW = load(builtin())
TABLE = Path(__file__).parent / "policies" / "conditions.txt"
ROWS = [
    [cell.strip() for cell in line.split("|")]
    for line in TABLE.read_text().splitlines()
    if line and not line.startswith(("#", "at "))
]


def _answer(at: str, discloser: str, recipient: str, purpose: str, carries: str, cited: str) -> str:
    def find(key: str) -> LawEntry | None:
        entry = LAW.law_on(key, date.fromisoformat(at))
        return entry if entry is not None and entry.covers(discloser, recipient, purpose) else None

    return "stands" if grounds(cited.split(), Serves(carries), find) else "falls"


@pytest.mark.parametrize("chunk", range(8))
def test_conditions_table(chunk):
    """Each line of conditions.txt stands or falls as it says."""
    for at, discloser, recipient, purpose, carries, answer, cited in ROWS[chunk::8]:
        told = (at, discloser, recipient, purpose, carries, cited)
        assert _answer(*told) == answer, told


def test_every_entry_stands_somewhere_and_falls_somewhere():
    """Each entry that can carry a requirement has a line of either kind; the rest never stand alone."""
    answers = defaultdict(set)
    for row in ROWS:
        for cited in row[6].split():
            answers[cited].add(row[5])
    for key, (entry, *_) in LAW.law.items():
        if Serves.PROHIBITION in entry.serves:
            continue
        alone = set(entry.serves) == {Serves.SUPPORT}
        assert "falls" in answers[key]
        assert "stands" in answers[key] or alone or not entry.commenced


def test_each_regime_ends_where_the_next_begins():
    """On each border of the regimes the conditions of the old one fall and those of the new one stand."""
    days = {(row[0], row[5]) for row in ROWS}
    for last, first in (("2018-05-24", "2018-05-25"), ("2020-12-30", "2020-12-31")):
        assert {(last, "stands"), (last, "falls"), (first, "stands"), (first, "falls")} <= days
    assert {("2026-02-04", "falls"), ("2026-02-05", "stands")} <= days
