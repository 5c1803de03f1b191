"""`flagstone log`: what an IG officer reads, and which files are left."""

import contextlib
import io
from datetime import date

import httpx
import polars as pl
import pytest
from audit_samples import MemoryStore, entry, signer

from audit.export import write_export
from audit.log import Log
from audit.trust import Trust, write_trust
from gateway.cli import log
from gateway.cli.main import run
from gateway.exports import article30
from gateway.service.processing import Processing
from policies.model import PolicySet

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


def test_find_shows_whole_kinds_and_ids_on_80_columns(gateway, monkeypatch, capsys):
    """What an entry is about stands there whole, however narrow the screen."""
    monkeypatch.setenv("COLUMNS", "80")
    gateway(lambda request: httpx.Response(200, json=ENTRIES[int(request.url.params["start"]) :]))
    assert run(["log", "find"]) == 0
    said = capsys.readouterr()
    assert all(text in said.out for text in (EXCHANGE, "exchange.request-authorised", "health-trust"))
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.err.strip() == "2 entries"


def test_find_keeps_to_what_is_asked(gateway, capsys):
    """Kind by its beginning, exchange and dataset by equality."""
    gateway(lambda request: httpx.Response(200, json=ENTRIES[int(request.url.params["start"]) :]))
    assert run(["log", "find", "--kind", "exchange.", "--dataset", "health-trust", "--json"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert run(["log", "find", "--exchange", "another"]) == 0
    assert "0 entries" in capsys.readouterr().err


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


@pytest.fixture
def exporting(gateway, exported):
    """A gateway that exports the log of `exported`; what was asked of it, by path and query."""
    asked = []

    def answer(request):
        asked.append(str(request.url).removeprefix("http://127.0.0.1"))
        return httpx.Response(200, content=(exported / "log.txt").read_bytes())

    gateway(answer)
    return asked


@pytest.mark.parametrize(("wanted", "lines"), [("csv", 4), ("ecs", 3), ("fhir", 2)])
def test_an_export_is_converted_on_this_machine(exporting, exported, capsys, wanted, lines):
    """The gateway is told the format, gives the signed log, and only the converted file is left."""
    out_file = exported / "made"
    assert run(["log", "export", "--format", wanted, "--out", str(out_file)]) == 0
    assert exporting == [f"/v1/log/export?format={wanted}"]
    assert len(out_file.read_text().splitlines()) == lines
    assert {file.name for file in exported.iterdir()} == {"log.txt", "trust.json", "made"}
    assert capsys.readouterr().err.startswith(f"{lines - (wanted == 'csv')} written")


def test_parquet_is_read_by_others(exporting, exported):
    """The Parquet file has a row an entry."""
    assert run(["log", "export", "--format", "parquet", "--out", str(exported / "made")]) == 0
    assert pl.read_parquet(exported / "made")["index"].to_list() == [0, 1, 2]


def test_a_period_cuts_what_is_converted(exporting, exported):
    """Entries outside the days are left out; the signed log is never cut."""
    made = str(exported / "made")
    assert run(["log", "export", "--format", "csv", "--from", "2030-01-01", "--out", made]) == 0
    assert len((exported / "made").read_text().splitlines()) == 1
    assert run(["log", "export", "--from", "2030-01-01", "--out", made]) == 2
    assert run(["log", "export", "--format", "csv", "--from", "1.1.2030", "--out", made]) == 2
    cut = ["--from", "2030-01-02", "--to", "2030-01-01", "--out", made]
    assert run(["log", "export", "--format", "csv", *cut]) == 2


def test_an_altered_export_is_not_converted(exporting, exported, capsys):
    """A log whose leaf is not the one hashed exits 5 and leaves no file."""
    file = exported / "log.txt"
    file.write_bytes(file.read_bytes().replace(b'"number":1,', b'"number":7,'))
    assert run(["log", "export", "--format", "csv", "--out", str(exported / "made")]) == 5
    assert "entry 1 " in capsys.readouterr().err
    assert not (exported / "made").exists()


@pytest.mark.parametrize(("name", "start"), [("record.json", "{"), ("record.md", "# Record of processing")])
def test_the_record_of_processing_is_a_page_or_json(gateway, tmp_path, name, start):
    """The file's name says which; the period goes to the gateway, which counts."""
    told = article30.record(Processing("Council", date(2026, 11, 22), None, None, PolicySet(), (), {}))

    def answer(request):
        assert dict(request.url.params) == {"from": "2026-01-01"}
        return httpx.Response(200, json=told)

    gateway(answer)
    cut = ["--from", "2026-01-01", "--out", str(tmp_path / name)]
    assert run(["log", "export", "--format", "art30", *cut]) == 0
    assert (tmp_path / name).read_text().startswith(start)


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
