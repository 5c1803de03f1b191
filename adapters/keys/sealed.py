"""A home's key folders as one file under a passphrase, to be kept apart from the machine.

Of the exchanges' keys it holds none: a copy of those would outlive their destruction.
Form: `flagstone/keys/v1`, LF, 16 bytes of salt, 12 of nonce, AES-256-GCM of a JSON object of folders, files
and base64, under scrypt (RFC 7914; N = 2^17, r = 8, p = 1) of the passphrase.
"""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from adapters.keys.folder import SecretFolder
from gateway.domain.errors import BadInputError, VerificationError

FOLDERS: Final = ("keys", "log-key", "search-key")
LEAST: Final = 15
"""Characters of a passphrase."""
MAX_FILE: Final = 1 << 20
_HEAD: Final = b"flagstone/keys/v1\n"
_SALT, _NONCE = 16, 12


def seal_home(home: Path, passphrase: str, entropy: Callable[[int], bytes]) -> bytes:
    """Every key folder of a home that is there.

    Raises:
        BadInputError: the passphrase is shorter than 15 characters.
        ConfigurationError: a folder is open to others.
    """
    if len(passphrase) < LEAST:
        raise BadInputError(f"shorter than {LEAST} characters", place="passphrase")
    held = {name: _read(home / name) for name in FOLDERS if (home / name).is_dir()}
    salt, nonce = entropy(_SALT), entropy(_NONCE)
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(held).encode(), _HEAD)
    return _HEAD + salt + nonce + sealed


def restore_home(data: bytes, passphrase: str, home: Path) -> None:
    """Write the key folders into a home; what is there already must be the same.

    Raises:
        VerificationError: another passphrase, or the file was altered.
        ConflictError: other keys are there.
    """
    body = data[len(_HEAD) :]
    if not data.startswith(_HEAD) or len(data) > MAX_FILE or len(body) < _SALT + _NONCE:
        raise VerificationError("not a file of exported keys", place="keys")
    salt, nonce, sealed = body[:_SALT], body[_SALT : _SALT + _NONCE], body[_SALT + _NONCE :]
    try:
        held: dict[str, Any] = json.loads(AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed, _HEAD))
    except InvalidTag:
        raise VerificationError("another passphrase, or the file was altered", place="keys") from None
    for name in FOLDERS:
        if name in held:
            folder = SecretFolder(home / name)
            folder.create()
            folder.put({file: base64.b64decode(content) for file, content in held[name].items()})


def write_new(path: Path, data: bytes) -> None:
    """A file that only its owner reads; one that is there is not overwritten.

    Raises:
        BadInputError: there is one.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BadInputError("is there already", place=path.name, way_out="Name another file") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(folder: Path) -> dict[str, str]:
    secrets = SecretFolder(folder)
    secrets.check()
    return {name: base64.b64encode(secrets.get(name)).decode() for name in secrets.names()}


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**17, r=8, p=1).derive(passphrase.encode())
