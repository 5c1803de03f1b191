"""Keys are rotated on both sides while real processes exchange: nothing stops, and nothing old counts after.

The tests stand in the order of one installation's life, over one gateway, one agent and one database.
"""

import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from processes import RELEASED, SMALL_LIST, eventually, site

from adapters.agent.main import opened as agent_opened
from adapters.keys.rotating import RotatingKeys
from adapters.transports.wire import GatewaySignInError
from gateway.bootstrap import now, opened
from gateway.bundle.succession import RotationReason
from gateway.service.ownkeys import rotate
from gateway.service.successions import end_overlaps

pytestmark = [pytest.mark.processes, pytest.mark.postgres]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with site(tmp_path_factory.mktemp("rotation")) as made:
        yield made


def command(world, *argv, code=0, role=None):
    """A command of its own process; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *argv],
        env=world.environment(world.tokens[role] if role else None),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout.strip()


def rotate_council(world, *options):
    return command(world, "keys", "rotate", "party", *options)


def rotate_partner(world, *options):
    return command(world, "agent", "rotate-keys", "--home", str(world.home), *options)


def stop_agent(world):
    world.agent.send_signal(signal.SIGTERM)
    world.agent.wait(15)


def entries(world, kind):
    return [each.body for each in world.exported() if each.kind == kind]


def keys_of(world, exchange):
    """The fingerprints under which an exchange was permitted."""
    (body,) = [each for each in entries(world, "exchange.permitted") if each["exchange"] == exchange]
    return body["keys"]["council"], body["keys"]["partner"]


def check_reconciled(world):
    """Both sides' logs tell one story of every exchange, whichever keys it went between."""
    names = ("log.txt", "agent-trust.json", "digests.json")
    log, trust, digests = (str(world.root / name) for name in names)
    export = ("agent", "log", "export", "--home", str(world.home), "--out", log, "--trust", trust)
    command(world, *export, "--digests", digests)
    told = ("log", "reconcile", "--agent-log", log, "--trust", trust, "--digests", digests, "--json")
    assert json.loads(command(world, *told, role="reviewer")) == []


def released(world, exchange):
    assert world.ended(exchange) == "released"
    assert world.flags(exchange) == RELEASED


def own_keys(world):
    return RotatingKeys(world.council / "keys")


def partner_keys(world):
    return RotatingKeys(world.home / "keys")


def test_what_was_sent_before_the_council_rotates_is_answered_after_it(world):
    """Sent under the old keys, answered and opened under them; once the agent knows, the new ones serve."""
    old = own_keys(world).identity.fingerprint
    stop_agent(world)
    exchange = world.submit(SMALL_LIST, "before the council")["exchange"]
    eventually(lambda: world.status(exchange) == "sent")
    new = rotate_council(world)
    world.start_agent()
    released(world, exchange)
    eventually(lambda: [each["fingerprint"] for each in entries(world, "keys.succession-taken")] == [new])
    after = world.submit(SMALL_LIST, "after the council")["exchange"]
    released(world, after)
    assert [keys_of(world, each)[0] for each in (exchange, after)] == [old, new]


def test_what_was_sent_before_the_partner_rotates_is_answered_after_it(world):
    """The agent keeps its old keys for what was sent to them, and is asked under its new ones at once."""
    old = partner_keys(world).identity.fingerprint
    stop_agent(world)
    exchange = world.submit(SMALL_LIST, "before the partner")["exchange"]
    new = rotate_partner(world)
    world.start_agent()
    released(world, exchange)
    eventually(lambda: partner_keys(world).identity.fingerprint == new)
    after = world.submit(SMALL_LIST, "after the partner")["exchange"]
    released(world, after)
    assert [keys_of(world, each)[1] for each in (exchange, after)] == [old, new]
    told = command(world, "partner", "list")
    assert "2027" in told
    assert all(part in told.replace("\n", "") for part in new.split("-")[:2])


@pytest.mark.long
def test_both_sides_rotate_at_once(world):
    """Neither waits for the other: an exchange of before, and one of after, both come through."""
    stop_agent(world)
    exchange = world.submit(SMALL_LIST, "before both")["exchange"]
    eventually(lambda: world.status(exchange) == "sent")
    fingerprints = rotate_council(world), rotate_partner(world)
    world.start_agent()
    released(world, exchange)
    eventually(lambda: partner_keys(world).identity.fingerprint == fingerprints[1])
    eventually(lambda: entries(world, "keys.succession-taken")[-1]["fingerprint"] == fingerprints[0])
    after = world.submit(SMALL_LIST, "after both")["exchange"]
    released(world, after)
    assert keys_of(world, after) == fingerprints
    check_reconciled(world)


@pytest.mark.long
def test_an_agent_that_comes_back_after_the_overlap_waits_for_its_custodian(world):
    """The old key vouches for nothing any more: nothing is answered until the fingerprint is confirmed."""
    stop_agent(world)
    with opened(world.settings) as installation:
        end = now() + timedelta(seconds=3)
        document = rotate(installation.operator, own_keys(world), RotationReason.SUSPECTED, end)
    new = document.identity.fingerprint
    eventually(lambda: not own_keys(world).lineage.generations[-2].accepted(now()))
    said = (world.root / "agent.log").stat().st_size
    world.start_agent()
    exchange = world.submit(SMALL_LIST, "after the overlap")["exchange"]
    eventually(lambda: "unconfirmed-keys" in (world.root / "agent.log").read_text()[said:])
    assert world.status(exchange) == "sent"
    confirm = ("agent", "confirm-keys", "--home", str(world.home), "--fingerprint")
    command(world, *confirm, own_keys(world).lineage.generations[-2].identity.fingerprint, code=5)
    command(world, *confirm, new)
    released(world, exchange)
    with opened(world.settings) as installation:
        end_overlaps(installation.worker)
    held = own_keys(world).held()
    assert held == (own_keys(world).lineage.current.number,)
    assert entries(world, "keys.succession-ended")


def test_a_revoked_partner_is_turned_away_from_its_next_request_on(world):
    """An access token that was good a moment ago is none after `flagstone partner revoke`."""
    with agent_opened(world.home) as agent:
        gateway = agent.agent.gateway
        gateway.state()
        command(world, "partner", "revoke", world.slug)
        for _ in range(2):  # with its token, and then without one
            with pytest.raises(GatewaySignInError):
                gateway.state()
