"""The demo's screen and its ends: commands that can be typed, and a failure that explains itself."""

import shlex
import sys

import pytest

from gateway.cli.demo import world as demo_world
from gateway.cli.demo.world import DemoError, World, typed
from gateway.cli.main import run

WORDS = ["agent", "init", "--home", "trust", "--name", "Example NHS Trust", "--register", "people/health.csv"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_shown_command_can_be_typed(width):
    """Quoted as a shell needs it, and broken with a backslash where the screen ends."""
    shown = typed("trust$ flagstone", WORDS, "&", width)
    assert max(map(len, shown.splitlines())) <= width
    assert shlex.split(shown.replace("\\\n", " ")) == ["trust$", "flagstone", *WORDS, "&"]


def test_what_ended_too_early_has_the_last_word(tmp_path, monkeypatch):
    """The last lines of the process that failed are shown, with its exit code, and not those of others."""
    monkeypatch.setattr(demo_world, "FLAGSTONE", (sys.executable, "-c"))
    made = World(tmp_path, 1, quiet=True)
    slow = made.start("slow", "import time; time.sleep(60)")
    made.start("agent", "import sys; print('first'); sys.exit('the reason')").wait(30)
    said = made.last_words()
    made.stop()
    assert "agent.log (ended with exit code 1), last lines:" in said
    assert "the reason" in said
    assert "slow.log" not in said
    assert slow.poll() is not None


def test_a_command_that_ends_otherwise_stops_the_demo(tmp_path, monkeypatch):
    """An unexpected exit code is an error that says which command, which code, and what it said."""
    monkeypatch.setattr(demo_world, "FLAGSTONE", (sys.executable, "-c"))
    made = World(tmp_path, 1, quiet=True)
    with pytest.raises(DemoError, match="exit code 1 where 0 was expected\nthe reason"):
        made.run("import sys; sys.exit('the reason')")


def test_a_process_that_ends_stops_what_waits_for_it(tmp_path, monkeypatch):
    """A command that waits for a dead agent is given up at once, and the agent is named."""
    monkeypatch.setattr(demo_world, "FLAGSTONE", (sys.executable, "-c"))
    made = World(tmp_path, 1, quiet=True)
    made.start("agent", "import sys; sys.exit(3)")
    with pytest.raises(DemoError, match="agent: it ended before its time"):
        made.run("import time; time.sleep(60)")


def test_the_demo_works_in_a_new_folder_alone(tmp_path, capsys):
    """A folder that exists is refused before anything is made in it."""
    assert run(["demo", "--folder", str(tmp_path)]) == 1
    assert "Name a new folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
