"""A copy of the shipped policies that a test spoils, and what the loader says of it."""

import shutil
from pathlib import Path

import pytest

from policies.loader import builtin, load
from policies.reading import PolicyFileError

HEALTH = "datasets/health-trust.toml"
POLICE = "datasets/police-force.toml"


def copied(folder: Path) -> Path:
    """Copy the shipped policies, without their texts, to a folder."""
    for room in ("law", "frameworks", "datasets"):
        shutil.copytree(builtin() / room, folder / room)
    return folder


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    """Replace the first `old`, which must be there."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))


def problems(*folders: Path) -> list[tuple[str, str, str]]:
    """File, key and reason of each problem; loading must fail."""
    with pytest.raises(PolicyFileError) as caught:
        load(*folders)
    return [(problem.file, problem.key, problem.reason) for problem in caught.value.problems]
