"""Normalisation: the same person gives the same parts, and "not known" gives none."""

from datetime import date

import polars as pl
import pytest

from gateway.linkage.normalise import SEPARATOR, normalise


def parts(**cells):
    """The parts of one person."""
    return normalise(pl.DataFrame({name: [cell] for name, cell in cells.items()})).row(0, named=True)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "-",
        "Unknown",
        "not known",
        "N/K",
        "n.k.",
        "XXX",
        "zz",
        "???",
        "TBC",
        "Not Recorded",
        "1234",
        None,
    ],
)
def test_a_name_that_says_not_known_is_null(typed):
    """A placeholder in either name makes no part at all, so no two strangers share a token of it."""
    found = parts(forename=typed, surname=typed)
    assert all(part is None for part in found.values())


@pytest.mark.parametrize(
    ("typed", "postcode", "sector"),
    [
        ("SW1A 1AA", "SW1A1AA", "SW1A1"),
        ("sw1a1aa", "SW1A1AA", "SW1A1"),
        (" m1-1ae ", "M11AE", "M11"),
        ("GIR 0AA", "GIR0AA", "GIR0A"),
        ("4223", "4223", "422"),
        ("90210-1234", "902101234", "90210123"),
        ("ZZ99 3VZ", None, None),
        ("XX1 1XX", None, None),
        ("0000", None, None),
        ("NONE", None, None),
        ("1", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_postcode_parts(typed, postcode, sector):
    """A British sector leaves out two letters, any other one character; pseudo codes are null."""
    found = parts(postcode=typed)
    assert (found["pc"], found["sec"]) == (postcode, sector)


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1901, 1, 1), date(1970, 1, 1), None])
def test_a_default_date_of_birth_is_null(day):
    """Dates that systems fill in for "not known" make no part."""
    found = parts(dob=day)
    assert (found["dob"], found["md"], found["y"]) == (None, None, None)


def test_birth_parts():
    """A date of birth gives itself, its month and day, and its year."""
    found = parts(dob=date(1961, 2, 3))
    assert (found["dob"], found["md"], found["y"]) == ("19610203", "0203", "1961")


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("9990000018", "9990000018"),
        ("999 000 0018", "9990000018"),
        ("999-000-0018", "9990000018"),
        ("9990000019", None),
        ("0000000000", None),
        ("9999999999", None),
        ("123", None),
        ("", None),
    ],
)
def test_nhs_number_part(typed, number):
    """Only a valid NHS number that is not a placeholder makes a part."""
    assert parts(nhs_number=typed)["nhs"] == number


def test_pairs_do_not_know_which_name_came_first():
    """Swapped names, one of them a nickname, give the same order-free pairs."""
    one, other = parts(forename="Bill", surname="Thomas"), parts(forename="Thomas", surname="William")
    assert one["gs"] == other["gs"] == f"THOMAS{SEPARATOR}WILLIAM"
    assert one["gs3"] == other["gs3"] == f"THO{SEPARATOR}WIL"


@pytest.mark.parametrize(("forename", "surname"), [("Ann", None), (None, "Lee"), ("J", "Lee"), ("", "Lee")])
def test_a_pair_needs_both_names(forename, surname):
    """One name alone is no pair: it would be a token of a single field."""
    found = parts(forename=forename, surname=surname)
    assert (found["gs"], found["gs3"]) == (None, None)


def test_rows_keep_their_order_and_missing_columns_count_as_unknown():
    """Each row's parts stand in its place, whatever its neighbours and whatever columns are there."""
    names = ["Ann", None, "Bob", "Ann", "", "Cleo"]
    frame = normalise(pl.DataFrame({"surname": names, "other": range(6)}))
    assert frame["s"].to_list() == ["AN", None, "BOB", "AN", None, "CLEO"]
    assert frame["pc"].null_count() == frame["dob"].null_count() == len(names)


def test_no_people_give_no_parts():
    """An empty frame, even without columns, gives an empty one with every part."""
    assert normalise(pl.DataFrame()).height == 0
    assert "gs3" in normalise(pl.DataFrame(schema={"forename": pl.String})).columns
