"""Checking the exported log as an outsider would, in a process that can import `audit` alone."""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import audit

_NEEDED = ("cryptography", "cffi", "_cffi_backend", "pycparser")
_RUN = "import runpy, sys; sys.path[:0] = [sys.argv.pop(1)]; runpy.run_module('audit', run_name='__main__')"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier said, and its exit code."""

    text: str
    code: int


def outsider(folder: Path) -> Path:
    """A folder with `audit` and what `cryptography` needs: all that the verifier's process can import."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(Path(audit.__file__).parent, folder / "audit", dirs_exist_ok=True)
    for kind in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for found in Path(kind).iterdir():
            link = folder / found.name
            if found.name.split(".")[0] in _NEEDED and not link.exists():
                link.symlink_to(found)
    return folder


def verify(folder: Path, log: Path, trust: Path) -> Verdict:
    """Run `python -m audit verify` isolated (-I) and without site-packages (-S)."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-I", "-S", "-c", _RUN, str(folder), "verify", str(log), "--trust", str(trust)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Verdict((done.stdout + done.stderr).strip(), done.returncode)


def tamper(log: Path, copy: Path, kind: bytes) -> int:
    """Copy the log and change one byte of the last entry of a kind; return the entry's index.

    Raises:
        ValueError: the log has no such entry.
    """
    data = log.read_bytes()
    at = data.rindex(kind)
    # entries stand one a line and begin with a brace (docs/log-format.md): those before it count it
    index = sum(line.startswith(b"{") for line in data[:at].splitlines()) - 1
    copy.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return index
