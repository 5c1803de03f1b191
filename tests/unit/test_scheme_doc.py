"""docs/scheme-v1.md names what scheme v1 has, and the vectors show what it says."""

import json
import re
from pathlib import Path

from gateway.linkage.resolve import MAX_ALIKE
from gateway.linkage.scheme import PARTS, V1

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scheme-v1.md").read_text(encoding="utf-8")
VECTORS = json.loads((ROOT / "tests" / "vectors" / "linkage" / "v1.json").read_text(encoding="utf-8"))
PARTS_TABLE, LEVELS_TABLE = (PAGE.split(title)[1].split("\n## ")[0] for title in ("## 1.", "## 4."))


def first_cells(section):
    cells = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall("`([^`]+)`", cell)]


def test_every_part_is_described_once():
    """The table of parts names exactly the parts that are made."""
    described = first_cells(PARTS_TABLE)
    assert sorted(described) == sorted(PARTS)


def test_every_share_of_a_level_is_described():
    """The table of shares names exactly the columns of a level."""
    level = V1.levels["birth"][0]
    assert set(first_cells(LEVELS_TABLE)) == {name for name in level.__slots__ if name != "agree"}


def test_the_crowd_is_as_large_as_the_page_says():
    """The number of slots that may share a token is the code's."""
    assert f"more than {MAX_ALIKE} slots" in PAGE


def test_every_table_of_the_scheme_is_mentioned():
    """Each weight, each number of a home and of acceptance is used in a formula of the page."""
    weights, home = (rows.__slots__ for rows in (V1.weights, V1.home))
    assert all(f"w.{name}" in PAGE for name in weights)
    assert all(f"h.{name}" in PAGE for name in home)
    assert {"margin", "caution"} <= set(re.findall(r"\w+", PAGE))


def test_the_vectors_show_every_case_of_the_formulas():
    """Complete and incomplete pairs, several sizes, overlaps and namesakes, and nothing in common."""
    scores = VECTORS["scores"]
    assert {bool(case["agree"]) for case in scores} == {True, False}
    assert {len(case["both"]) == len(V1.labels) for case in scores} == {True, False}
    for column in ("register_size", "overlap", "namesakes"):
        assert len({case[column] for case in scores}) > 2
    assert {case["score"] < case["together"] for case in scores} == {True, False}
    assert any(pair["namesakes"] > 1 for pair in VECTORS["linking"]["pairs"])
