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
    assert "Good: 21 datasets" in result.stdout


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
    assert "Power to answer: Crime and Disorder Act 1998 s.115" in result.stdout
    assert "The question itself discloses something" in result.stdout


def test_explain_tells_a_refusal_as_json():
    """A refusal exits 4, and --json prints the decision."""
    result = _run("explain", "--dataset", "health-trust", "--purpose", "results-claim", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["permitted"] is False


def test_explain_tells_a_prohibition_from_a_refusal():
    """What law forbids is set apart from what a policy does not permit."""
    asked = ("explain", "--dataset", "health-trust", "--purpose")
    assert "- Forbidden: " in _run(*asked, "serious-violence").stdout
    refused = _run(*asked, "results-claim").stdout
    assert "- Not permitted: " in refused
    assert "Forbidden" not in refused


def test_explain_judges_a_list(tmp_path):
    """With a list its own size is judged, and each row that would stay behind is named by line and reason."""
    file = tmp_path / "list.csv"
    file.write_text(
        "household_id,person_id,forename,surname,dob,postcode,met_indicators\n"
        "h1,p1,Ann,Example,1990-01-01,LS1 4AP,work.neet\nh1,p2,Bob,Example,2015-06-30,LS1 4AP,\n"
        "h2,p3,Cat,Sample,1990-01-01,LS1 4AP,\n"
    )
    asked = ("explain", "--dataset", "police-force", "--purpose", "identify", "--at", "2026-11-22")
    result = _run(*asked, "--list", str(file))
    assert result.exit_code == 0
    assert "1 of 3 people would stay behind" in result.stdout
    assert "[no-indicator-met]: 1, at line 4" in result.stdout
    assert "Sample" not in result.stdout


def test_explain_writes_markdown():
    """The page is Markdown with a heading for each section."""
    text = _run("explain", "--dataset", "police-force", "--purpose", "identify", "--markdown").stdout
    assert text.startswith("# police-force: identify")
    assert "\n## Law of the answer\n" in text


def test_check_warns_of_unconfirmed_law_and_of_what_nothing_permits(tmp_path):
    """A good folder may still rest on unread law, or hold a dataset that no law of today carries."""
    (tmp_path / "datasets").mkdir()
    text = (builtin() / "datasets/police-force.toml").read_text().replace('"police-force"', '"mine"')
    text = text.replace('"uk-gdpr", "uk-gdpr-2026"', '"uk-gdpr"')
    (tmp_path / "datasets/mine.toml").write_text(text)
    told = _run("check", str(tmp_path)).stderr
    assert "datasets/mine.toml: no purpose of it is permitted" in told
    assert "datasets/prison.toml: rests on unconfirmed law" in told


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
