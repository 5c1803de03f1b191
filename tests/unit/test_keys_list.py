"""`flagstone keys list`, `rotate` and `sweep` as an operator types them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.cli import keyring
from gateway.cli.main import run


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["keys", "new", "--slug", "borough", "--name", "Example Borough"]) == 0
    return tmp_path / "home"


def listed(capsys) -> tuple[str, str]:
    capsys.readouterr()
    assert run(["keys", "list"]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def test_the_list_says_use_age_due_and_place(home, capsys):
    """A line for each key, and none of them is due when it was just made."""
    out, err = listed(capsys)
    for ref, use in (
        ("signing.1", "sign"),
        ("exchange.1", "agree"),
        ("auth.1", "sign"),
        ("log.1", "sign"),
        ("search.1", "agree"),
    ):
        line = next(line for line in out.splitlines() if ref in line)
        assert all(word in line for word in (use, "0 days", "in use", "file")), line
    assert "DUE" not in out
    assert "due for rotation" not in err


def test_a_key_that_is_due_is_said(home, capsys):
    """In the list, and on the side where a starting gateway says it too."""
    for path in home.rglob("log.1.json"):
        told = json.loads(path.read_text())
        told["created"] = (datetime.now(UTC) - timedelta(days=800)).isoformat()
        path.write_text(json.dumps(told))
    out, err = listed(capsys)
    assert "DUE since" in next(line for line in out.splitlines() if "log.1" in line)
    assert "The log key is due for rotation since" in err
    assert err.count("due for rotation") == 1


def test_the_days_are_a_setting(home, capsys, monkeypatch):
    """A kind that is left out is never due; what is no list of days is refused by name."""
    monkeypatch.setenv("FLAGSTONE_KEY_DAYS", "search=1")
    assert "-" in next(line for line in listed(capsys)[0].splitlines() if "log.1" in line).split("│")[4]
    monkeypatch.setenv("FLAGSTONE_KEY_DAYS", "log=soon")
    assert run(["keys", "list"]) == 2
    assert "FLAGSTONE_KEY_DAYS" in capsys.readouterr().err


def test_machines_read_the_same(home, capsys):
    """JSON has each key with its public half and moments, and no private byte."""
    capsys.readouterr()
    assert run(["keys", "list", "--json"]) == 0
    said = capsys.readouterr().out
    keys = json.loads(said)["keys"]
    assert {(key["kind"], key["generation"]) for key in keys} == {
        (kind, 1) for kind in ("signing", "exchange", "auth", "log", "search")
    }
    assert all(len(key["public"]) == 64 and key["due"] for key in keys)
    assert not any(path.read_bytes().hex() in said for path in home.rglob("*.key"))


@pytest.mark.parametrize("kind", ["signing", "witness", "session", ""])
def test_no_other_kind_rotates_by_itself(home, kind):
    """What partners know of, or what does not exist, is no argument of `rotate`."""
    assert run(["keys", "rotate", kind]) == 2
    assert {each.value for each in keyring.Kind} == {"log", "sealing", "search"}


@pytest.mark.parametrize(
    "harm", ["", "{}", '{"type": "flagstone/key/v1"}', "renamed", "short public", "no moment"]
)
def test_a_damaged_description_is_refused(home, capsys, harm):
    """A description that is not what its name says stops everything, by the file's name."""
    file = home / "keys" / "signing.1.json"
    content = file.read_text()
    if harm == "renamed":
        file.write_text((home / "keys" / "auth.1.json").read_text())
    elif harm == "short public":
        file.write_text(json.dumps(json.loads(content) | {"public": "AAAA"}))
    elif harm == "no moment":
        (home / "keys" / "signing.1.retired").touch(mode=0o600)
    else:
        file.write_text(harm)
    capsys.readouterr()
    assert run(["keys", "list"]) == 2
    assert "signing.1" in capsys.readouterr().err
