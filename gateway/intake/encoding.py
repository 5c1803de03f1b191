"""From the bytes of a text file to UTF-8: UTF-8 with or without BOM, else Windows-1252, else refused."""

import codecs
import re
from typing import Final

from gateway.domain.errors import BadInputError

_CONTROL: Final = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
_UTF8_PAIR: Final = re.compile(rb"[\xc3-\xc5][\x80-\xbf]")
"""An accented Latin letter in UTF-8. In Windows-1252: a capital before a symbol, as in no name."""


def _line(data: bytes, position: int) -> str:
    before = data.count(b"\n", 0, position)
    return f"line {before + 1}"


def _refuse_control_bytes(data: bytes) -> None:
    if len(data.translate(None, _CONTROL)) == len(data):
        return
    position = next(match.start() for match in re.finditer(b"[" + re.escape(_CONTROL) + b"]", data))
    kind = "a NUL byte" if data[position] == 0 else "a control byte"
    raise BadInputError(
        f"{kind}: not a text file", place=_line(data, position), way_out="Export it as CSV UTF-8"
    )


def to_utf8(data: bytes) -> bytes:
    """The same text in UTF-8 without BOM, lines ended by LF (or CR LF).

    Raises:
        BadInputError: UTF-16, control bytes, or neither UTF-8 nor Windows-1252; names the line.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInputError("the file is UTF-16", place="upload", way_out="Export it as CSV UTF-8")
    _refuse_control_bytes(data)
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # line ends of classic Mac exports
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return _from_windows(data, error.start)
    return data


def _from_windows(data: bytes, first_bad: int) -> bytes:
    if _UTF8_PAIR.search(data):
        raise BadInputError(
            "some letters are UTF-8 and some are not",
            place=_line(data, first_bad),
            way_out="Export it as CSV UTF-8",
        )
    try:
        return data.decode("cp1252").encode()
    except UnicodeDecodeError as error:
        raise BadInputError(
            "neither UTF-8 nor Windows-1252", place=_line(data, error.start), way_out="Export it as CSV UTF-8"
        ) from None
