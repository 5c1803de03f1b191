"""`flagstone exchange hold`, `unhold` and `certificate`: what is asked and what is said."""

import contextlib
from uuid import UUID

import httpx
import pytest
from fakes import NOON, FakePartyKeys

from gateway.bundle.certificate import make_certificate
from gateway.cli import erasure
from gateway.cli.main import run
from gateway.domain.retention import RetentionClock

ID = "7a3f2a54-cda8-49c1-b5db-5fcccf0eb816"


@pytest.fixture
def gateway(monkeypatch):
    """A gateway that answers what `answers` holds, and keeps what it was asked."""
    asked, answers = [], []

    def answer(request):
        asked.append(request)
        return answers.pop(0)

    @contextlib.contextmanager
    def api():
        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1") as client:
            yield client

    monkeypatch.setattr(erasure, "api", api)
    return asked, answers


def test_a_hold_is_asked_for_with_its_day_and_code(gateway, capsys):
    """Day and code go as parameters; the answer says until when it holds."""
    asked, answers = gateway
    answers += [httpx.Response(204), httpx.Response(204)]
    assert run(["exchange", "hold", ID, "--until", "2027-06-01", "--reason", "court-order"]) == 0
    assert run(["exchange", "unhold", ID]) == 0
    assert [request.url.path for request in asked] == [
        f"/v1/exchanges/{ID}/hold",
        f"/v1/exchanges/{ID}/unhold",
    ]
    assert dict(asked[0].url.params) == {"until": "2027-06-01", "reason": "court-order"}
    assert "Held to the end of 2027-06-01" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--until", "1 June", "--reason", "complaint"],
        ["--until", "2027-06-01", "--reason", "Mrs Example"],
        ["--until", "2027-06-01"],
    ],
)
def test_free_text_is_refused_before_it_is_sent(gateway, wrong):
    """Another form of a day or reason is a usage error, and nothing is asked."""
    asked, _ = gateway
    assert run(["exchange", "hold", ID, *wrong]) == 2
    assert asked == []


def test_a_certificate_is_shown_in_words_and_whole(gateway, capsys):
    """Clock, exchange, moment, entry and days, and the signed form below; without any it says so."""
    asked, answers = gateway
    council = FakePartyKeys("council")
    jws = make_certificate(
        council.identity,
        FakePartyKeys("trust").identity,
        council.sign,
        exchange=UUID(ID),
        request_digest="ab" * 32,
        clock=RetentionClock.RESULTS,
        destroyed_at=NOON,
        log_entry=41,
        key_backup_days=1,
    )
    told = {"certificates": [{"clock": "results", "jws": jws}]}
    answers += [httpx.Response(200, json=told), httpx.Response(200, json={"certificates": []})]
    assert run(["exchange", "certificate", ID]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"results of {ID}: destroyed at 2026-11-22T12:00:00Z, entry 41 ")
    assert "gone 1 day later" in said
    assert said.strip().endswith(jws)
    assert run(["exchange", "certificate", ID]) == 0
    assert "Nothing of it is destroyed yet" in capsys.readouterr().err
    assert len(asked) == 2
