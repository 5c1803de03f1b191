"""`flagstone tokens link`: the right file in batches, whatever their size."""

from datetime import date

import polars as pl
import pytest

from gateway.cli.tokens import linking, sources
from gateway.cli.tokens.linking import link_files
from gateway.cli.tokens.making import make
from gateway.cli.tokens.sources import open_file
from gateway.cli.tokens.tables import made_with

SECRET = b"\xab" * 32
TODAY = date(2026, 11, 22)


@pytest.fixture
def files(tmp_path):
    """A list of 40 in a register of 90, with 25 in common."""
    names = ["Quilter", "Rostrevor", "Sandiford", "Tregaskis", "Umpleby", "Venables", "Wadsworth"]
    rows = [
        {
            "person_id": f"p{i}",
            "forename": ["Abel", "Bruna", "Cedric", "Dalia", "Edgar"][i % 5],
            "surname": names[i % 7] + ("-" + names[i // 7 % 7]),
            "dob": f"19{30 + i % 60}-{1 + i % 12:02}-{1 + i % 28:02}",
            "postcode": f"LS{1 + i % 20} {i % 9}AB",
        }
        for i in range(105)
    ]
    pl.DataFrame(rows[:40]).write_csv(tmp_path / "left.csv")
    pl.DataFrame(rows[15:]).reverse().write_parquet(tmp_path / "right.parquet")
    return tmp_path


def linked(folder, left, right):
    link_files(folder / left, folder / right, folder / "pairs.csv", secret=SECRET, today=TODAY, overlap=0.6)
    return (folder / "pairs.csv").read_text()


@pytest.mark.parametrize("size", [1, 7, 13, 1000])
def test_the_size_of_the_batches_makes_no_difference(files, size, monkeypatch):
    """People, tokens, and one of each give the same pairs, however either file is cut."""
    expected = linked(files, "left.csv", "right.parquet")
    assert {tuple(line.split(",")[:2]) for line in expected.splitlines()[1:]} == {
        (f"p{i}", f"p{i}") for i in range(15, 40)
    }
    monkeypatch.setattr(sources, "PART", size)
    monkeypatch.setattr(sources, "PART_BYTES", size * 40)
    monkeypatch.setattr(linking, "_BATCH", size)
    monkeypatch.setattr(linking, "_MOST", 2 * size)
    for name in ("left.csv", "right.parquet"):
        metadata = made_with(SECRET)
        make(open_file(files / name), files / f"{name}.tokens", secret=SECRET, today=TODAY, metadata=metadata)
    for left in ("left.csv", "left.csv.tokens"):
        for right in ("right.parquet", "right.parquet.tokens"):
            assert linked(files, left, right) == expected
