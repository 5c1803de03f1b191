"""`flagstone log review`: what is listed, what is asked of the gateway, and what is refused before it."""

import json

import httpx
import pytest
from fake_api import serve_api

from gateway.cli.main import run

ALERT = {
    "alert": "7a3f2a54-cda8-49c1-b5db-5fcccf0eb816",
    "rule": "no-receipt",
    "about": "0b3f2a54-cda8-49c1-b5db-5fcccf0eb816",
    "day": "2026-11-22",
    "detail": {"partner": "trust"},
    "looked_at": None,
    "reason": None,
}


@pytest.fixture
def asked(monkeypatch):
    """Let the API list one alert, and keep what it is asked."""
    requests = []

    def answer(request):
        requests.append(f"{request.method} {request.url.raw_path.decode()}")
        if request.url.path.endswith("/close"):
            return httpx.Response(204)
        return httpx.Response(200, json=ALERT if request.method == "POST" else {"alerts": [ALERT]})

    serve_api(monkeypatch, "review", answer)
    return requests


def test_open_alerts_are_listed_on_80_columns(asked, monkeypatch, capsys):
    """Id, day, state, rule and what it is about stand there whole, however narrow the screen."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["log", "review"]) == 0
    said = capsys.readouterr()
    assert asked == ["GET /v1/review?closed=false"]
    assert said.err.strip() == "1 alert"
    squeezed = said.out.replace("\n", "").replace("│", "").replace(" ", "")
    assert all(text in said.out for text in ("no-receipt", "2026-11-22", "new", "partner trust"))
    assert "7a3f2a54-cda8" in squeezed
    assert max(map(len, said.out.splitlines())) <= 80


def test_all_alerts_as_json(asked, capsys):
    """With --all the closed ones are asked for too; --json prints what came."""
    assert run(["log", "review", "--all", "--json"]) == 0
    assert asked == ["GET /v1/review?closed=true"]
    assert json.loads(capsys.readouterr().out) == {"alerts": [ALERT]}


def test_looking_and_closing(asked, capsys):
    """Naming an alert looks at it; with --close it is closed for that reason."""
    assert run(["log", "review", ALERT["alert"]]) == 0
    assert json.loads(capsys.readouterr().out) == ALERT
    assert run(["log", "review", ALERT["alert"], "--close", "expected"]) == 0
    path = f"POST /v1/review/{ALERT['alert']}"
    assert asked == [f"{path}/look", f"{path}/close?reason=expected"]


@pytest.mark.parametrize("typed", [["--close", "expected"], [ALERT["alert"], "--close", "why"], ["no-id"]])
def test_slips_are_refused_before_anything_is_asked(asked, typed):
    """A closing without an alert, a reason that is none and an id that is none are usage errors."""
    assert run(["log", "review", *typed]) == 2
    assert asked == []
