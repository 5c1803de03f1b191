"""The wheel of the verifier alone, in an environment that has nothing else but `cryptography`."""

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from audit_samples import exported, log_of, signer

import audit
from audit.tiles import write_tiles
from audit.trust import Trust, write_trust

ROOT = Path(__file__).parents[2]


def command(*argv: str | Path, check: bool = False, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, check=check, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What `make audit-wheel` builds, with the tools that are installed and no package index."""
    out = tmp_path_factory.mktemp("wheel")
    variables = (f"VENV={sys.prefix}", f"AUDIT_WHEEL={out}", f"AUDIT_BUILD={out}-build")
    done = command("make", "--old-file=setup", "audit-wheel", *variables)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A fresh environment with the wheel, and links to `cryptography` and what that loads."""
    place = tmp_path_factory.mktemp("auditor") / "venv"
    command(sys.executable, "-m", "venv", "--without-pip", place, check=True)
    (packages,) = place.glob("lib/python3*/site-packages")
    for name in ("cryptography", "cffi", "_cffi_backend", "pycparser"):
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            found = origin.parent if spec.submodule_search_locations else origin
            (packages / found.name).symlink_to(found)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place / "bin" / "python")
    command(*pip, "install", "--no-index", "--no-deps", wheel, check=True)
    return place / "bin" / "python"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A log as file and as tiles, an altered copy of each, and the trust file."""
    folder = tmp_path_factory.mktemp("logs")
    log = log_of(300, 100)
    (folder / "log.txt").write_bytes(exported(log))
    (folder / "bad.txt").write_bytes(exported(log).replace(b'"number":17,', b'"number":18,'))
    for name in ("tiles", "bad-tiles"):
        write_tiles(log, folder / name)
    bundle = folder / "bad-tiles" / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"number":17,', b'"number":18,'))
    write_trust(folder / "trust.json", Trust(signer().verifier))
    return folder


def verify(python: Path, folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    return command(python, "-I", "-m", "audit", "verify", name, "--trust", "trust.json", cwd=folder)


@pytest.mark.parametrize("name", ["log.txt", "tiles"])
def test_the_wheel_verifies(python, logs, name):
    """Installed alone, `python -m audit verify` exits 0 on an untouched log."""
    done = verify(python, logs, name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Verified: all 300 entries of flagstone.example/council")


@pytest.mark.parametrize("name", ["bad.txt", "bad-tiles"])
def test_the_wheel_finds_tampering(python, logs, name):
    """Installed alone, it exits 5 on an altered log and names the entry."""
    done = verify(python, logs, name)
    assert (done.returncode, done.stdout) == (5, "")
    assert "entry 17 (exchange.request-authorised)" in done.stderr


@pytest.mark.parametrize("name", ["gateway", "policies", "polars", "pydantic"])
def test_the_auditors_environment_has_nothing_else(python, name):
    """The environment of these tests can import neither our other packages nor their dependencies."""
    done = command(python, "-I", "-c", f"import audit.verify, {name}")
    assert f"No module named '{name}'" in done.stderr


def test_the_wheel_holds_audit_alone_and_asks_for_cryptography_alone(wheel):
    """Its files are those of `audit`; its one requirement is `cryptography`."""
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if ".dist-info/" not in name}
        (metadata,) = (files.read(name) for name in files.namelist() if name.endswith("/METADATA"))
    assert names == {f"audit/{file.name}" for file in Path(audit.__file__).parent.glob("*.py")}
    required = [line for line in metadata.decode().splitlines() if line.startswith("Requires-Dist")]
    assert required == ["Requires-Dist: cryptography"]


def test_the_wheel_has_the_gateways_version():
    """Verifier and gateway are released together."""
    versions = [
        tomllib.loads(file.read_text())["project"]["version"]
        for file in (ROOT / "pyproject.toml", ROOT / "audit" / "pyproject.toml")
    ]
    assert versions[0] == versions[1]
