"""`flagstone policy`."""

import json
import shutil

from typer.testing import CliRunner

from gateway.cli.policy import app
from gateway.domain.errors import BadInputError
from policies.loader import builtin


def _run(*arguments: str):
    return CliRunner().invoke(app, arguments)


def test_check_passes_the_shipped_folder():
    """The shipped folder is good, and its digest is printed."""
    result = _run("check", str(builtin()))
    assert result.exit_code == 0
    assert "Good: 20 datasets" in result.stdout


def test_check_names_each_fault(tmp_path):
    """A bad folder exits 3 and names file, key and reason on a line each."""
    (tmp_path / "datasets").mkdir()
    text = (builtin() / "datasets/health-trust.toml").read_text().replace("health-trust", "mine")
    (tmp_path / "datasets/mine.toml").write_text(text.replace('"identify"', '"whim"', 1))
    result = _run("check", str(tmp_path))
    assert result.exit_code == 3
    assert result.stderr.splitlines() == [
        "datasets/mine.toml: purposes: cites whim, which is no purpose of this set"
    ]


def test_check_can_leave_the_shipped_policies_out(tmp_path):
    """A dataset that cites shipped law is good beside it, and dangling alone."""
    (tmp_path / "datasets").mkdir()
    text = (builtin() / "datasets/police-force.toml").read_text().replace('"police-force"', '"mine"')
    (tmp_path / "datasets/mine.toml").write_text(text)
    assert _run("check", str(tmp_path)).exit_code == 0
    assert _run("check", str(tmp_path), "--alone").exit_code == 3


def test_explain_tells_a_permit_in_words():
    """A permit exits 0 and names its gateway."""
    result = _run("explain", "--dataset", "police-force", "--purpose", "identify", "--at", "2026-11-22")
    assert result.exit_code == 0
    assert "gateway-answer: Crime and Disorder Act 1998 s.115" in result.stdout


def test_explain_tells_a_refusal_as_json():
    """A refusal exits 4, and --json prints the decision."""
    result = _run("explain", "--dataset", "health-trust", "--purpose", "results-claim", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["permitted"] is False


def test_explain_knows_further_folders(tmp_path):
    """A dataset of another folder is explained beside the shipped ones."""
    (tmp_path / "datasets").mkdir()
    text = (builtin() / "datasets/police-force.toml").read_text().replace('"police-force"', '"mine"')
    (tmp_path / "datasets/mine.toml").write_text(text)
    asked = ("explain", "--dataset", "mine", "--purpose", "identify", "--folder", str(tmp_path))
    assert _run(*asked).exit_code == 0
    shutil.rmtree(tmp_path / "datasets")
    assert _run(*asked).exit_code == 4


def test_explain_refuses_a_strange_moment():
    """A moment that is none is bad input, and is not repeated."""
    result = _run("explain", "--dataset", "police-force", "--purpose", "identify", "--at", "yesterday")
    assert isinstance(result.exception, BadInputError)
    assert "yesterday" not in str(result.exception)
