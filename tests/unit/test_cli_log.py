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
