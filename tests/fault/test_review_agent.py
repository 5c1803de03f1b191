"""What lies at the agent for a while: an answer in the outbox, a prekey that nobody used."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from agent_world import World, people
from fakes import FakePartyKeys
from typer.testing import CliRunner

from adapters.agent import desk
from adapters.keys.files import FilePrekeys
from adapters.transports.wire import GatewayUnavailableError
from gateway.cli.agent import app


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def sealed_and_not_sent(world):
    """An answer in the outbox, because the gateway took requests and no answers."""
    whole = world.gateway._exchanges

    def no_answers(request, exchange, what):
        if what == "answer":
            raise httpx.ConnectError("no route")
        return whole(request, exchange, what)

    exchange = world.ask([people(0)])
    world.gateway._exchanges = no_answers
    with pytest.raises(GatewayUnavailableError):
        world.round()
    world.gateway._exchanges = whole
    return exchange


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda world: desk.revoke(world.agent, "A-1"), "rejected"),
        (lambda world: world.clock.advance(days=7), "expired"),
    ],
    ids=["revoked", "out of time"],
)
def test_a_sealed_answer_does_not_leave_after_its_permit(world, happens, code):
    """An answer that waits in the outbox is held back when its agreement was revoked or its time ran out."""
    exchange = sealed_and_not_sent(world)
    happens(world)
    world.round()
    assert exchange not in world.gateway.answers
    assert world.refusal(exchange) == code
    assert world.left() == []


def test_a_sealed_answer_leaves_when_the_gateway_is_back(world):
    """An answer that waits in the outbox is sent once the gateway takes it."""
    exchange = sealed_and_not_sent(world)
    world.round()
    assert exchange in world.gateway.answers


def test_a_prekey_that_no_request_can_name_any_more_is_destroyed(world):
    """A prekey outlives its offer by the longest time that a request may wait, and then dies unused."""
    first = set(world.prekeys.private)
    world.clock.advance(days=119)
    world.gateway.prekeys.clear()
    world.round()
    assert first < set(world.prekeys.private)
    world.clock.advance(days=2)
    world.gateway.prekeys.clear()
    world.round()
    assert first.isdisjoint(world.prekeys.private)
    assert len(world.gateway.prekeys) >= 20


def test_a_database_password_need_not_stand_on_the_command_line(tmp_path, monkeypatch):
    """The register's URL may come from the environment: a command line is open to all users."""
    council = FakePartyKeys("council").identity
    (tmp_path / "council.json").write_text(json.dumps(council.to_json()))
    monkeypatch.setenv("FLAGSTONE_AGENT_REGISTER", "postgresql://agent:Geheim@127.0.0.1/people")
    options = {
        "--home": str(tmp_path / "home"),
        "--slug": "trust",
        "--name": "Example Trust",
        "--gateway": "http://127.0.0.1:1",
        "--council": str(tmp_path / "council.json"),
        "--fingerprint": council.fingerprint,
        "--query": "SELECT * FROM people",
    }
    done = CliRunner().invoke(app, ["init", *[word for pair in options.items() for word in pair]])
    assert done.exit_code == 0, done.output
    assert "Geheim" not in done.output
    kept = tmp_path / "home" / "agent.toml"
    assert "Geheim" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_prekey_files_older_than_a_moment_are_destroyed(tmp_path):
    """Prekeys made before the moment are destroyed, and no others."""
    prekeys = FilePrekeys(tmp_path / "prekeys")
    prekeys.make(2)
    prekeys.destroy_older(datetime.now(UTC) - timedelta(minutes=1))
    assert len(prekeys.ids()) == 2
    prekeys.destroy_older(datetime.now(UTC) + timedelta(minutes=1))
    assert prekeys.ids() == []
