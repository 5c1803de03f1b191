"""Keys that rotate under running processes: nobody stops, and the partner's witness follows."""

import os
import subprocess
import sys

import pytest
from processes import RELEASED, SMALL_LIST, eventually, site

from adapters.agent import main
from audit.trust import Trust, write_trust
from gateway.bootstrap import log_signer

pytestmark = [pytest.mark.long, pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(600)]


def test_keys_rotate_without_downtime(tmp_path):
    """While gateway and agent run three kinds of key rotate: the agent follows without an alarm, an
    exchange goes through, and the log verifies under the new trust file.
    """
    with site(tmp_path) as world:
        before = log_signer(world.council).verifier
        for kind in ("sealing", "log", "sealing", "search"):
            done = subprocess.run(
                [sys.executable, "-m", "gateway.cli", "keys", "rotate", kind],
                env={**os.environ, **world.environment()},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        after = log_signer(world.council).verifier
        assert after.earlier == (before,)

        def followed():
            with main.opened(world.home) as agent:
                seen = agent.agent.witness.seen()
                return seen and agent.agent.witness.key(seen.key).vkey == after.vkey

        eventually(followed)
        write_trust(world.trust, Trust(after))
        exchange = world.submit(SMALL_LIST, "after the rotation")["exchange"]
        assert world.ended(exchange) == "released"
        assert world.flags(exchange) == RELEASED
        kinds = [entry.kind for entry in world.exported()]
        assert kinds.count("keys.rotated") == 3  # the first sealing key took nobody's place
        assert "witness.alarm" not in kinds
        with main.opened(world.home) as agent:
            own = [leaf.decode() for leaf in agent.log.leaves(0, agent.log.size())]
        assert any("witness.log-key-followed" in leaf for leaf in own)
