"""Every kind of entry that is written has a row in docs/log-format.md, and a SIEM is told what it is."""

import re
from pathlib import Path

import pytest

from gateway.exports import ecs

ROOT = Path(__file__).parents[2]
GROUPS = "exchange|agreement|partner|user|log|policies|keys|access|review|witness|proposal"


def written() -> set[str]:
    """Kinds that stand in the use cases as literals, and the two made of a status."""
    code = "".join(path.read_text() for path in (ROOT / "gateway" / "service").glob("*.py"))
    return {*re.findall(rf'"((?:{GROUPS})\.[a-z-]+)"', code), "exchange.declined", "exchange.failed"}


def documented() -> set[str]:
    page = (ROOT / "docs" / "log-format.md").read_text()
    table = page.split("## Kinds of entry")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    return {kind for cell in cells for kind in re.findall(r"`([a-z]+\.[a-z-]+)`", cell)}


def test_the_table_names_what_is_written():
    """Every kind that a use case writes has a row, and no row is of a kind that none writes."""
    assert documented() == written()


@pytest.mark.parametrize("kind", sorted(written()))
def test_a_siem_is_told_what_a_kind_is(kind):
    """Each kind has its category, types and outcome in Elastic Common Schema."""
    assert kind in ecs.KINDS
