"""What a request table's Parquet file may be, checked by its own structure before a reader touches it.

A file of a few kilobytes may claim millions of rows, inflate, or share one long prefix among all its values,
and a reader allocates what it is told. So the profile allows flat columns, no compression, and encodings that
never make a value longer than its bytes; every count of the footer and of each page header is checked.
Source: Apache Parquet format 2.x, `parquet.thrift`; the numbers below are its field ids.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import polars as pl

from gateway.bundle.errors import (
    DecompressionBombError,
    MalformedError,
    UnknownColumnError,
    WrongLengthError,
)
from gateway.bundle.thrift import CompactReader, Struct

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8  # length of the footer, then the magic
_PHYSICAL: Final = {pl.UInt32(): 1, pl.Binary(): 6}  # INT32, BYTE_ARRAY
_REPEATED: Final = 2
_UNCOMPRESSED: Final = 0
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
_ENCODINGS: Final = frozenset({_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY})
_DICTIONARY_PAGE: Final = 2
_PAGE_FIELDS: Final = {0: (5, 2), _DICTIONARY_PAGE: (7, 2), 3: (8, 4)}
"""Page type -> its header's field, and the encoding's field in that; 0 and 3 are data pages v1 and v2."""
_ELSEWHERE_OR_ENCRYPTED: Final = frozenset({1, 8, 9})
_MAX_PAGES: Final = 100_000


def check_profile(data: bytes, columns: Mapping[str, pl.DataType], rows: int) -> None:
    """Check the whole structure of a Parquet file without decoding a value.

    Raises:
        MalformedError: not a Parquet file of the profile.
        UnknownColumnError: the columns are not exactly `columns`, in order and type.
        DecompressionBombError: it says more rows than `rows`, is compressed, or claims more than it has.
        WrongLengthError: it says fewer rows.
    """
    footer, body_end = _footer(data)
    try:
        _check_columns(footer[2], columns)
        _check_rows(footer, rows)
        _check_body(data[:body_end], footer[4], list(columns))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise _malformed("its structures lack what Parquet prescribes") from None


def _footer(data: bytes) -> tuple[Struct, int]:
    if len(data) < len(_MAGIC) + _TAIL or not data.startswith(_MAGIC) or not data.endswith(_MAGIC):
        raise _malformed("not a Parquet file")
    end = len(data) - _TAIL
    start = end - int.from_bytes(data[end : end + 4], "little")
    if start < len(_MAGIC):
        raise _malformed("the footer is longer than the file")
    reader = CompactReader(data, start, end)
    footer = reader.struct()
    if reader.position != end:
        raise _malformed("there are bytes after the footer")
    return footer, start


def _check_columns(elements: list[Struct], columns: Mapping[str, pl.DataType]) -> None:
    root, *leaves = elements
    found = [(leaf[4], leaf.get(1)) for leaf in leaves]
    wanted = [(name.encode(), _PHYSICAL[kind]) for name, kind in columns.items()]
    nested = root.get(5) != len(leaves) or any(leaf.get(5) or leaf.get(3) == _REPEATED for leaf in leaves)
    if found != wanted or nested:
        raise UnknownColumnError(
            "the columns are not those of the scheme",
            place="request table",
            way_out="Both sides must run the same scheme version",
        )


def _check_rows(footer: Struct, rows: int) -> None:
    counts = [group[3] for group in footer[4]]
    if min(counts, default=0) < 1 or sum(counts) != footer[3]:
        raise _malformed("the row groups do not add up")
    if footer[3] > rows:
        raise _bomb("it says more rows than the manifest", "Seal the table again")
    if footer[3] < rows:
        raise WrongLengthError("it says fewer rows than the manifest", place="request table")


def _check_body(body: bytes, groups: list[Struct], names: list[str]) -> None:
    spans = []
    pages = 0
    for group in groups:
        for name, chunk in zip(names, group[1], strict=True):
            start, end = _check_chunk(chunk, name, group[3], len(body))
            pages += _walk_pages(body, start, end, group[3])
            if pages > _MAX_PAGES:
                raise _bomb("it has too many pages", "Write larger pages")
            spans.append((start, end))
    # bytes that two chunks share would be decoded twice
    if any(before[1] > after[0] for before, after in pairwise(sorted(spans))):
        raise _bomb("its column chunks overlap", "Write it with another library")


def _check_chunk(chunk: Struct, name: str, rows: int, body_end: int) -> tuple[int, int]:
    meta = chunk[3]
    if _ELSEWHERE_OR_ENCRYPTED & set(chunk) or meta[3] != [name.encode()] or meta[5] != rows:
        raise _malformed("a column chunk is not the one that the schema promises")
    if meta[4] != _UNCOMPRESSED or meta[6] != meta[7] or not set(meta[2]) <= _ENCODINGS:
        raise _bomb(
            "a column is compressed, or encoded so that it can grow",
            "Write it uncompressed, with plain or dictionary encoding",
        )
    start = meta.get(11, meta[9])
    end = start + meta[7]
    if not len(_MAGIC) <= start <= meta[9] < end <= body_end:
        raise _malformed("a column chunk lies outside the file's body")
    return start, end


def _walk_pages(body: bytes, start: int, end: int, rows: int) -> int:
    position, values, pages = start, 0, 0
    while position < end and pages <= _MAX_PAGES:
        reader = CompactReader(body, position, end)
        header = reader.struct()
        dictionary, claimed = _check_page(header, rows)
        if dictionary and pages:
            raise _malformed("a dictionary page is out of place")
        values += 0 if dictionary else claimed
        pages += 1
        position = reader.position + header[3]
    if position != end or values != rows:
        raise _bomb("the pages of a column do not add up", "Write it with another library")
    return pages


def _check_page(header: Struct, rows: int) -> tuple[bool, int]:
    """Whether it is a dictionary page, and how many values it claims."""
    field, encoding = _PAGE_FIELDS[header[1]]
    claimed = header[field][1]
    dictionary = header[1] == _DICTIONARY_PAGE
    least = 0 if dictionary else 1
    same_size = header[2] == header[3] >= 0
    if not same_size or not least <= claimed <= rows or header[field][encoding] not in _ENCODINGS:
        raise _bomb("a page claims more than it has", "Write it uncompressed")
    return dictionary, claimed


def _malformed(reason: str) -> MalformedError:
    return MalformedError(reason, place="request table", way_out="Seal the table again")


def _bomb(reason: str, way_out: str) -> DecompressionBombError:
    return DecompressionBombError(reason, place="request table", way_out=way_out)
