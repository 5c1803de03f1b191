"""A PKCS#11 token to test against: SoftHSM 2, as Debian packages it (softhsm2)."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
TOKEN = "flagstone-tests"
PIN = "13572468"


@dataclass(frozen=True)
class SoftHsm:
    """One initialised token; `folder` holds its files and `pin`, a file of mode 0600."""

    folder: Path
    module: Path = MODULE
    token: str = TOKEN

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    @property
    def environment(self) -> dict[str, str]:
        """What a process of its own needs to make its keys in the token."""
        return {
            "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"),
            "FLAGSTONE_KEYS_IN": "pkcs11",
            "FLAGSTONE_PKCS11_MODULE": str(self.module),
            "FLAGSTONE_PKCS11_TOKEN": self.token,
            "FLAGSTONE_PKCS11_PIN_FILE": str(self.pin_file),
        }

    def backend(self, pin: str = PIN, token: str = TOKEN):
        from adapters.keys.hsm import HsmBackend

        return HsmBackend.open(self.module, token, pin.encode, "tests")


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory):
    """The module reads its settings once for a process, so there is one token for all tests of it."""
    if not MODULE.exists() or not shutil.which("softhsm2-util"):
        pytest.skip("SoftHSM 2 is not installed: apt install softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    hsm = SoftHsm(folder)
    hsm.pin_file.write_text(PIN + "\n")
    hsm.pin_file.chmod(0o600)
    os.environ["SOFTHSM2_CONF"] = str(config)
    command = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return hsm
