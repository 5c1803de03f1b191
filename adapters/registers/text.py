"""A register in CSV, read in blocks: encoding and delimiter are found out, nothing is held whole."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from adapters.registers.register import RegisterError

_BLOCK: Final = 8 << 20
_LONGEST_RECORD: Final = 64 << 20
_LONGEST_HEADER: Final = 1 << 20
_DELIMITERS: Final = ",;\t|"


def csv_frames(path: Path) -> Iterator[pl.DataFrame]:
    """Frames of text columns under the file's own headers; ragged rows are padded or cut.

    Raises:
        RegisterError: no header, a repeated header, UTF-16, or a quote that never closes.
    """
    encoding = _encoding(path)
    with path.open("rb") as file:
        line = file.readline(_LONGEST_HEADER)
        delimiter = _delimiter(line)
        names = _header(line, encoding, delimiter)
        schema = dict.fromkeys(names, pl.String)
        for block in _blocks(file):
            utf8 = block if encoding == "utf-8" else block.decode(encoding, "replace").encode()
            yield pl.read_csv(
                utf8,
                has_header=False,
                schema=schema,
                separator=delimiter,
                extra_columns="ignore",
                missing_columns="insert",
            )


def _encoding(path: Path) -> str:
    """UTF-8 if every byte agrees, else Windows-1252: what spreadsheets write in Britain."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                if b"\0" in block:
                    raise RegisterError(
                        "not a text file of bytes", place="register", way_out="Save it as CSV UTF-8"
                    )
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _delimiter(line: bytes) -> str:
    return max(_DELIMITERS, key=lambda mark: line.count(mark.encode()))


def _header(line: bytes, encoding: str, delimiter: str) -> list[str]:
    text = line.removeprefix(codecs.BOM_UTF8).decode(encoding, "replace").strip("\r\n")
    names = [name.strip().strip('"').strip() for name in text.split(delimiter)]
    if not any(names) or len(set(names)) < len(names):
        raise RegisterError("no header line, or a repeated header", place="register")
    return names


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Whole records of about `_BLOCK` bytes: cut at a line end that stands outside quotes."""
    rest = b""
    while data := file.read(_BLOCK):
        rest += data
        cut = _record_end(rest)
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > _LONGEST_RECORD:
            raise RegisterError("a quotation mark never closes", place="register")
    if rest.strip():
        yield rest


def _record_end(data: bytes) -> int:
    """One past the last line end with an even number of quotes before it, or 0."""
    quotes = data.count(b'"')
    end = len(data)
    while (cut := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', cut, end)
        if quotes % 2 == 0:
            return cut + 1
        end = cut
    return 0
