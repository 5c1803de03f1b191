"""`flagstone log find --subject`: details come from terminal, standard input or file, and go into a body."""

import io
import json
import sys

import httpx
import pytest
from fake_api import serve_api

from gateway.cli import subject
from gateway.cli.main import run

EXCHANGE = "7a3f2a54-cda8-49c1-b5db-5fcccf0eb816"
ASKED = {
    "exchange": EXCHANGE,
    "matched_by": ["NHS number and date of birth"],
    "asked_at": "2026-11-22T12:00:00+00:00",
    "dataset": "health-trust",
    "recipient": "trust",
    "recipient_name": "Example Trust",
    "purpose": "identify",
    "framework": "local",
    "agreement": "T-1",
    "law": [{"role": "gateway", "id": "ca2004.s10", "title": "", "citation": "Children Act 2004 s.10"}],
    "indicators_asked": ["health.adult_mental_health"],
    "outcome": "released",
    "outcome_at": "2026-11-22T13:00:00+00:00",
    "disclosed": True,
    "released_at": "2026-11-22T13:00:00+00:00",
    "entries": [5, 6, 9],
    "earlier_entries": {"1": [2, 3]},
}
PERSON = "First name,Last name,dob,NHS no\nXanthippe,Quaxelbury,19/07/1983,9434765919\n"
SENT = {"forename": "Xanthippe", "surname": "Quaxelbury", "dob": "19/07/1983", "nhs_number": "9434765919"}


@pytest.fixture
def asked(monkeypatch):
    """Answer every question; the requests that came."""
    requests = []

    def answer(request):
        requests.append(request)
        told = {"looked_at": 3, "asked": [ASKED], "unreadable": [], "note": "no match is no proof"}
        return httpx.Response(200, json=told)

    serve_api(monkeypatch, "subject", answer)
    return requests


class Typed(io.TextIOWrapper):
    """Standard input that is a terminal, or is not."""

    def __init__(self, text, *, terminal):
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8")
        self._terminal = terminal

    def isatty(self):
        return self._terminal


def sent(requests):
    (request,) = requests
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1/v1/log/subject")
    return json.loads(request.content)


def test_a_file_of_one_person_goes_into_the_body(asked, monkeypatch, tmp_path, capsys):
    """Header aliases are known, the URL holds nothing, and the answer says what it does not mean."""
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "one.csv").write_text(PERSON)
    file = str(tmp_path / "one.csv")
    assert run(["log", "find", "--subject", "--reason", "complaint", "--file", file]) == 0
    assert sent(asked) == {"reason": "complaint", "person": SENT}
    said = capsys.readouterr()
    for text in (
        EXCHANGE,
        "Example Trust",
        "Children Act 2004 s.10",
        "5, 6, 9",
        "NHS number and date of birth",
    ):
        assert text in said.out
    assert "1 exchange of 3 looked at" in said.err
    assert "no match is no proof" in said.err
    assert "Quaxelbury" not in said.out + said.err


def test_standard_input_is_read_where_nobody_types(asked, monkeypatch, capsys):
    """A pipe brings a CSV; `--json` prints the answer whole."""
    monkeypatch.setattr(sys, "stdin", Typed(PERSON, terminal=False))
    assert run(["log", "find", "--subject", "--json"]) == 0
    assert sent(asked) == {"reason": "subject-access", "person": SENT}
    assert json.loads(capsys.readouterr().out)["asked"] == [ASKED]


def test_at_a_terminal_each_detail_is_asked_for(asked, monkeypatch):
    """What is left empty is sent empty."""
    monkeypatch.setattr(sys, "stdin", Typed("", terminal=True))
    typed = iter(["Xanthippe", "Quaxelbury", "19/07/1983", "", "", "", ""])
    monkeypatch.setattr(subject.typer, "prompt", lambda *_, **__: next(typed))
    assert run(["log", "find", "--subject"]) == 0
    person = sent(asked)["person"]
    assert {name: text for name, text in person.items() if text} == {
        name: SENT[name] for name in ("forename", "surname", "dob")
    }


@pytest.mark.parametrize("text", ["", "dob\n", f"{PERSON}{PERSON}", "a,b\n1\n", "\xff"])
def test_anything_but_one_person_is_refused(asked, monkeypatch, capsys, text):
    """No row, two rows or ragged ones exit 3, and nothing is sent or repeated."""
    monkeypatch.setattr(sys, "stdin", Typed(text, terminal=False))
    assert run(["log", "find", "--subject"]) == 3
    assert asked == []
    assert "Quaxelbury" not in capsys.readouterr().err


def test_a_subject_goes_without_other_filters(asked, capsys):
    """The two searches are not mixed, and a reason must be one of the list."""
    assert run(["log", "find", "--subject", "--dataset", "health-trust"]) == 2
    assert run(["log", "find", "--subject", "--reason", "curiosity"]) == 2
    assert asked == []


def test_an_extract_is_written_for_its_owner_alone(monkeypatch, tmp_path, capsys):
    """Page and document come as two private files; what is held back is told to the officer, not written."""
    held = {"exchange": EXCHANGE, "dataset": "domestic-abuse-services", "reasons": ["it is dangerous"]}
    told = {"document": {"disclosures": []}, "markdown": "# A page\n", "held_back": [held], "unreadable": []}
    requests = []

    def answer(request):
        requests.append(request)
        return httpx.Response(200, json=told)

    serve_api(monkeypatch, "subject", answer)
    monkeypatch.setattr(sys, "stdin", Typed(PERSON, terminal=False))
    page = tmp_path / "extract.md"
    assert run(["log", "subject-extract", "--out", str(page)]) == 0
    assert json.loads(requests[0].content) == {"reason": "subject-access", "person": SENT, "checked": False}
    assert requests[0].url.path == "/v1/log/subject/extract"
    assert page.read_text() == "# A page\n"
    assert json.loads((tmp_path / "extract.json").read_text()) == told["document"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    said = capsys.readouterr().err
    assert "Left out until somebody has checked it" in said
    assert "it is dangerous" in said
