"""How much a Parquet file will unpack to, told from its page headers before a page is unpacked.

The footer may say anything; the reader allocates by the page headers, so these are added up.
Field numbers: apache/parquet-format src/main/thrift/parquet.thrift.
"""

from typing import Any, Final

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake.limits import Limits
from gateway.intake.thrift import MalformedError, Reader

_TAIL: Final = 8  # footer length (little-endian) and magic
_MAX_FOOTER: Final = 4 * 1024 * 1024
_MAX_PAGES: Final = 100_000
_VALUES_PER_ROW: Final = 64  # a list of indicator codes holds several values a row
_DELTA_BYTE_ARRAY: Final = 7  # each value may repeat the one before it: unpacks without bound


def not_readable() -> BadInputError:
    return BadInputError(
        "not a readable Parquet file", place="upload", way_out="Write it anew, or export it as CSV UTF-8"
    )


def _footer(data: bytes) -> dict[int, Any]:
    length = int.from_bytes(data[-_TAIL:-4], "little")
    if not data.endswith(b"PAR1") or length > min(_MAX_FOOTER, len(data) - _TAIL):
        raise MalformedError
    return Reader(data, len(data) - _TAIL - length).struct()


def _chunks(footer: dict[int, Any]) -> list[tuple[int, int]]:
    """(first byte, end) of each column chunk."""
    spans = []
    for chunk in (chunk for group in footer[4] for chunk in group[1]):
        meta = chunk[3]
        start = meta.get(11, meta[9])
        if not 0 < start <= meta[9]:
            raise MalformedError
        spans.append((start, start + meta[7]))
    return spans


def _page(header: dict[int, Any]) -> tuple[int, int]:
    """(unpacked bytes, values) of one page."""
    first, second, dictionary = header.get(5, {}), header.get(8, {}), header.get(7, {})
    if _DELTA_BYTE_ARRAY in (first.get(2), second.get(4)):
        raise MalformedError
    return header[2], max(part.get(1, 0) for part in (first, second, dictionary))


def check_pages(data: bytes, limits: Limits) -> None:
    """Add up every page.

    Raises:
        TooLargeError: more bytes, values or pages than the limits allow.
        BadInputError: the metadata can't be followed, or an encoding that hides its size.
    """
    try:
        unpacked, most, pages = _totals(data)
    except (MalformedError, LookupError, TypeError, AttributeError):
        raise not_readable() from None
    if unpacked > limits.max_unpacked or pages > _MAX_PAGES or most > limits.max_rows * _VALUES_PER_ROW:
        raise TooLargeError(f"the file unpacks to more than {limits.max_unpacked} bytes", place="upload")


def _totals(data: bytes) -> tuple[int, int, int]:
    """Unpacked bytes of all pages, values of the longest column chunk, number of pages."""
    unpacked = most = pages = 0
    for start, end in _chunks(_footer(data)):
        position, values = start, 0
        while position < end and pages <= _MAX_PAGES:
            reader = Reader(data, position)
            size, count = _page(header := reader.struct())
            if min(size, count, header[3]) < 0:
                raise MalformedError
            position = reader.position + header[3]
            unpacked, values, pages = unpacked + size, values + count, pages + 1
        most = max(most, values)
    return unpacked, most, pages
