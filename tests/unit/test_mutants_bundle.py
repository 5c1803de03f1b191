"""Bundles at the very edge of what is accepted; found by mutation (tests/mutation.py)."""

import io
from datetime import timedelta

import polars as pl
import pytest
from bundle_world import NOW, Inbox, answer, attestation, read_answer, request, resign

from gateway.bundle import errors, tables
from gateway.bundle.open import RequestLimits
from gateway.bundle.tables import TOKEN_BYTES, bitmap_bytes, check_values, pack, unpack, write_table
from gateway.domain.people import IDENTIFYING

COLUMNS = {"household": pl.UInt32(), "key": pl.Binary()}


def rows(*households: int | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"household": households, "key": [bytes(16)] * len(households)},
        schema={"household": pl.UInt32, "key": pl.Binary},
    )


def test_what_an_agent_holds_in_memory_by_default() -> None:
    """128 MiB of ciphertext and 250,000 people: figures that an operator sizes a machine by."""
    assert RequestLimits() == RequestLimits(ciphertext_bytes=134_217_728, slots=250_000)


def test_as_many_people_as_the_limit_are_accepted() -> None:
    """The limit is the last number accepted."""
    assert Inbox().open(request(), limits=RequestLimits(slots=5)).manifest.slots == 5
    with pytest.raises(errors.OversizeError, match="more people"):
        Inbox().open(request(), limits=RequestLimits(slots=4))


def test_a_sender_s_clock_may_be_two_minutes_ahead() -> None:
    """A bundle dated 120 seconds ahead opens, one of 121 does not."""
    data = request(issued_at=NOW + timedelta(seconds=120))
    assert Inbox().open(data).manifest.slots == 5
    with pytest.raises(errors.NotYetValidError):
        Inbox(now=NOW - timedelta(seconds=1)).open(data)


def test_every_column_that_linkage_knows_may_be_attested() -> None:
    """A register complete in all identifying columns is attested in full, and read."""
    asked = request()
    full = attestation(register_complete=dict.fromkeys(IDENTIFYING, 1000))
    assert read_answer(answer(asked, full), asked).manifest.attestation == full


def test_a_ciphertext_of_another_length_than_stated_is_refused() -> None:
    """The stated lengths and the true ones must agree, each with the others."""
    for change in ({"plaintext_bytes": 1}, {"ciphertext_bytes": 1}):
        with pytest.raises(errors.WrongLengthError):
            Inbox().open(resign(request(), **change))


def test_a_token_is_16_bytes() -> None:
    """HMAC-SHA-256 cut to 128 bits, neither more nor less."""
    assert TOKEN_BYTES == 16


@pytest.mark.parametrize(
    ("units", "columns", "size"), [(0, 1, 0), (1, 1, 1), (8, 1, 1), (9, 1, 2), (3, 5, 2)]
)
def test_a_bitmap_is_as_long_as_its_bits(units: int, columns: int, size: int) -> None:
    """Whole bytes, and not one more than the bits need."""
    assert bitmap_bytes(units, columns) == size


@pytest.mark.parametrize(
    "table",
    [
        rows(0, 1, None),  # nulls count among the distinct, so that the numbers alone look right
        rows(0, 0, 2),
        rows(0, 2, 3),
        rows(0, 1, 2, 3),
    ],
)
def test_household_numbers_are_all_of_0_to_n_minus_1(table: pl.DataFrame) -> None:
    """A missing, repeated or further number is refused, though the others look right."""
    check_values(rows(2, 0, 1), 3)
    with pytest.raises(errors.MalformedError, match="household"):
        check_values(table, 3)


def test_a_null_beside_all_household_numbers_is_refused() -> None:
    """A slot without a household is refused, though count and maximum fit."""
    with pytest.raises(errors.MalformedError, match="household"):
        check_values(rows(0, 2, None), 3)


@pytest.mark.parametrize("table", [rows(0).drop("key"), rows(0).cast({"household": pl.UInt64})])
def test_a_table_without_a_column_of_the_scheme_is_not_written(table: pl.DataFrame) -> None:
    """A missing or mistyped column stops the sender before anything is sealed."""
    with pytest.raises(errors.UnknownColumnError):
        write_table(table, COLUMNS, 1)


def test_a_table_of_wrong_values_is_not_written() -> None:
    """The sender checks what the recipient will check."""
    with pytest.raises(errors.MalformedError):
        write_table(rows(0, 2), COLUMNS, 2)


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (pl.DataFrame({"b": [True], "a": [True]}), errors.UnknownFlagError),
        (pl.DataFrame({"a": [1], "b": [0]}), errors.UnknownFlagError),
        (pl.DataFrame({"a": [True], "b": [0]}), errors.UnknownFlagError),
        (pl.DataFrame({"a": [True, True], "b": [True, False]}), errors.WrongLengthError),
        (
            pl.DataFrame({"a": [None], "b": [True]}, schema={"a": pl.Boolean, "b": pl.Boolean}),
            errors.UnknownFlagError,
        ),
        (
            pl.DataFrame({"a": [True], "b": [None]}, schema={"a": pl.Boolean, "b": pl.Boolean}),
            errors.UnknownFlagError,
        ),
    ],
)
def test_flags_that_were_not_asked_for_are_not_packed(flags: pl.DataFrame, error: type[Exception]) -> None:
    """Other columns, other types, other rows and a flag that is neither stop the answer."""
    with pytest.raises(error):
        pack(flags, ("a", "b"), 1)


def test_a_bitmap_of_another_length_is_not_unpacked() -> None:
    """A byte too many or too few is refused, though its bits be zero."""
    assert unpack(b"\x80", ("a",), 3)["a"].to_list() == [True, False, False]
    for bitmap in (b"", b"\x80\x00"):
        with pytest.raises(errors.WrongLengthError):
            unpack(bitmap, ("a",), 3)


def test_a_table_is_written_without_statistics() -> None:
    """Least and greatest tokens stand nowhere but in the rows."""
    bare, with_statistics = (io.BytesIO() for _ in range(2))
    rows(0, 1).write_parquet(bare, compression="uncompressed", statistics=False)
    rows(0, 1).write_parquet(with_statistics, compression="uncompressed", statistics=True)
    assert write_table(rows(0, 1), COLUMNS, 2) == bare.getvalue() != with_statistics.getvalue()


def test_the_rows_that_were_read_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the reader find other rows than the structure stated, the table is refused all the same."""
    data = write_table(rows(0, 1), COLUMNS, 2)
    monkeypatch.setattr(tables, "check_profile", lambda *_: None)
    assert tables.read_table(data, COLUMNS, slots=2, households=2).equals(rows(0, 1))
    with pytest.raises(errors.WrongLengthError):
        tables.read_table(data, COLUMNS, slots=3, households=2)
