"""`flagstone exchange`: exit codes, files and words, against a gateway that answers what a test says."""

import json

import httpx
import pytest
from fake_api import serve_api

from gateway.cli.main import run

ID = "7a3f2a54-cda8-49c1-b5db-5fcccf0eb816"
ASK = ["--dataset", "health-trust", "--purpose", "identify"]
PERMITTED = {
    "exchange": ID,
    "decision": {
        "basis": [{"citation": "Children Act 2004 s.10"}],
        "unconfirmed": ["Children Act 2004 s.10"],
    },
    "withheld": [],
    "rejected": [{"line": 4, "column": "dob", "reason": "before 1900"}],
    "repeated": False,
}
UNMET = {"requirement": "The purpose is allowed", "citation": "Article 5(1)(b)", "remedy": "Ask for another"}
DECISION = {"dataset": "health-trust", "purpose": "unknown", "unmet": [UNMET]}
RESULTS = {
    "dataset": "health-trust",
    "units": [
        {"household_id": "H[1]", "person_id": None, "flags": []},
        {"household_id": "H2", "person_id": None, "flags": ["health.a", "health.b"]},
    ],
    "register_date": "2026-11-22",
    "register_complete": {"dob": 995, "nhs_number": 0},
    "withheld": [{"line": 6, "household_id": "H3", "person_id": "P5", "reason": "no-consent"}],
}


@pytest.fixture
def gateway(monkeypatch):
    """Let each request be answered from a list; the requests are kept."""

    class Gateway:
        def __init__(self):
            self.answers, self.asked = [], []

        def answer(self, status, body):
            self.answers.append(httpx.Response(status, json=body))

        def __call__(self, request):
            self.asked.append(request)
            return self.answers.pop(0)

    made = Gateway()

    serve_api(monkeypatch, "exchange", made)
    return made


@pytest.fixture
def families(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "families.csv").write_text("household_id,person_id,forename\nA,1,Ann\n")
    return tmp_path


def test_unconfirmed_law_says_so(gateway, families, capsys):
    """A permit that rests on law which nobody has confirmed at its source says so beside the citation."""
    gateway.answer(201, PERMITTED)
    assert run(["exchange", "submit", "families.csv", *ASK]) == 0
    assert "Children Act 2004 s.10 (unconfirmed)" in capsys.readouterr().err


def test_bad_rows_left_out_go_to_a_file(gateway, families, capsys):
    """`--accept-valid` writes the rejects beside the caller even when no file is named; the id is printed."""
    gateway.answer(201, PERMITTED)
    assert run(["exchange", "submit", "families.csv", *ASK, "--accept-valid"]) == 0
    assert capsys.readouterr().out.strip() == ID
    assert (families / "families.csv.rejects.csv").read_text() == "line,column,reason\n4,dob,before 1900\n"


def test_rejects_that_can_not_be_written_stop_before_anything_is_sent(gateway, families, capsys):
    """The list is not sent when there is nowhere to write its rejects."""
    argv = ["exchange", "submit", "families.csv", *ASK, "--accept-valid", "--rejects", "no/where.csv"]
    assert run(argv) == 2
    assert not gateway.asked
    assert "no/where.csv: can't be written" in capsys.readouterr().err


def test_a_refused_list_names_its_rows_and_the_way_out(gateway, families, capsys):
    """Bad rows exit 3, are written where `--rejects` says, and the option that goes on is named."""
    gateway.answer(
        422, {"type": "urn:flagstone:problem:bad-rows", "detail": "x", "rows": PERMITTED["rejected"]}
    )
    assert run(["exchange", "submit", "families.csv", *ASK, "--rejects", "r.csv"]) == 3
    said = capsys.readouterr()
    assert "--accept-valid" in said.err.splitlines()[-1]
    assert "4,dob,before 1900" in (families / "r.csv").read_text()


def test_a_refusal_is_a_table_and_exit_4(gateway, families, capsys):
    """Requirement, citation and remedy are shown once, and that nothing was sent."""
    gateway.answer(
        403, {"type": "urn:flagstone:problem:refused-by-policy", "detail": "x", "decision": DECISION}
    )
    assert run(["exchange", "submit", "families.csv", *ASK]) == 4
    said = capsys.readouterr().err
    for text in UNMET.values():
        assert said.count(text) == 1
    assert said.splitlines()[-1] == "Refused. Nothing was sent; the refusal stands in the log"


def test_a_refusal_as_json(gateway, families, capsys):
    """With `--json` the problem document is printed, and the exit code is 4 all the same."""
    gateway.answer(
        403, {"type": "urn:flagstone:problem:refused-by-policy", "detail": "x", "decision": DECISION}
    )
    assert run(["exchange", "submit", "families.csv", *ASK, "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["decision"] == DECISION


def test_a_malformed_parameter_is_named(gateway, families, capsys):
    """What the gateway finds wrong with an option is told by name and reason."""
    wrong = {"place": "header", "name": "Idempotency-Key", "reason": "is not of the documented form"}
    gateway.answer(422, {"type": "x", "detail": "See parameters", "parameters": [wrong]})
    assert run(["exchange", "submit", "families.csv", *ASK, "--idempotency-key", "k"]) == 3
    assert "error: Idempotency-Key is not of the documented form. See --help" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code"),
    [("sent", 3), ("cancelled", 3), ("declined", 6), ("expired", 6), ("failed", 6)],
)
def test_results_say_why_there_are_none(gateway, capsys, status, code):
    """A partner's failure exits 6; one that may still answer exits 3 and names `--wait`."""
    gateway.answer(200, {"status": status})
    assert run(["exchange", "results", ID]) == code
    assert ("--wait" in capsys.readouterr().err) == (status == "sent")


def test_results_wait_for_the_release(gateway, capsys):
    """`--wait` asks again until the exchange has ended, then prints flags, completeness, withheld rows."""
    gateway.answer(200, {"status": "sent"})
    gateway.answer(200, {"status": "released"})
    gateway.answer(200, RESULTS)
    assert run(["exchange", "results", ID, "--wait", "30"]) == 0
    said = capsys.readouterr().out
    assert said.index("H2") < said.index("H[1]")
    assert "no flag returned: not evidence of absence" in said
    assert "complete in: dob 99%, nhs_number 0%" in said
    assert "explicit consent is not recorded" in said


def test_exchanges_are_listed(gateway, capsys):
    """Every exchange has its whole id, dataset, purpose, moment and status."""
    line = {"exchange": ID, "dataset": "health-trust", "purpose": "identify", "status": "sent"}
    gateway.answer(200, {"exchanges": [{**line, "submitted_at": "2026-11-22T07:05:54.132309Z"}]})
    assert run(["exchange", "list"]) == 0
    said = capsys.readouterr().out
    assert all(text in said for text in (ID, "health-trust", "identify", "07:05:54", "sent"))


def test_a_token_of_the_wrong_form_is_a_setting_to_correct(monkeypatch, capsys):
    """An empty token is no network failure: the setting is named, the exit code is 2."""
    monkeypatch.setenv("FLAGSTONE_TOKEN", " ")
    assert run(["exchange", "list"]) == 2
    assert "FLAGSTONE_TOKEN" in capsys.readouterr().err
