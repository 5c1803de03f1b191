"""Reading and writing the files that commands name."""

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.domain.errors import BadInputError, ConfigurationError, TooLargeError
from gateway.settings import MEBIBYTE, read_settings

_CHUNK = 1 << 20
_MAX_DOCUMENT = 1 << 16


def chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes as a stream."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def check_size(path: Path) -> None:
    """Refuse a list that the gateway would refuse, before a byte of it is sent.

    Raises:
        TooLargeError: larger than FLAGSTONE_MAX_UPLOAD_MIB.
    """
    limit = read_settings().max_upload_mib
    if path.stat().st_size > limit * MEBIBYTE:
        raise TooLargeError(f"larger than {limit} MiB", place=path.name, way_out="Submit it in parts")


def small(path: Path) -> bytes:
    """A small document whole.

    Raises:
        BadInputError: it is larger than any document of ours.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_DOCUMENT + 1)
    if len(data) > _MAX_DOCUMENT:
        raise BadInputError("larger than any document of this kind", place=path.name)
    return data


def check_folder(path: Path) -> None:
    """Refuse a file to write that can't be written, before the work that it is for.

    Raises:
        ConfigurationError: its folder is missing or closed to this user.
    """
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)) or path.is_dir():
        raise ConfigurationError(
            "can't be written", place=str(path), way_out="Name a file in a folder of yours"
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
