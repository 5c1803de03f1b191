"""The secret of `flagstone tokens`, out of a file that nobody else can read."""

import os
from pathlib import Path
from typing import Final

from gateway.domain.errors import ConfigurationError

_HEX_DIGITS: Final = 64


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file.

    Raises:
        ConfigurationError: others may read it, or it is not 64 hexadecimal digits.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigurationError("others may read it", place="key file", way_out="chmod 600 it")
        text = file.read(_HEX_DIGITS + 2).strip()
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(text) != _HEX_DIGITS or not key:
        raise ConfigurationError(
            "not 64 hexadecimal digits", place="key file", way_out="Make one with `openssl rand -hex 32`"
        )
    return key
