"""The demo's world: one folder for the council, one for each partner, and real processes between them."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gateway.cli.output import out
from gateway.domain.errors import FlagstoneError

FLAGSTONE = (sys.executable, "-m", "gateway.cli")
_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_COMMAND_SECONDS = 600.0
_LOOK_SECONDS = 1.0
_LAST_LINES = 15


class DemoError(FlagstoneError):
    """A step of the demo did not do what it should."""

    code = "demo-failed"


@dataclass
class World:
    """Folders, the gateway's address, and the processes that were started."""

    root: Path
    port: int
    quiet: bool = False
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def council(self) -> Path:
        return self.root / "council"

    def partner(self, slug: str) -> Path:
        return self.root / slug

    def run(self, *argv: str | Path, expect: int = 0, token: str | None = None, who: str = "council") -> str:
        """Type a command as its user (`who`, shown in the prompt) would, and return what it prints.

        Raises:
            DemoError: it ended with another exit code than `expect`.
        """
        words = [str(word) for word in argv]
        self._show(who, words)
        code, said, complaint = self._finished(words, token)
        if code != expect:
            raise DemoError(
                f"exit code {code} where {expect} was expected\n{complaint.strip()}",
                place=f"flagstone {' '.join(words[:2])}",
            )
        return said.strip()

    def start(self, name: str, *argv: str | Path) -> subprocess.Popen[bytes]:
        """Start a process of our own; what it says goes to NAME.log in the demo's folder."""
        self._show("council" if name == "gateway" else name, [*map(str, argv)], "&")
        with (self.root / f"{name}.log").open("ab") as said:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*FLAGSTONE, *map(str, argv)],
                env=self.environment(),
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._processes[name] = process
        return process

    def wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the gateway says that it is ready.

        Raises:
            DemoError: it ended, or is not ready after a minute.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/v1/health/ready", timeout=2.0).is_success:
                    return
            time.sleep(0.1)
        raise DemoError("the gateway did not become ready", place="flagstone serve")

    def environment(self, token: str | None = None) -> dict[str, str]:
        """The caller's environment without its FLAGSTONE_ settings, plus the demo's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLAGSTONE_")}
        own = {"FLAGSTONE_HOME": str(self.council), "FLAGSTONE_GATEWAY": self.url}
        return kept | own | ({"FLAGSTONE_TOKEN": token} if token else {})

    def stop(self) -> None:
        """End every process, the last started first."""
        for process in reversed(self._processes.values()):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def pids(self) -> Sequence[int]:
        return [process.pid for process in self._processes.values()]

    def last_words(self) -> str:
        """The last lines of each process's log; of those that ended before their time, if any did."""
        ended = self._ended()
        said = []
        for name in ended or self._processes:
            state = f"ended with exit code {ended[name]}" if name in ended else "still running"
            lines = (self.root / f"{name}.log").read_text(errors="replace").splitlines()[-_LAST_LINES:]
            said.append("\n".join([f"--- {name}.log ({state}), last lines:", *lines]))
        return "\n".join(said)

    def _finished(self, words: Sequence[str], token: str | None) -> tuple[int, str, str]:
        """Exit code, output and messages of a command; given up when a process that it may need has ended."""
        deadline = time.monotonic() + _COMMAND_SECONDS
        with subprocess.Popen(  # noqa: S603 - our own command
            [*FLAGSTONE, *words],
            env=self.environment(token),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        said, complaint = command.communicate(timeout=_LOOK_SECONDS)
                        return command.returncode, said, complaint
                    self._check_alive(deadline)
            except BaseException:
                command.kill()
                raise

    def _check_alive(self, deadline: float) -> None:
        if ended := self._ended():
            raise DemoError("it ended before its time", place=" and ".join(ended))
        if time.monotonic() > deadline:
            raise DemoError("it takes too long", place="flagstone")

    def _ended(self) -> dict[str, int]:
        states = {name: process.poll() for name, process in self._processes.items()}
        return {name: code for name, code in states.items() if code is not None}

    def _show(self, who: str, words: Sequence[str], end: str = "") -> None:
        if self.quiet:
            return
        short = [word.replace(f"{self.root}/", "") for word in words]
        out.print(typed(f"{who}$ flagstone", short, end, out.width), style="dim")


@contextlib.contextmanager
def world(root: Path, *, quiet: bool = False) -> Iterator[World]:
    """A world whose processes end with the block."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = World(root, free_port(), quiet)
    try:
        yield made
    finally:
        made.stop()


def typed(prompt: str, words: Sequence[str], end: str, width: int) -> str:
    """A command as it would be typed: quoted, and broken before an option where the line is full."""
    pieces: list[str] = []
    for word in words:
        if pieces and not word.startswith("--"):
            pieces[-1] += f" {shlex.quote(word)}"
        else:
            pieces.append(shlex.quote(word))
    lines = [prompt]
    for piece in [*pieces, *([end] if end else [])]:
        if len(lines[-1]) + len(piece) + len(" \\") >= width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {piece}"
    return "\n".join(lines)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
