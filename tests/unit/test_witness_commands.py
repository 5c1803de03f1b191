"""What custodians and reviewers type about witnesses."""

import contextlib
import json
from types import SimpleNamespace

import httpx
import pytest
from agent_world import WITNESS, World
from council_log import CouncilLog
from fake_api import serve_api
from fakes import FakePartyKeys

from adapters.agent.witness import DivergenceError
from audit.checkpoint import open_checkpoint
from gateway.cli.main import run


@pytest.fixture
def flagstone(tmp_path, monkeypatch, capsys):
    """Type a command over an agent in memory; its exit code and what it said."""
    world = World(tmp_path)

    @contextlib.contextmanager
    def opened(_home):
        world.agent.journal.refresh()
        yield SimpleNamespace(agent=world.agent)

    monkeypatch.setattr("gateway.cli.agent_witness.opened", opened)
    monkeypatch.setattr("gateway.cli.agent.opened", opened)
    monkeypatch.setenv("FLAGSTONE_AGENT_HOME", str(tmp_path))

    def typed(*argv):
        capsys.readouterr()
        code = run(["agent", *argv])
        said = capsys.readouterr()
        return code, said.out + said.err

    typed.world = world
    return typed


@pytest.fixture
def gateway(monkeypatch):
    """Let the API be what a test's function answers."""

    def use(answer):
        serve_api(monkeypatch, "log_witnesses", answer)

    return use


def alarmed(world, **changes):
    world.gateway.log = CouncilLog(world.council, entries=9, **changes)
    with pytest.raises(DivergenceError):
        world.round()


def test_show_tells_key_and_size(flagstone):
    """The custodian reads the witness' key, for auditors' trust files, and how far the log was seen."""
    code, said = flagstone("witness", "show", "--json")
    told = json.loads(said)
    assert (code, told["key"], told["size"], told["alarm"]) == (0, WITNESS.verifier.vkey, 2, None)
    code, said = flagstone("witness", "show")
    assert (code, "No alarm stands" in said) == (0, True)


def test_an_alarm_is_said_where_custodians_look(flagstone):
    """`pending` and `witness show` say that an alarm stands, why, and what to do."""
    alarmed(flagstone.world)
    for command in (("pending",), ("witness", "show")):
        code, said = flagstone(*command)
        assert code == 0
        assert "ALARM" in said
        assert "does not contain what this agent saw before" in said
        assert "Nothing is answered" in said


def test_a_fork_can_not_be_accepted_at_the_terminal(flagstone):
    """`accept` ends with 3 for anything but a linked log; `look-again` needs words."""
    alarmed(flagstone.world)
    assert flagstone("witness", "accept", "--yes")[0] == 3
    assert flagstone("witness", "look-again", "--reason", " ")[0] == 3
    assert flagstone("witness", "look-again", "--reason", "They say it is mended")[0] == 0
    assert flagstone("witness", "look-again", "--reason", "Again")[0] == 3


def test_a_linked_log_is_accepted_at_the_terminal(flagstone):
    """The custodian sees both logs, says yes, and the agent follows."""
    seen = flagstone.world.agent.witness.seen().note
    alarmed(flagstone.world, name="flagstone/council/2", seed=b"n" * 32, follows=(seen,))
    _, said = flagstone("witness", "show")
    assert "flagstone agent witness accept" in said
    assert flagstone("witness", "accept", "--yes")[0] == 0
    flagstone.world.gateway.cosigned = []
    flagstone.world.round()
    assert flagstone.world.agent.witness.size() == 9


def test_a_reviewer_lists_witnesses_and_alarms(gateway, capsys):
    """Each witness with what it cosigned, and each alarm with what it saw and was shown."""
    log = CouncilLog(FakePartyKeys("council"))
    note = log.shown()["checkpoint"]
    told = {
        "witnesses": [
            {"partner": "trust", "key": WITNESS.verifier.vkey, "size": 2, "at": "2026-11-22T10:00:00Z"},
            {"partner": "police", "key": "k", "size": None, "at": None},
        ],
        "alarms": [],
    }
    gateway(lambda request: httpx.Response(200, json=told))
    assert run(["log", "witnesses"]) == 0
    said = capsys.readouterr()
    assert "2 entries" in said.out
    assert "No witness has raised an alarm" in said.err
    told["alarms"] = [
        {
            "partner": "trust",
            "raised_at": "2026-11-22T10:00:00Z",
            "reason": "smaller",
            "seen": note,
            "shown": "x",
        }
    ]
    assert run(["log", "witnesses"]) == 0
    said = capsys.readouterr()
    assert "ALARMS" in said.out
    assert "no checkpoint" in said.out
    assert run(["log", "witnesses", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told


def test_a_reviewer_keeps_a_cosigned_checkpoint(gateway, tmp_path):
    """`log checkpoint` writes the note as it was served, for a later --seen."""
    log = CouncilLog(FakePartyKeys("council"))
    asked = []

    def answer(request):
        asked.append(request.url.params["cosigned"])
        return httpx.Response(200, text=log.shown()["checkpoint"])

    gateway(answer)
    file = tmp_path / "checkpoint"
    assert run(["log", "checkpoint", "--cosigned", "2", "--out", str(file)]) == 0
    assert open_checkpoint(file.read_bytes(), log.verifier).size == 2
    assert asked == ["2"]
