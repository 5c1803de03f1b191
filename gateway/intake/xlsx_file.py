"""XLSX through fastexcel (calamine), after the package was checked and packed anew.

The reader trusts sizes and cell references that the file states of itself, so they are checked first.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

import fastexcel
import polars as pl

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake.limits import Limits
from gateway.intake.raw import HeaderReader, RawTable

_PARTS: Final = 2_000
_CELL: Final = re.compile(rb"""\sr\s*=\s*["']\s*\$?([A-Za-z]{0,9})\$?([0-9]{1,9})""")
_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_BROKEN: Final = (
    fastexcel.FastExcelError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,  # a zip feature, and next: a password
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
)
"""What damaged packages raise on their way through zipfile and the reader."""

_WAY_OUT: Final = "Save it anew as .xlsx, or as CSV UTF-8"


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _parts(package: zipfile.ZipFile, limits: Limits) -> Iterator[tuple[str, bytes]]:
    entries = package.infolist()
    if len(entries) > _PARTS or sum(entry.file_size for entry in entries) > limits.max_unpacked:
        raise TooLargeError(f"the workbook unpacks to more than {limits.max_unpacked} bytes", place="upload")
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile
        # zipfile reads no more than the stated size and then compares the checksum
        yield entry.filename, package.read(entry)


def _check_sheet(xml: bytes, limits: Limits) -> int:
    """The number of cells. The reader allocates the whole rectangle up to the furthest reference."""
    references = _CELL.findall(xml)
    if max((int(row) for _, row in references), default=0) > limits.max_rows + 1:
        raise TooLargeError(f"more than {limits.max_rows} rows", place="sheet")
    if max(map(_column_number, {letters for letters, _ in references}), default=0) > limits.max_columns:
        raise TooLargeError(f"more than {limits.max_columns} columns", place="sheet")
    return len(references)


def _repacked(data: bytes, limits: Limits) -> bytes:
    """The same parts under sizes that are true, uncompressed."""
    out = io.BytesIO()
    cells = longest = 0
    with zipfile.ZipFile(io.BytesIO(data)) as package, zipfile.ZipFile(out, "w") as fresh:
        for name, content in _parts(package, limits):
            if _DOCTYPE.search(content):
                raise BadInputError("the workbook declares XML entities", place="upload", way_out=_WAY_OUT)
            if name.startswith("xl/worksheets/"):
                cells = max(cells, _check_sheet(content, limits))
            elif "sharedstrings" in name.lower():
                longest = max(map(len, content.split(b"</si>")))
            fresh.writestr(name, content)
    if cells * longest > limits.max_unpacked:
        # one shared text may stand in every cell
        raise TooLargeError(
            "cells with too much text", place="sheet", way_out="Remove columns of notes from the list"
        )
    return out.getvalue()


def _sheet(data: bytes, limits: Limits) -> pl.DataFrame:
    try:
        fresh = _repacked(data, limits)
        reader = fastexcel.read_excel(fresh)
        # skip_rows=0 keeps blank rows at the top, so that row numbers are the sheet's
        sheet = reader.load_sheet(0, header_row=None, skip_rows=0, dtypes="string")
        return pl.DataFrame(sheet.to_polars())
    except _BROKEN:
        # from None: the message may quote the sheet
        raise BadInputError("not a readable workbook", place="upload", way_out=_WAY_OUT) from None


def read_xlsx(data: bytes, limits: Limits, header_reader: HeaderReader) -> RawTable:
    """Read the first sheet of a workbook; its first row that is not blank is the header.

    Raises:
        BadInputError: not a workbook that can be read, or its header.
        TooLargeError: too many rows or columns, or it unpacks to too much.
    """
    filled = pl.any_horizontal(pl.all().exclude("line").str.strip_chars().str.len_bytes() > 0)
    table = _sheet(data, limits).with_row_index("line", offset=1).filter(filled)
    names = table.columns[1:]
    header = header_reader(
        [cell or "" for cell in table.select(names).head(1).rows()[0]] if table.height else []
    )
    cells = table.slice(1).select(
        "line", **{column: pl.col(names[index]) for column, index in header.positions.items()}
    )
    return RawTable(cells, header, too_long=pl.Series("line", [], pl.UInt32))
