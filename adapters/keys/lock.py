"""The keyring's key: under it private keys lie sealed in their files.

It comes out of a passphrase (Argon2id, RFC 9106) or is 32 random bytes in a key file of its own. What it
takes to get it, and whether it is the right one, stands in `keyring/keyring.json`; nothing there is secret.
"""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from adapters.keys.folder import SecretFolder, read_own_file
from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError

FILE: Final = "keyring.json"
MAGIC: Final = b"flagstone/sealed-key/v1\n"
MIN_PASSPHRASE: Final = 14
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SALT_BYTES: Final = 16


class Params(BaseModel):
    """`keyring.json`. Argon2id's cost is read from it within bounds, so that an altered file can't cheapen it
    beyond recognition (another key comes out) nor eat the machine's memory.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["flagstone/keyring/v1"] = "flagstone/keyring/v1"
    source: Literal["passphrase", "key-file"]
    salt: Annotated[Base64Bytes, Field(min_length=_SALT_BYTES, max_length=64)] = b""
    iterations: Annotated[int, Field(ge=1, le=100)] = 3
    lanes: Annotated[int, Field(ge=1, le=16)] = 4
    memory_kib: Annotated[int, Field(ge=8, le=4 << 20)] = 64 * 1024
    """RFC 9106 §4, second recommended option: 3 passes, 4 lanes, 64 MiB."""
    check: Annotated[Base64Bytes, Field(max_length=128)] = b""


class KeyringLock:
    """Seals and opens key files. `secret` is asked for the passphrase's or the key file's bytes once, at the
    first use.
    """

    def __init__(self, params: Params, secret: Callable[[], bytes]) -> None:
        self._params = params
        self._secret = secret
        self._key: AESGCM | None = None

    @classmethod
    def load(cls, folder: Path, secret: Callable[[str], bytes]) -> Self | None:
        """The lock of a home's `keyring/`, or None where keys are raw files.

        `secret` is given "passphrase" or "key-file".

        Raises:
            ConfigurationError: `keyring.json` is damaged or open to others.
        """
        if not folder.exists():
            return None
        try:
            params = Params.model_validate_json(SecretFolder(folder).get(FILE))
        except NotFoundError:
            return None
        except ValidationError:
            raise ConfigurationError("damaged", place=f"keyring/{FILE}", way_out="Restore it") from None
        return cls(params, lambda: secret(params.source))

    @classmethod
    def create(
        cls, folder: Path, source: Literal["passphrase", "key-file"], secret: Callable[[str], bytes]
    ) -> Self:
        """Make the lock of a home, once.

        Raises:
            ConflictError: there is one.
            ConfigurationError: the passphrase is short, or the key file can't be used.
        """
        found = SecretFolder(folder)
        found.create()
        if FILE in found.names():
            raise ConflictError("the keys are sealed already", place="keyring")
        params = Params(source=source, salt=base64.b64encode(secrets.token_bytes(_SALT_BYTES)))
        lock = cls(params, lambda: secret(source))
        check = lock.seal(b"", labels.KEYRING_CHECK)
        checked = params.model_copy(update={"check": check})
        # commit point: from here on new keys are sealed
        found.put({FILE: checked.model_dump_json(indent=1).encode()})
        return cls(checked, lambda: secret(source))

    def seal(self, key: bytes, aad: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return MAGIC + nonce + self._opened().encrypt(nonce, key, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The key inside.

        Raises:
            ConfigurationError: the file was altered or is another key's; or the passphrase is wrong.
        """
        body = sealed.removeprefix(MAGIC)
        try:
            return self._opened().decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], aad)
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                "a sealed key file was altered, or is another key's", place="keys", way_out="Restore it"
            ) from None

    def _opened(self) -> AESGCM:
        if self._key is None:
            key = AESGCM(self._derived(self._secret()))
            self._check(key)
            self._key = key
        return self._key

    def _derived(self, secret: bytes) -> bytes:
        given = self._params
        if given.source == "key-file":
            return secret
        if len(secret) < MIN_PASSPHRASE:
            raise ConfigurationError(
                f"the passphrase is shorter than {MIN_PASSPHRASE} bytes",
                place="keyring",
                way_out="Choose five words or more at random",
            )
        kdf = Argon2id(
            salt=given.salt,
            length=_KEY_BYTES,
            iterations=given.iterations,
            lanes=given.lanes,
            memory_cost=given.memory_kib,
        )
        return kdf.derive(secret)

    def _check(self, key: AESGCM) -> None:
        check = self._params.check.removeprefix(MAGIC)
        if not check:
            return  # being made
        try:
            key.decrypt(check[:_NONCE_BYTES], check[_NONCE_BYTES:], labels.KEYRING_CHECK)
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                f"not the {self._params.source} that the keys were sealed with", place="keyring"
            ) from None


def is_sealed(stored: bytes) -> bool:
    """Whether a key file's content is sealed."""
    return stored.startswith(MAGIC)


def read_key_file(path: Path, *, by_system: bool = False) -> bytes:
    """The 32 bytes of a keyring's key file: a plain file, ours, mode 0600 or 0400, not reached by a link.

    Raises:
        ConfigurationError: it is anything else.
    """
    key = read_own_file(path, "keyring's key file", by_system=by_system)
    if len(key) != _KEY_BYTES:
        raise ConfigurationError("not 32 bytes", place="FLAGSTONE_KEYRING_KEY_FILE")
    return key


def read_passphrase_file(path: Path, *, by_system: bool = False) -> bytes:
    """The first line of a file that is ours alone. Raise ConfigurationError otherwise."""
    return read_own_file(path, "passphrase file", by_system=by_system).split(b"\n", 1)[0].rstrip(b"\r")
