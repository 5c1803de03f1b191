"""`flagstone log`: what an IG officer reads, and which files are left."""

import io
import json
from datetime import date

import httpx
import polars as pl
import pytest
from audit_samples import MemoryStore, entry, signer
from evidence_samples import DATA, TRUST, older
from fake_api import serve_api

from audit.export import write_export
from audit.log import Log
from audit.trust import Trust, write_trust
from gateway.cli.main import run
from gateway.exports import article30
from gateway.service.processing import Processing
from policies.model import PolicySet

EXCHANGE = "7a3f2a54-cda8-49c1-b5db-5fcccf0eb816"
JSON = "application/json"
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
        serve_api(monkeypatch, "log", answer)

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


def test_export_as_tiles_writes_a_folder_that_verifies(gateway, exported, tmp_path, capsys):
    """`--tiles FOLDER` leaves that folder, and with --out the file too; `log verify` takes both."""
    data = (exported / "log.txt").read_bytes()
    gateway(lambda _: httpx.Response(200, content=data))
    assert run(["log", "export", "--tiles", str(tmp_path / "tiles")]) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"log.txt", "trust.json", "tiles"}
    assert run(["log", "export", "--tiles", str(tmp_path / "more"), "--out", str(tmp_path / "file")]) == 0
    assert (tmp_path / "file").read_bytes() == data
    capsys.readouterr()
    for name in ("tiles", "more", "file"):
        assert run(["log", "verify", str(tmp_path / name), "--trust", str(tmp_path / "trust.json")]) == 0
        assert capsys.readouterr().out.startswith("Verified: all 3 entries of")


def test_an_export_that_is_none_leaves_no_tiles(gateway, tmp_path, capsys):
    """What the gateway sent is read strictly: bytes that are no whole export exit 5 and leave nothing."""
    gateway(lambda _: httpx.Response(200, content=b"flagstone/export/v1\n"))
    assert run(["log", "export", "--tiles", str(tmp_path / "tiles")]) == 5
    assert "cut off" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_export_asks_where_to(gateway, tmp_path, capsys):
    """Without --out and --tiles, or into a folder that exists, nothing is asked of the gateway: exit 2."""
    gateway(lambda _: pytest.fail("the gateway was asked"))
    assert run(["log", "export"]) == 2
    assert "--tiles" in capsys.readouterr().err
    assert run(["log", "export", "--tiles", str(tmp_path)]) == 2


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


@pytest.fixture
def evidence(gateway):
    """Let the API hand out evidence, and keep what it was asked."""
    asked = []

    def answer(request):
        asked.append((request.method, str(request.url), json.loads(request.content)))
        return httpx.Response(200, content='{"type":"é"}'.encode(), headers={"Content-Type": JSON})

    gateway(answer)
    return asked


def test_prove_writes_a_private_file_of_the_very_bytes(evidence, tmp_path, capsys):
    """The reference travels in the body alone; the file is its owner's, and is what the gateway sent."""
    file = tmp_path / "evidence.json"
    (tmp_path / "seen").write_bytes(signer().sign("x\n"))
    argv = ["log", "prove", EXCHANGE, "--person", "p21", "--openings", "--out", str(file)]
    assert run([*argv, "--seen", str(tmp_path / "seen")]) == 0
    assert file.read_bytes() == '{"type":"é"}'.encode()
    assert file.stat().st_mode & 0o777 == 0o600
    ((method, url, body),) = evidence
    assert (method, url) == ("POST", f"http://127.0.0.1/v1/log/evidence/{EXCHANGE}")
    assert body == {"person": "p21", "openings": True, "seen": signer().sign("x\n").decode()}
    assert "python -m audit verify" in capsys.readouterr().err


def test_prove_prints_what_can_be_piped(evidence, monkeypatch, capsysbinary):
    """Without --out nothing but the bytes comes out; a reference can come from standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("p21\n"))
    assert run(["log", "prove", EXCHANGE, "--person", "-"]) == 0
    assert capsysbinary.readouterr().out == '{"type":"é"}'.encode()
    assert evidence[0][2] == {"person": "p21", "openings": False}


def test_prove_needs_an_exchange_and_a_folder_to_write_to(evidence, tmp_path, capsys):
    """What can't work ends with 2 before the gateway is asked."""
    assert run(["log", "prove", "17"]) == 2
    assert run(["log", "prove", EXCHANGE, "--out", str(tmp_path / "no" / "file")]) == 2
    assert evidence == []


def test_a_refused_proof_leaves_no_file(gateway, tmp_path, capsys):
    """An error of the gateway is told, and nothing is written."""
    gateway(lambda _: httpx.Response(404, json={"detail": "nobody of this exchange has this reference"}))
    assert run(["log", "prove", EXCHANGE, "--person", "p21", "--out", str(tmp_path / "file")]) == 3
    said = capsys.readouterr().err
    assert "nobody of this exchange" in said
    assert "p21" not in said
    assert list(tmp_path.iterdir()) == []


def test_entry_prints_one_entry_with_its_proof(gateway, capsys):
    """One entry by its index, as JSON."""
    gateway(lambda request: httpx.Response(200, json={"path": request.url.path}))
    assert run(["log", "entry", "7"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": "/v1/log/proof/7"}


def test_verify_takes_evidence_too(tmp_path, capsys):
    """Evidence exits 0 with its story, 5 when altered, 2 when it can't be compared with what was seen."""
    (tmp_path / "good").write_bytes(DATA)
    (tmp_path / "bad").write_bytes(DATA.replace(b"health-trust", b"health-trusT", 1))
    (tmp_path / "seen").write_bytes(older(8).note)
    write_trust(tmp_path / "trust", TRUST)
    trust = ["--trust", str(tmp_path / "trust")]
    assert run(["log", "verify", str(tmp_path / "good"), *trust]) == 0
    assert "council asked trust about families" in capsys.readouterr().out
    assert run(["log", "verify", str(tmp_path / "bad"), *trust]) == 5
    assert run(["log", "verify", str(tmp_path / "good"), *trust, "--seen", str(tmp_path / "seen")]) == 2
