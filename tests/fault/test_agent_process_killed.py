"""A real agent process, killed while it answers and started again, answers exactly once.

`test_agent_killed.py` kills at every effect of the code; here the kernel kills, and files are what is left.
"""

import random
import signal
import time

import pytest
from processes import (
    AT_AGENT,
    ONCE_EACH,
    POLICE,
    RELEASED,
    SMALL_FLAGS,
    SMALL_LIST,
    eventually,
    register,
    site,
)

from adapters.agent import main
from audit.checkpoint import NoteVerifier
from audit.export import write_export
from audit.trust import Trust, write_trust
from audit.verify import verify_file

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

_ANSWER_SECONDS = 1.5
"""About what fetching and answering take with the register below on a busy machine."""
_MOMENTS = random.Random("agent")  # noqa: S311 - seeded on purpose
_DELAYS = [_MOMENTS.uniform(0, _ANSWER_SECONDS) for _ in range(40)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    many = register(SMALL_LIST, SMALL_FLAGS, POLICE, strangers=20_000)
    with site(tmp_path_factory.mktemp("agent-killed"), register_text=many) as made:
        yield made


def kill(world):
    world.agent.send_signal(signal.SIGKILL)
    assert world.agent.wait(30) == -signal.SIGKILL


def answered_once(world, exchange):
    """Both logs and both sides' files say that there was one answer."""
    assert world.ended(exchange) == "released"
    assert world.flags(exchange) == RELEASED
    assert world.kinds(exchange) == ONCE_EACH
    home = world.home
    eventually(lambda: not [*(home / "outbox").iterdir(), *(home / "inbox").iterdir()])
    eventually(lambda: world.kinds_at_agent(exchange) == AT_AGENT)


@pytest.mark.parametrize("step", ["inbox", "received", "outbox", "sealed"])
def test_killed_right_after_a_step_it_answers_once(world, step):
    """Killed as soon as a step has left its mark, the agent goes on from there."""
    exchange = world.submit(SMALL_LIST, f"killed after {step}")["exchange"]
    home = world.home
    marks = {
        "inbox": (home / "inbox" / exchange).exists,
        "received": lambda: world.kinds_at_agent(exchange)["request.received"],
        "outbox": (home / "outbox" / exchange).exists,
        "sealed": lambda: world.kinds_at_agent(exchange)["answer.sealed"],
    }
    eventually(marks[step], pause=0.001)
    kill(world)
    world.start_agent()
    answered_once(world, exchange)


@pytest.mark.parametrize(
    "delay",
    [
        pytest.param(delay, id=f"{delay:.3f}", marks=() if n < 2 else pytest.mark.long)
        for n, delay in enumerate(_DELAYS)
    ],
)
def test_killed_at_a_moment_it_answers_once(world, delay):
    """Killed twice at whatever moment, the agent answers once."""
    exchange = world.submit(SMALL_LIST, f"killed after {delay:.6f} s")["exchange"]
    time.sleep(delay)
    kill(world)
    world.start_agent()
    time.sleep(_ANSWER_SECONDS + delay / 2)
    kill(world)
    world.start_agent()
    answered_once(world, exchange)


def test_the_agents_own_log_verifies_after_all_that(world, tmp_path):
    """The log of an agent that was killed again and again is whole."""
    kill(world)
    with main.opened(world.home) as agent, (tmp_path / "log").open("wb") as file:
        write_export(agent.log, file)
        write_trust(tmp_path / "trust.json", Trust(NoteVerifier.parse(agent.log_key)))
    world.start_agent()
    assert verify_file(tmp_path / "log", tmp_path / "trust.json", None).checkpoint.size >= 2
