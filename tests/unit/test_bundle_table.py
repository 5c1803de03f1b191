"""The request table: a Parquet file is judged by its own structure before a reader touches it."""

import io

import polars as pl
import pytest
from bundle_world import Inbox, header, request, table, with_table
from parquet_world import Long, Struct, page, parquet, write

from gateway.bundle import errors
from gateway.bundle.parquet import check_profile
from gateway.bundle.tables import read_table, request_columns, write_table
from gateway.bundle.thrift import CompactReader
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import Granularity
from gateway.linkage.scheme import V1

COLUMNS = {"household": pl.UInt32(), "key": pl.Binary()}
ALL_COLUMNS = request_columns(V1, Granularity.HOUSEHOLD_INDICATORS)


def file_of(frame: pl.DataFrame, **options: object) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out, **({"compression": "uncompressed", "statistics": False} | options))
    return out.getvalue()


def setting(*path: int, to: object):
    """An edit that puts a value at a path of field numbers and list places."""

    def edit(struct: Struct) -> None:
        *inner, last = path
        for step in inner:
            struct = struct[step]
        struct[last] = to

    return edit


def test_a_file_of_another_library_is_read() -> None:
    """A minimal file as the format prescribes it, made without Polars, passes and gives its values."""
    frame = read_table(parquet(), COLUMNS, slots=3, households=3)
    assert frame.rows() == [(row, bytes([row]) * 16) for row in range(3)]


@pytest.mark.parametrize("options", [{}, {"row_group_size": 2}, {"data_page_size": 20}, {"statistics": True}])
def test_what_polars_writes_fits_the_profile(options: dict[str, object]) -> None:
    """Small row groups and pages, and statistics, are all within the profile."""
    data = file_of(table(), **options)
    assert read_table(data, ALL_COLUMNS, slots=5, households=3).equals(table())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda t: t.with_columns(more=pl.lit(1)), errors.UnknownColumnError),
        (lambda t: t.drop("household"), errors.UnknownColumnError),
        (lambda t: t.rename({V1.labels[0]: "name"}), errors.UnknownColumnError),
        (lambda t: t.select(reversed(t.columns)), errors.UnknownColumnError),
        (lambda t: t.cast({"household": pl.UInt64}), errors.UnknownColumnError),
        (lambda t: t.with_columns(pl.struct("household").alias(V1.labels[0])), errors.UnknownColumnError),
        (lambda t: t.with_columns(pl.concat_list(V1.labels[0])), errors.UnknownColumnError),
        (lambda t: t.cast({"household": pl.Int32}), errors.UnknownColumnError),
        (lambda t: t.with_columns(pl.lit("text").alias(V1.labels[0])), errors.UnknownColumnError),
        (lambda t: pl.concat([t, t]), errors.DecompressionBombError),
        (lambda t: t.head(4), errors.WrongLengthError),
        (lambda t: t.clear(), errors.MalformedError),
        (lambda t: t.with_columns(pl.lit(bytes(15)).alias(V1.labels[0])), errors.MalformedError),
        (lambda t: t.with_columns(pl.lit(bytes(17)).alias(V1.labels[9])), errors.MalformedError),
        (lambda t: t.with_columns(household=pl.lit(None, pl.UInt32)), errors.MalformedError),
        (lambda t: t.with_columns(household=pl.lit(2, pl.UInt32)), errors.MalformedError),
        (lambda t: t.with_columns(household=pl.col("household") + 1), errors.MalformedError),
    ],
)
def test_another_table_is_refused_by_name(change, error: type[VerificationError]) -> None:
    """Unknown columns or types, other lengths and values out of range, though truly sealed and signed."""
    with pytest.raises(error):
        Inbox().open(with_table(file_of(change(table()))))


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4"])
def test_a_compressed_table_is_refused(compression: str) -> None:
    """Nothing inside may inflate: the profile has no compression."""
    with pytest.raises(errors.DecompressionBombError, match="uncompressed"):
        Inbox().open(with_table(file_of(table(), compression=compression)))


def test_a_small_file_of_many_rows_is_refused() -> None:
    """A file of a few kilobytes that would grow to megabytes is refused by its footer, before it is read."""
    frame = pl.DataFrame({"household": pl.repeat(0, 300_000, dtype=pl.UInt32, eager=True)})
    frame = frame.with_columns(pl.lit(None, pl.Binary).alias(label) for label in V1.labels)
    data = file_of(frame)
    assert len(data) < 20_000
    with pytest.raises(errors.DecompressionBombError, match="more rows"):
        Inbox().open(with_table(data))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1" + bytes(4) + b"PAR1", b"x" * 100])
def test_what_is_no_parquet_is_malformed(data: bytes) -> None:
    """Empty, short and foreign bytes are refused by name."""
    with pytest.raises(errors.MalformedError):
        check_profile(data, COLUMNS, 3)


def test_a_footer_longer_than_the_file_is_malformed() -> None:
    """The footer's stated length is checked against the file, and so are bytes that follow it."""
    good = parquet()
    size = int.from_bytes(good[-8:-4], "little")
    for lie in (len(good), 2**32 - 1, size - 1, size + 1, 0):
        with pytest.raises(VerificationError):
            check_profile(good[:-8] + lie.to_bytes(4, "little") + b"PAR1", COLUMNS, 3)


def lied(**edits: object) -> bytes:
    return parquet(**edits)  # type: ignore[arg-type]


