"""The command line as a whole: how it ends, and what it says when it fails."""

import pytest

from gateway.cli import lists
from gateway.cli.main import run
from gateway.cli.output import count, out, table

NAME = "Zoe Example"


def test_version(capsys):
    """`--version` prints the distribution's version and exits 0."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("flagstone 0.")


def test_an_unforeseen_error_shows_where_and_never_what(monkeypatch, capsys):
    """The text of an unforeseen error may quote a person: type and place are shown, no text, no traceback."""

    def choke(*_, **__):
        raise RuntimeError(NAME)

    monkeypatch.setattr(lists, "read_household_list", choke)
    assert run(["list", "check", __file__]) == 1
    said = capsys.readouterr()
    assert "unexpected RuntimeError at gateway/cli/main.py:" in said.err
    assert "cli/lists.py:" in said.err
    assert NAME not in said.out + said.err
    assert "Traceback" not in said.err


def test_a_file_that_can_not_be_written_is_an_error_of_one_line(tmp_path, monkeypatch, capsys):
    """A missing folder is named, without a traceback, and the keys that were made are told of first."""
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path / "home"))
    public = tmp_path / "missing" / "council.json"
    assert run(["keys", "new", "--slug", "borough", "--name", "Borough", "--public", str(public)]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith("error: ")
    assert "missing/council.json: No such file or directory" in said.err
    assert "keys of Borough are made" in said.err


def test_no_cell_is_cut_short(capsys):
    """A fingerprint is whole at any width, and what looks like markup stays as it is."""
    out.print(table("Keys", "Key", rows=[("ABCD-EFGH-" * 20,), ("[red]H[1] :smile:",)]), width=40)
    said = capsys.readouterr().out
    assert "".join(line.strip("│ ") for line in said.splitlines() if "-" in line) == "ABCD-EFGH-" * 20
    assert "[red]H[1] :smile:" in said
    assert "…" not in said


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")])
def test_count(number, text):
    """One is singular."""
    assert count(number, "row") == text
