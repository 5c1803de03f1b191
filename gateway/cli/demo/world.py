"""The demo's world: one folder for the council, one for each partner, and real processes between them."""

import contextlib
import os
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


class DemoError(FlagstoneError):
    """A step of the demo did not do what it should."""

    code = "demo-failed"


@dataclass
class World:
    """Folders, the gateway's address, and the processes that were started."""

    root: Path
    port: int
    quiet: bool = False
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def council(self) -> Path:
        return self.root / "council"

    def partner(self, slug: str) -> Path:
        return self.root / slug

    def run(self, *argv: str | Path, expect: int = 0, token: str | None = None) -> str:
        """Type a command as its user would, and return what it prints.

        Raises:
            DemoError: it ended with another exit code than `expect`.
        """
        words = [str(word) for word in argv]
        if not self.quiet:
            shown = " ".join(self._short(word) for word in words)
            out.print(f"$ flagstone {shown}", style="dim", markup=False)
        done = subprocess.run(  # noqa: S603 - our own command
            [*FLAGSTONE, *words],
            env=self.environment(token),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode != expect:
            raise DemoError(
                f"exit code {done.returncode} where {expect} was expected\n{done.stderr}",
                place=f"flagstone {' '.join(words[:2])}",
            )
        return done.stdout.strip()

    def start(self, name: str, *argv: str | Path) -> subprocess.Popen[bytes]:
        """Start a process of our own; what it says goes to NAME.log in the demo's folder."""
        if not self.quiet:
            shown = " ".join(self._short(str(word)) for word in argv)
            out.print(f"$ flagstone {shown} &", style="dim", markup=False)
        with (self.root / f"{name}.log").open("ab") as said:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*FLAGSTONE, *map(str, argv)],
                env=self.environment(),
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._processes.append(process)
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
        said = (self.root / "gateway.log").read_text(errors="replace")[-2000:]
        raise DemoError(f"the gateway did not become ready\n{said}", place="flagstone serve")

    def environment(self, token: str | None = None) -> dict[str, str]:
        """The caller's environment without its FLAGSTONE_ settings, plus the demo's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLAGSTONE_")}
        own = {"FLAGSTONE_HOME": str(self.council), "FLAGSTONE_GATEWAY": self.url}
        return kept | own | ({"FLAGSTONE_TOKEN": token} if token else {})

    def stop(self) -> None:
        """End every process, the last started first."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def pids(self) -> Sequence[int]:
        return [process.pid for process in self._processes]

    def _short(self, word: str) -> str:
        return word.replace(f"{self.root}/", "")


@contextlib.contextmanager
def world(root: Path, *, quiet: bool = False) -> Iterator[World]:
    """A world whose processes end with the block."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = World(root, free_port(), quiet)
    try:
        yield made
    finally:
        made.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
