"""The tables of docs/normalisation.md say what the code does."""

import re
from pathlib import Path

import polars as pl
import pytest

from gateway.linkage.names import forename_parts, surname_parts
from gateway.linkage.scheme import V1

PAGE = (Path(__file__).parents[2] / "docs" / "normalisation.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([gs]\w?) \| (`.+`) \| `(.+)` \|.*\|$", PAGE, re.MULTILINE)


def typed(text):
    return re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)


EXAMPLES = [(part, typed(cell), out) for part, cells, out in ROWS for cell in re.findall("`([^`]+)`", cells)]


def test_the_page_has_its_examples():
    """The tables are found, and show forenames, surnames, barrels and sounds."""
    assert len(EXAMPLES) > 200
    assert {part for part, _, _ in EXAMPLES} >= {"gk", "g1", "g3", "gS", "s", "sl", "sk", "sS"}


@pytest.mark.parametrize("part", sorted({part for part, _, _ in EXAMPLES}))
def test_every_example_is_true(part):
    """Each spelling of the page gives the part that the page says."""
    column, fold = ("forename", forename_parts) if part.startswith("g") else ("surname", surname_parts)
    said = {cell: None if out == "—" else out for name, cell, out in EXAMPLES if name == part}
    found = fold(pl.DataFrame({column: list(said)}), V1.placeholders)
    assert dict(found.select(column, part).iter_rows()) == said
