"""Where an installation's keys live: environment variables `FLAGSTONE_...`, for gateway and agent alike."""

import getpass
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.keys.backend import Backend
from adapters.keys.lock import KeyringLock, read_key_file, read_passphrase_file
from adapters.keys.places import Places
from gateway.domain.errors import ConfigurationError

KEYRING: Final = "keyring"
"""The folder of a home that holds `keyring.json`."""
_CREDENTIALS: Final = {"passphrase": "flagstone-keyring-passphrase", "key-file": "flagstone-keyring-key"}
"""Names under which systemd hands credentials over (systemd.exec, LoadCredential=)."""


class KeySettings(BaseSettings):
    """What an operator may set. docs/keys.md describes each."""

    model_config = SettingsConfigDict(
        env_prefix="FLAGSTONE_", hide_input_in_errors=True, frozen=True, extra="ignore"
    )

    keys_in: Literal["file", "pkcs11", "vault"] = "file"
    """Where new keys are made; keys that are there stay where they are."""
    keys_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")] = "flagstone"
    """How names in a security module or key service begin."""
    key_days: str = "log=730,sealing=365,search=730,signing=730,exchange=365,auth=365"
    """After how many days each kind of key is to be rotated; a kind that is left out never is."""
    key_overlap_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """For how long a log's former key goes on signing beside the new one."""
    keyring_passphrase_file: Path | None = None
    keyring_key_file: Path | None = None
    pkcs11_module: Path | None = None
    pkcs11_token: str = ""
    pkcs11_pin_file: Path | None = None
    vault_url: str = ""
    vault_token_file: Path | None = None
    vault_namespace: str = ""
    vault_mount: str = "transit"
    vault_ca_file: Path | None = None
    vault_timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0

    @field_validator("key_days")
    @classmethod
    def _kinds_and_days(cls, text: str) -> str:
        if not re.fullmatch(r"([a-z-]{1,31}=[1-9]\d{0,4}(,|$))*", text):
            raise ValueError("not kinds with days, like log=730,search=365")
        return text

    @property
    def days(self) -> dict[str, int]:
        """`key_days` by kind."""
        pairs = (part.split("=") for part in self.key_days.split(",") if part)
        return {kind: int(days) for kind, days in pairs}

    def places(self, home: Path) -> Places:
        """The places that are set up. Nothing is asked of them before a key is used.

        Raises:
            ConfigurationError: a setting is missing, or a package that the place needs.
        """
        lock = KeyringLock.load(home / KEYRING, self.secret)
        others: dict[str, Backend] = {}
        if self.pkcs11_module is not None:
            from adapters.keys.hsm import HsmBackend  # noqa: PLC0415 - an extra

            others["pkcs11"] = HsmBackend.open(
                self.pkcs11_module, self.pkcs11_token, self._pin, self.keys_prefix
            )
        if self.vault_url:
            from adapters.keys.vault import VaultBackend  # noqa: PLC0415 - an extra

            others["vault"] = VaultBackend.open(
                self.vault_url,
                self._vault_token,
                prefix=self.keys_prefix,
                mount=self.vault_mount,
                namespace=self.vault_namespace,
                ca_file=self.vault_ca_file,
                timeout=self.vault_timeout_seconds,
            )
        if self.keys_in not in {"file", *others}:
            needs = {"pkcs11": "FLAGSTONE_PKCS11_MODULE", "vault": "FLAGSTONE_VAULT_URL"}[self.keys_in]
            raise ConfigurationError(f"needs {needs}", place="FLAGSTONE_KEYS_IN", way_out="See docs/keys.md")
        return Places(lock, others, self.keys_in)

    def secret(self, source: str) -> bytes:
        """The keyring's passphrase, or the 32 bytes of its key file.

        Taken from the file that a setting names, from what systemd hands over, or, a passphrase only, from
        the terminal; never from the command line or a variable's value, which other processes can read.

        Raises:
            ConfigurationError: none of these has it, or the file is open to others.
        """
        given = self.keyring_passphrase_file if source == "passphrase" else self.keyring_key_file
        found = _found(given, _CREDENTIALS[source])
        if found is not None:
            return _read(*found, read_passphrase_file if source == "passphrase" else read_key_file)
        if source == "passphrase" and sys.stdin.isatty():
            return getpass.getpass("Keyring passphrase: ").encode()
        name = "PASSPHRASE_FILE" if source == "passphrase" else "KEY_FILE"
        raise ConfigurationError(
            f"the keys are sealed, and there is no {source} to open them",
            place="keyring",
            way_out=f"Set FLAGSTONE_KEYRING_{name}, or hand it over with systemd (docs/keys.md)",
        )

    def new_secret(self, source: str) -> bytes:
        """As `secret`, for what is sealed from now on: what is typed must be typed twice alike."""
        first = self.secret(source)
        typed = source == "passphrase" and not (
            self.keyring_passphrase_file or _credential(_CREDENTIALS[source])
        )
        if typed and getpass.getpass("The same again: ").encode() != first:
            raise ConfigurationError("not typed alike", place="keyring", way_out="Try again")
        return first

    def _pin(self) -> bytes:
        return _of_file(self.pkcs11_pin_file, "FLAGSTONE_PKCS11_PIN_FILE", "flagstone-pkcs11-pin")

    def _vault_token(self) -> bytes:
        return _of_file(self.vault_token_file, "FLAGSTONE_VAULT_TOKEN_FILE", "flagstone-vault-token")


def read_key_settings() -> KeySettings:
    """Read the environment.

    Raises:
        ConfigurationError: a setting is malformed; names it, never its value.
    """
    try:
        return KeySettings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "FLAGSTONE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(first["msg"].removeprefix("Value error, "), place=place) from None


class _Reader(Protocol):
    def __call__(self, path: Path, *, by_system: bool) -> bytes: ...


def _of_file(given: Path | None, setting: str, credential: str) -> bytes:
    found = _found(given, credential)
    if found is None:
        raise ConfigurationError("not set", place=setting, way_out="Name a file of mode 0600")
    return _read(*found, read_passphrase_file)


def _found(given: Path | None, credential: str) -> tuple[Path, bool] | None:
    """The file that a setting names, or else the one that systemd handed over; and whether systemd did."""
    if given is not None:
        return given, False
    path = _credential(credential)
    return None if path is None else (path, True)


def _credential(name: str) -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / name if folder else None
    return path if path is not None and path.exists() else None


def _read(path: Path, by_system: bool, reader: _Reader) -> bytes:
    try:
        return reader(path, by_system=by_system)
    except FileNotFoundError:
        raise ConfigurationError(
            "a named file is missing", place="keys", way_out="Look at its path"
        ) from None
