"""`flagstone log`: what an IG officer reads, and which files are left."""

import contextlib
import io

import httpx
import pytest
from audit_samples import MemoryStore, entry, signer

from audit.export import write_export
from audit.log import Log
from audit.trust import Trust, write_trust
from gateway.cli import log
from gateway.cli.main import run

EXCHANGE = "7a3f2a54-cda8-49c1-b5db-5fcccf0eb816"
ENTRIES = [
    {
        "index": 0,
        "id": "x",
        "kind": "user.added",
        "at": "2026-11-22T07:00:00.000000Z",
        "body": {"user": "u1"},
    },
    {
        "index": 1,
        "id": "y",
        "kind": "exchange.request-authorised",
        "at": "2026-11-22T07:05:54.132000Z",
        "body": {"exchange": EXCHANGE, "recipient": "trust", "dataset": "health-trust"},
    },
]


@pytest.fixture
def gateway(monkeypatch):
    """Let the API be what a test's function answers."""

    def use(answer):
        @contextlib.contextmanager
        def api():
            with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1") as client:
                yield client

        monkeypatch.setattr(log, "api", api)

    return use


@pytest.fixture
def exported(tmp_path):
    """An exported log of three entries and its trust file."""
    made = Log(MemoryStore(), signer())
    made.append([entry(number) for number in range(3)])
    out = io.BytesIO()
    write_export(made, out)
    (tmp_path / "log.txt").write_bytes(out.getvalue())
    write_trust(tmp_path / "trust.json", Trust(signer().verifier))
    return tmp_path


@pytest.fixture
def pages(gateway):
    """Serve `ENTRIES` newest first, a page of one entry each; what was asked."""
    asked = []

    def answer(request):
        asked.append((request.url.path, dict(request.url.params)))
        index = int(request.url.params.get("before", len(ENTRIES))) - 1
        return httpx.Response(200, json={"entries": [ENTRIES[index]], "before": index or None})

    gateway(answer)
    return asked


def test_find_shows_whole_kinds_and_ids_on_80_columns(pages, monkeypatch, capsys):
    """What an entry is about stands there whole, however narrow the screen."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["log", "find"]) == 0
    said = capsys.readouterr()
    assert all(text in said.out for text in (EXCHANGE, "exchange.request-authorised", "health-trust"))
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.err.strip() == "2 entries"


def test_find_says_when_what_who_to_whom_and_under_which_law(gateway, monkeypatch, capsys):
    """An officer reads the London time, the outcome with its reasons, the parties and the citations."""
    monkeypatch.setenv("COLUMNS", "200")
    decision = {"unmet": [{"code": "no-consent"}], "basis": [{"citation": "Children Act 2004 s.10"}]}
    body = {
        "actor": {"id": "u-7", "role": "programme", "organisation": "borough"},
        "recipient": "trust",
        "dataset": "health-trust",
        "purpose": "identify",
        "decision": decision,
    }
    entry = ENTRIES[1] | {"at": "2026-07-01T12:00:00+00:00", "kind": "exchange.refused", "body": body}
    gateway(lambda _: httpx.Response(200, json={"entries": [entry], "before": None}))
    assert run(["log", "find"]) == 0
    shown = capsys.readouterr().out
    for text in (
        "13:00:00",
        "refused: no-consent",
        "by programme u-7 borough",
        "to trust",
        "of health-trust",
        "for identify",
        "under Children Act 2004 s.10",
    ):
        assert text in shown


def test_find_asks_for_what_is_wanted_and_no_more(pages, capsys):
    """Filters go to the gateway as they are; all pages are fetched, or as many entries as were asked for."""
    assert run(["log", "find", "--kind", "exchange.", "--from", "2026-11-01", "--json"]) == 0
    assert capsys.readouterr().out.count("\n") == 2
    wanted = {"kind": "exchange.", "from": "2026-11-01", "limit": "1000"}
    assert pages == [("/v1/log/find", wanted), ("/v1/log/find", wanted | {"before": "1"})]
    assert run(["log", "find", "--limit", "1"]) == 0
    assert len(pages) == 3
    assert "--before 1" in capsys.readouterr().err


def test_a_failed_export_leaves_the_older_one_and_nothing_else(gateway, tmp_path):
    """An export that the gateway refuses, or that breaks off, touches no file."""
    (tmp_path / "log.txt").write_text("older")

    def broken():
        yield b"newer"
        raise httpx.ReadError("gone")

    gateway(lambda _: httpx.Response(401, json={"detail": "the token is not known"}))
    assert run(["log", "export", "--out", str(tmp_path / "log.txt")]) == 2
    gateway(lambda _: httpx.Response(200, content=broken()))
    assert run(["log", "export", "--out", str(tmp_path / "log.txt")]) == 1
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"log.txt": "older"}


def test_verify_says_in_words_what_held(exported, capsys):
    """A good log exits 0 with a sentence."""
    assert run(["log", "verify", str(exported / "log.txt"), "--trust", str(exported / "trust.json")]) == 0
    assert capsys.readouterr().out.startswith("Verified: all 3 entries of")


def test_verify_tells_a_wrong_log_from_a_wrong_trust_file(exported, capsys):
    """A changed byte exits 5 and names the entry; a trust file that can't be used exits 2."""
    file = exported / "log.txt"
    file.write_bytes(file.read_bytes().replace(b'"number":1,', b'"number":7,'))
    assert run(["log", "verify", str(file), "--trust", str(exported / "trust.json")]) == 5
    assert "entry 1 " in capsys.readouterr().err
    assert run(["log", "verify", str(file), "--trust", str(file)]) == 2
