"""docs/sample-log: a log of seven entries, which docs/verify-by-hand.md checks with openssl and sha256sum.

python tests/sample_log.py        write both anew: the sample, and what its commands print into the page
"""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from audit_samples import MemoryStore  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from audit.checkpoint import NoteSigner  # noqa: E402
from audit.cosignature import Cosigner  # noqa: E402
from audit.entry import Entry  # noqa: E402
from audit.export import write_export  # noqa: E402
from audit.log import Log  # noqa: E402
from audit.trust import Trust  # noqa: E402

DOCS: Final = HERE.parent / "docs"
PAGE: Final = DOCS / "verify-by-hand.md"
SAMPLE: Final = DOCS / "sample-log"
ENTRY: Final = 4
_AT: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
_KINDS: Final = (
    "policies.in-use",
    "partner.added",
    "agreement.signed",
    "exchange.permitted",
    "exchange.request-authorised",
    "exchange.delivered",
    "exchange.refused",
)


def files() -> dict[str, bytes]:
    """The sample's files. Its keys are made of published words: they protect nothing."""
    witness = Cosigner("partner.example/agent", _key("witness"))
    signer = NoteSigner("flagstone.example/council", _key("log"))
    log = Log(MemoryStore(), signer)
    log.append([_entry(number) for number in range(len(_KINDS))])
    note = log.checkpoint()
    note += witness.cosign(note, _AT + timedelta(hours=1))
    path = [base64.b64encode(node).decode() for node in log.inclusion(ENTRY, log.size())]
    out = io.BytesIO()
    write_export(_Cosigned(log, note), out)
    trust = json.dumps(Trust(signer.verifier, (witness.verifier,), 1).to_json(), indent=2)
    return {
        "log.txt": out.getvalue(),
        "proof.txt": "\n".join(["c2sp.org/tlog-proof@v1", f"index {ENTRY}", *path, "", ""]).encode() + note,
        "trust.json": trust.encode() + b"\n",
    }


class _Cosigned:
    """The log, its checkpoint with a cosignature."""

    def __init__(self, log: Log, note: bytes) -> None:
        self.leaves, self.leaf_hashes = log.leaves, log.leaf_hashes
        self._note = note

    def checkpoint(self) -> bytes:
        return self._note


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"flagstone sample {name}".encode()).digest())


def _entry(number: int) -> Entry:
    body = {
        "actor": {"id": "gateway", "organisation": "council", "role": "system"},
        "dataset": "health-trust",
    }
    return Entry(UUID(int=number, version=4), _KINDS[number], _AT + timedelta(minutes=number), body)


# --- the page --------------------------------------------------------------------------------------------

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND: Final = re.compile(r"^\$ (.*\n(?:> .*\n)*)", re.MULTILINE)
_MARK: Final = "--- next command ---"


def commands(page: str) -> list[tuple[str, str]]:
    """Every command of the page's console blocks, in order, and what it prints there."""
    found = []
    for block in _BLOCK.findall(page):
        before, *parts = _COMMAND.split(block)
        if before:
            raise ValueError("a console block must begin with a command")
        found += zip(parts[::2], parts[1::2], strict=True)
    return found


def run(typed: list[str], folder: Path) -> list[str]:
    """What each command prints, typed one after the other into one bash, in a copy of the sample."""
    shutil.copytree(SAMPLE, folder / "docs" / "sample-log")
    lines = "".join(f"{command.replace(chr(10) + '> ', chr(10))}echo '{_MARK}'\n" for command in typed)
    shell = ["bash", "--norc", "--noprofile", "-c", f"exec 2>&1\n{lines}"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "PYTHONPATH": str(HERE.parent), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    *printed, rest = done.stdout.split(f"{_MARK}\n")
    if rest or len(printed) != len(typed):
        raise ValueError("a command ended the shell")
    return printed


def main() -> None:
    shutil.rmtree(SAMPLE, ignore_errors=True)
    SAMPLE.mkdir()
    for name, data in files().items():
        (SAMPLE / name).write_bytes(data)
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        printed = iter(run([command for command, _ in commands(page)], Path(place)))
    filled = _BLOCK.sub(
        lambda block: (
            "```console\n"
            + "".join(f"$ {found[1]}{next(printed)}" for found in _COMMAND.finditer(block[1]))
            + "```"
        ),
        page,
    )
    PAGE.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