LIES = {
    "more rows": lied(edit_footer=setting(3, to=Long(4))),
    "negative rows": lied(edit_footer=setting(4, 0, 3, to=Long(-3))),
    "no row groups": lied(edit_footer=setting(4, to=[])),
    "no schema": lied(edit_footer=lambda f: f.pop(2)),
    "empty schema": lied(edit_footer=setting(2, to=[])),
    "schema of a number": lied(edit_footer=setting(2, to=7)),
    "repeated": lied(edit_footer=setting(2, 2, 3, to=2)),
    "nested": lied(edit_footer=setting(2, 2, 5, to=1)),
    "fewer children": lied(edit_footer=setting(2, 0, 5, to=1)),
    "a column too few": lied(edit_footer=lambda f: f[4][0][1].pop()),
    "a column too many": lied(edit_footer=lambda f: f[4][0][1].append(f[4][0][1][0])),
    "no metadata": lied(edit_chunk=lambda c: c.pop(3)),
    "another file": lied(edit_chunk=setting(1, to=b"/etc/passwd")),
    "encrypted": lied(edit_chunk=setting(8, to={1: {}})),
    "another name": lied(edit_meta=setting(3, to=[b"other"])),
    "a path": lied(edit_meta=setting(3, to=[b"key", b"x"])),
    "more values": lied(edit_meta=setting(5, to=Long(2**40))),
    "zstd": lied(edit_meta=setting(4, to=6)),
    "inflates": lied(edit_meta=setting(6, to=Long(2**40))),
    "delta byte array": lied(edit_meta=setting(2, to=[7])),
    "before the file": lied(edit_meta=setting(9, to=Long(-1))),
    "in the magic": lied(edit_meta=setting(9, to=Long(0))),
    "in the footer": lied(edit_meta=setting(9, to=Long(150))),
    "beyond the file": lied(edit_meta=setting(9, to=Long(2**40))),
    "negative size": lied(edit_meta=lambda m: m.update({6: Long(-5), 7: Long(-5)})),
    "dictionary after data": lied(edit_meta=setting(11, to=Long(2**30))),
    "over another column": lied(edit_meta=setting(9, to=Long(4))),
    "page inflates": lied(edit_page=setting(2, to=2**30)),
    "page of negative size": lied(edit_page=lambda p: p.update({2: -8, 3: -8})),
    "page beyond the column": lied(edit_page=lambda p: p.update({2: 10**6, 3: 10**6})),
    "page of more values": lied(edit_page=setting(5, 1, to=2**31 - 1)),
    "page of fewer values": lied(edit_page=setting(5, 1, to=2)),
    "page of no values": lied(edit_page=setting(5, 1, to=0)),
    "page of negative values": lied(edit_page=setting(5, 1, to=-1)),
    "page with prefixes": lied(edit_page=setting(5, 2, to=7)),
    "page of unknown type": lied(edit_page=setting(1, to=1)),
    "page without header": lied(edit_page=lambda p: p.pop(5)),
    "one page too many": lied(more_pages=page(3, b"")),
    "dictionary at the end": lied(more_pages=write({1: 2, 2: 0, 3: 0, 7: {1: 0, 2: 0}})),
    "noise after the pages": lied(more_pages=b"\xff" * 9),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_of_the_structure_reaches_the_reader(lie: str) -> None:
    """Every count, offset, size, codec and encoding of footer and pages is checked, each lie refused."""
    with pytest.raises(
        (
            errors.MalformedError,
            errors.UnknownColumnError,
            errors.WrongLengthError,
            errors.DecompressionBombError,
        )
    ):
        check_profile(LIES[lie], COLUMNS, 3)


def test_shared_bytes_are_refused() -> None:
    """Two row groups may not both decode the same pages."""
    once = parquet()
    size = int.from_bytes(once[-8:-4], "little")
    footer = CompactReader(once, len(once) - 8 - size, len(once) - 8).struct()
    doubled = footer | {3: 6, 4: footer[4] * 2}
    tail = write(doubled)
    data = once[: len(once) - 8 - size] + tail + len(tail).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(errors.DecompressionBombError, match="overlap"):
        check_profile(data, COLUMNS, 6)


def test_too_many_pages_are_refused() -> None:
    """A file that is nothing but page headers costs a bounded walk."""
    empty_rows = 100_002
    data = parquet(1, more_pages=page(1, b"") * 100_001, edit_meta=setting(5, to=Long(1)))
    assert len(data) > empty_rows
    with pytest.raises(errors.DecompressionBombError):
        check_profile(data, COLUMNS, 1)


def test_undecodable_pages_are_malformed() -> None:
    """Values that don't decode under a true structure are an error by name, never another exception."""
    good = parquet()
    bad = good.replace((16).to_bytes(4, "little"), (2**31 - 1).to_bytes(4, "little"), 1)
    with pytest.raises(errors.MalformedError, match="decoded"):
        read_table(bad, COLUMNS, slots=3, households=3)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x1c" * 64,  # structures within structures
        b"\x19\xfc\xff\xff\xff\x7f",  # a list of 2^28 structures
        b"\x18\xff\xff\xff\xff\x0f",  # a string of 2^32 bytes
        b"\x15" + b"\xff" * 11,  # an integer without end
        b"\x1b\x00\x00",  # a map
        b"\x1f\x00",  # no type
        b"\x15\x02\x05\x02\x02\x00",  # one field twice
        b"",
    ],
)
def test_thrift_noise_is_malformed(noise: bytes) -> None:
    """No length, depth or type in the structure is believed beyond the bytes that are there."""
    with pytest.raises(errors.MalformedError):
        CompactReader(noise, 0, len(noise)).struct()


def test_the_table_needs_no_name_of_its_maker() -> None:
    """What is sealed has no compression and is read back equal, row for row."""
    data = write_table(table(), ALL_COLUMNS, 3)
    assert read_table(data, ALL_COLUMNS, slots=5, households=3).equals(table())
    assert Inbox().open(request()).table.height == header().slots
