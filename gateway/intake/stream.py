"""Collecting an upload in memory, never on a disk, and telling its format by its bytes."""

from collections.abc import Iterable
from enum import Enum

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake.limits import Limits

_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # xls, and workbooks under a password


class Format(Enum):
    """The three that are read."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


def collect(data: Iterable[bytes], limits: Limits) -> bytes:
    """The whole upload. Stops at the first chunk that goes over the limit, so memory stays bounded by it.

    Raises:
        TooLargeError: more than `limits.max_bytes`.
        BadInputError: not a byte.
    """
    held = bytearray()
    for chunk in data:
        if len(held) + len(chunk) > limits.max_bytes:
            raise TooLargeError(f"larger than {limits.max_bytes} bytes", place="upload")
        held += chunk
    if not held:
        raise BadInputError("the file is empty", place="upload")
    return bytes(held)


def format_of(data: bytes) -> Format:
    """The format by its first bytes; what is no workbook and no Parquet file is taken for CSV.

    Raises:
        BadInputError: an old or password-protected workbook.
    """
    if data.startswith(_PARQUET):
        return Format.PARQUET
    if data.startswith(_ZIP):
        return Format.XLSX
    if data.startswith(_OLE):
        raise BadInputError(
            "an old (.xls) or password-protected workbook",
            place="upload",
            way_out="Save it as .xlsx without a password, or as CSV UTF-8",
        )
    return Format.CSV
