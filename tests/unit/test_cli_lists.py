"""`flagstone list check`: what an analyst reads before anything is sent."""

import pytest

from gateway.cli.main import run

GOOD = """Family Ref,person_id,forename,surname,dob,Notes
A,1,Ann,Lee,1990-02-01,private
A,2,Al,Lee,2015-03-02,x
"""
BAD = "household_id,person_id,forename\nA,1,=SECRET()\n,2,Ann\n"


@pytest.fixture
def checked(tmp_path, capsys):
    def check(text: str, *options: str):
        file = tmp_path / "families.csv"
        file.write_text(text, encoding="utf-8")
        return run(["list", "check", str(file), *options]), capsys.readouterr()

    return check


def test_only_other_names_are_told_and_unread_columns_are_counted(checked):
    """Aliases are named, a column of its proper name is not, and columns that are not read are counted."""
    code, said = checked(GOOD)
    assert code == 0
    assert said.out.splitlines() == [
        "column Family Ref is read as household_id",
        "1 column with other names: not read",
        "2 people in 1 household: every row is good",
    ]


def test_bad_rows_are_told_by_place_and_written_on_request(checked, tmp_path):
    """Exit 3; line, column and reason on the screen and in the file, which only its owner reads; no value."""
    rejects = tmp_path / "rejects.csv"
    code, said = checked(BAD, "--rejects", str(rejects))
    assert code == 3
    assert "families.csv: 2 row errors" in said.err
    assert rejects.read_text().splitlines()[0] == "line,column,reason"
    assert len(rejects.read_text().splitlines()) == 3
    assert rejects.stat().st_mode & 0o077 == 0
    assert "SECRET" not in said.out + said.err + rejects.read_text()


@pytest.mark.parametrize("text", ["", "household_id,person_id,forename\n", "a,b\n1,2\n"])
def test_a_file_without_a_list_is_named(checked, text):
    """An empty file, a header alone and foreign columns exit 3, and the file is named."""
    code, said = checked(text)
    assert code == 3
    assert said.err.startswith("error: families.csv")
