"""A real gateway and its database, killed between any two steps of an exchange and started again.

One world serves all points: whatever a kill leaves behind is what the next exchange meets.
"""

import os
import random
import signal

import crashing_gateway
import httpx
import pytest
from crashing_gateway import POINTS
from processes import AT_AGENT, ONCE_EACH, RELEASED, SMALL_LIST, eventually, site

from gateway.bootstrap import opened

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

_BEFORE_AGENT = POINTS[: POINTS.index("fetch")]
_KILLS = [(point, side) for point in POINTS for side in ("before", "after")]
_BY_DEFAULT = {
    ("exchange.permitted", "before"),
    ("exchange.delivered", "after"),
    *random.Random("2026-11-22").sample(_KILLS, 4),  # noqa: S311 - seeded on purpose
}


def points(by_default):
    return [
        pytest.param(
            *kill, id="-".join(kill).replace(" ", "-"), marks=() if kill in by_default else pytest.mark.long
        )
        for kill in _KILLS
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("killed")
    with site(root, serve=(crashing_gateway.__file__, root / "order")) as made:
        yield made


@pytest.fixture
def running(world):
    """The world with gateway and agent up, whatever the test before did to them."""
    world.order.unlink(missing_ok=True)
    if world.gateway.poll() is not None:
        world.start_gateway()
    yield world
    world.agent.send_signal(signal.SIGCONT)


def submit_and_kill(world, key, point, side, *, victim=0):
    """Submit while a crash is ordered, and wait until it struck; the exchange, if it was acknowledged.

    An agent that is up could answer before the gateway gets to say that it has sent.
    """
    world.strike(point, side, victim=victim)
    if point in _BEFORE_AGENT:
        world.agent.send_signal(signal.SIGSTOP)
    try:
        acknowledged = world.post_list(SMALL_LIST, key).json().get("exchange")
    except httpx.TransportError:
        acknowledged = None
    eventually(lambda: not world.order.exists())
    world.agent.send_signal(signal.SIGCONT)
    return acknowledged


def entries_of_the_job(world):
    """How many entries there are but for what the sweep and the agent's witness add when they come to it."""
    return sum(entry.kind not in {"review.raised", "witness.announced"} for entry in world.exported())


def held(world, exchange):
    """Everything that promise 6 says of an exchange that ended."""
    assert world.ended(exchange) == "released"
    assert world.flags(exchange) == RELEASED
    assert world.kinds(exchange) == ONCE_EACH
    eventually(lambda: world.kinds_at_agent(exchange) == AT_AGENT)
    eventually(lambda: world.secrets_of(exchange) == {"seal", "accounting", "tags"})


@pytest.mark.parametrize(("point", "side"), points(_BY_DEFAULT))
def test_a_killed_gateway_goes_on(running, point, side):
    """Killed before or after anything that lasts, the gateway ends the exchange once it runs again.

    The client repeats its submission under the same key, and gets the one exchange. Every entry stands
    once, the exported log verifies, the agent has answered once, and the exchange's secret is gone.
    """
    key = f"key of {point} {side}"
    before = entries_of_the_job(running)
    acknowledged = submit_and_kill(running, key, point, side)
    assert running.gateway.wait(60) == -signal.SIGKILL
    running.start_gateway()
    told = running.submit(SMALL_LIST, key)
    assert acknowledged in {None, told["exchange"]}
    assert told["repeated"] or (point.startswith("key") or (point, side) == ("exchange.permitted", "before"))
    held(running, told["exchange"])
    # each look at the log is an entry of its own: the one above, the one in `held`, and this
    assert entries_of_the_job(running) == before + len(ONCE_EACH) + 2


@pytest.mark.parametrize(
    ("point", "side"),
    points({("exchange.request-authorised", "before"), ("exchange.release-authorised", "after")}),
)
def test_a_killed_database_loses_nothing(running, point, side):
    """PostgreSQL is killed before or after anything that lasts: once it is up, the same gateway goes on."""
    key = f"database at {point} {side}"
    acknowledged = submit_and_kill(running, key, point, side, victim=running.postmaster())
    revive(running)
    told = running.submit(SMALL_LIST, key)
    assert acknowledged in {None, told["exchange"]}
    held(running, told["exchange"])


def test_both_killed_at_once(running):
    """Gateway and database are killed together; starting the gateway starts both."""
    exchange = submit_and_kill(running, "key of both", "send", "before", victim=running.postmaster())
    running.gateway.kill()
    running.gateway.wait()
    running.start_gateway()
    held(running, exchange)


def revive(world):
    """As the next command of an operator does; nothing was asked of the gateway."""
    with opened(world.settings):
        os.kill(world.postmaster(), 0)
