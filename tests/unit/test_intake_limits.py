"""Limits: what is too large is refused early, in bounded memory."""

from hashlib import shake_256
from time import perf_counter

import pytest
from intake_samples import GOOD, errors_of, read, upload

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake import Limits

MIB = 1024 * 1024


def test_an_empty_file_is_named_as_such():
    """No byte at all, in no chunk or in empty chunks."""
    for chunks in ([], [b""], [b"", b""]):
        with pytest.raises(BadInputError, match="the file is empty"):
            read(chunks)


def test_a_gigabyte_of_noise_is_read_to_the_limit_only():
    """An upload over the limit is refused at the chunk that exceeds it; the rest is never asked for."""
    noise = shake_256(b"1").digest(MIB)
    taken = 0

    def chunks():
        nonlocal taken
        for _ in range(1024):
            taken += 1
            yield noise

    with pytest.raises(TooLargeError, match="larger than 67108864 bytes"):
        read(chunks())
    assert taken == 65


def test_noise_within_the_limit_is_refused():
    """Random bytes are no list, whatever their first bytes say."""
    noise = shake_256(b"2").digest(4 * MIB)
    for start in (b"", b"PK\x03\x04", b"PAR1"):
        with pytest.raises(BadInputError):
            read(start + noise)


def test_printable_noise_is_refused():
    """Text that is no list has no known column."""
    noise = shake_256(b"3").hexdigest(MIB).encode()
    with pytest.raises(BadInputError, match="no known column"):
        read(noise)


def test_rows_are_limited():
    """One row more than allowed refuses the upload."""
    rows = [f"h1,p{i},Ann,Smith" for i in range(3)]
    assert len(read(upload(*rows), limits=Limits(max_rows=3)).people) == 3
    with pytest.raises(TooLargeError, match="more than 2 rows"):
        read(upload(*rows), limits=Limits(max_rows=2))


def test_millions_of_blank_lines_are_too_many_rows():
    """Line ends alone do not get past the row limit."""
    with pytest.raises(TooLargeError, match="more than 200000 rows"):
        read(upload(GOOD) + b"\n" * 5 * MIB)


def test_columns_are_limited():
    """A header of very many cells is refused."""
    with pytest.raises(BadInputError, match="more than 64 columns"):
        read(b"household_id,person_id,surname" + b",x" * 70 + b"\nh,p,Smith\n")


def test_cells_are_limited():
    """An overlong cell is a row error, and its length is not the reader's problem."""
    (error,) = errors_of(upload(GOOD, "h1,p2," + "x" * MIB + ",Smith"))
    assert (error.line, error.column, error.reason) == (3, "forename", "longer than 2000 bytes")


@pytest.mark.parametrize("name", ["max_bytes", "max_unpacked", "max_rows", "max_columns", "max_cell"])
def test_a_limit_is_at_least_one(name):
    """A limit of nothing is a mistake in a setting."""
    with pytest.raises(BadInputError, match=name):
        Limits(**{name: 0})


def test_a_large_list_is_read_fast_enough():
    """45,000 people take well under the time that an exchange may."""
    rows = [
        f"h{i // 4},p{i},Zoë,O'Neil,{i % 28 + 1:02}/02/1990,NR1 1AA,9990000018,work.neet,yes"
        for i in range(45_000)
    ]
    data = upload(*rows)
    start = perf_counter()
    assert len(read(data).people) == 45_000
    assert perf_counter() - start < 3
