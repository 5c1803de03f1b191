"""How a register's own columns become ours."""

from datetime import date, datetime

import polars as pl
import pytest

from adapters.registers.cleaning import clean
from adapters.registers.register import Columns, RegisterError, batch_schema

CODE = "health.adult_mental_health"


def a_frame(**columns):
    rows = max((len(values) for values in columns.values()), default=1)
    return pl.DataFrame({"objected": ["no"] * rows, CODE: ["yes"] * rows} | columns)


def cleaned(columns=None, **frame):
    return clean(a_frame(**frame), columns or Columns(), [CODE])


def test_every_batch_has_the_same_schema_whatever_the_register_has():
    """Columns that a register lacks are null columns, so that batches and registers are alike."""
    out = cleaned(forename=["Ann"])
    assert out.schema == batch_schema([CODE])
    assert out["surname"].to_list() == [None]


def test_a_bad_value_becomes_null_and_its_row_stays():
    """A register is cleaned leniently: a bad cell costs its value, never the row or the register."""
    out = cleaned(
        surname=["Lee", "Ray"],
        nhs_number=["9990000018", "1234567890"],
        postcode=["sw1a1aa", "nowhere"],
        dob=["01/02/1980", "31/02/1980"],
    )
    assert out.height == 2
    assert out["nhs_number"].to_list() == ["9990000018", None]
    assert out["postcode"].to_list() == ["SW1A 1AA", None]
    assert out["dob"].to_list() == [date(1980, 2, 1), None]


@pytest.mark.parametrize("text", ["2001-02-03", "03/02/2001", "03-02-2001", "03.02.2001", "20010203"])
def test_dates_are_read_as_iso_or_day_first(text):
    """Every date form that British systems write gives the same day."""
    assert cleaned(dob=[text])["dob"].to_list() == [date(2001, 2, 3)]


def test_dates_and_times_of_typed_columns_are_kept():
    """Parquet and databases give real dates or timestamps; both become the day."""
    assert cleaned(dob=[date(2001, 2, 3)])["dob"].to_list() == [date(2001, 2, 3)]
    assert cleaned(dob=[datetime(2001, 2, 3, 4)])["dob"].to_list() == [date(2001, 2, 3)]  # noqa: DTZ001
    assert cleaned(dob=["2001-02-03 00:00:00"])["dob"].to_list() == [date(2001, 2, 3)]


def test_empty_text_is_null():
    """An empty name must never become a token that many people share."""
    assert cleaned(surname=["", "  "])["surname"].to_list() == [None, None]


def test_an_unreadable_objection_counts_as_one():
    """Where it is not clear whether a person objected, the person is left out."""
    out = cleaned(objected=["yes", "no", "", "see file", None])
    assert out["objected"].to_list() == [True, False, False, True, False]


def test_an_unreadable_indicator_is_not_met():
    """A flag is given only for a value that says yes."""
    out = cleaned(**{CODE: ["Y", "0", "?", None], "objected": [0, 0, 0, 0]})
    assert out[CODE].to_list() == [True, False, False, False]


def test_typed_booleans_and_numbers_are_flags():
    """Databases without a boolean type give 1 and 0."""
    out = cleaned(**{CODE: [1, 0], "objected": [True, False]})
    assert out[CODE].to_list() == [True, False]
    assert out["objected"].to_list() == [True, False]


@pytest.mark.parametrize("missing", ["objected", CODE])
def test_a_register_without_objections_or_an_asked_indicator_is_an_error(missing):
    """A missing column would turn into a silent no for everybody: it is named instead."""
    with pytest.raises(RegisterError, match=missing):
        clean(a_frame().drop(missing), Columns(), [CODE])


def test_columns_are_found_by_mapping_own_name_or_alias():
    """agent.toml wins, then our own name, then the aliases of household lists."""
    out = cleaned(
        Columns({"surname": "NAME_2"}), NAME_2=["Lee"], surname=["wrong"], **{"First Name": ["Ann"]}
    )
    assert out.select("forename", "surname").row(0) == ("Ann", "Lee")


def test_a_mapping_to_nowhere_is_an_error():
    """A typing error in agent.toml must not read as a register without that column."""
    with pytest.raises(RegisterError, match="maps surname"):
        cleaned(Columns({"surname": "NAME_2"}), surname=["Lee"])


def test_any_postcode_is_kept_where_the_policy_says_so():
    """A dataset from elsewhere has other postcodes; the agreement's policy decides."""
    frame = a_frame(postcode=["0200"])
    assert clean(frame, Columns(), [CODE])["postcode"].to_list() == [None]
    assert clean(frame, Columns(), [CODE], any_postcode=True)["postcode"].to_list() == ["0200"]
