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
    ("typed", "postcode", "characters", "district"),
    [
        ("SW1A 1AA", "SW1A1AA", "11AAASW", "SW1A"),
        ("sw1a1aa", "SW1A1AA", "11AAASW", "SW1A"),
        ("SWIA 1AA", "SW1A1AA", "11AAASW", "SW1A"),
        (" m1-1ae ", "M11AE", "11AEM", "M1"),
        ("CF1O 3AT", "CF103AT", "013ACFT", "CF10"),
        ("CF10 3TA", "CF103TA", "013ACFT", "CF10"),
        ("GIR 0AA", "G1R0AA", "01AAGR", "G1R"),
        ("4223", "4223", "2234", "42"),
        ("90210-1234", "902101234", "001122349", "9021012"),
        ("ZZ99 3VZ", None, None, None),
        ("XX1 1XX", None, None, None),
        ("0000", None, None, None),
        ("NONE", None, None, None),
        ("1", None, None, None),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_postcode_parts(typed, postcode, characters, district):
    """Look-alikes and swapped characters come out alike; pseudo codes are null."""
    found = parts(postcode=typed)
    assert (found["pc"], found["pcx"], found["out"]) == (postcode, characters, district)


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1901, 1, 1), date(1970, 1, 1), None])
def test_a_default_date_of_birth_is_null(day):
    """Dates that systems fill in for "not known" make no part."""
    found = parts(dob=day)
    assert [found[part] for part in ("born", "dm", "my", "y")] == [None] * 4


@pytest.mark.parametrize(
    ("day", "born", "dm", "my"),
    [
        (date(1961, 2, 3), "19610203", "0203", "196102"),
        (date(1961, 3, 2), "19610203", "0203", "196103"),
        (date(1961, 12, 31), "19611231", "1231", "196112"),
        (date(2004, 2, 29), "20040229", "0229", "200402"),
        (date(1961, 1, 2), "19610102", "0102", "196101"),
    ],
)
def test_birth_parts(day, born, dm, my):
    """Day and month in either order give the same date; the month in its own place tells them apart."""
    found = parts(dob=day)
    assert (found["born"], found["dm"], found["my"], found["y"]) == (born, dm, my, str(day.year))


def test_1_january_is_a_year_alone():
    """What is written where only the year is known makes no token of a day or a month."""
    found = parts(dob=date(1961, 1, 1))
    assert (found["born"], found["dm"], found["my"], found["y"]) == (None, None, None, "1961")


@pytest.mark.parametrize(
    ("column", "typed", "number"),
    [
        ("upn", "H801200001001", "H801200001001"),
        ("upn", "h801200001001", "H801200001001"),
        ("upn", "H801 2000 01001", "H801200001001"),
        ("upn", "q80120000300a", "Q80120000300A"),
        ("upn", "A801200001001", None),
        ("upn", "", None),
        ("nino", "AA123456C", "AA123456C"),
        ("nino", "aa123456c", "AA123456C"),
        ("nino", "aa 12 34 56 c", "AA123456C"),
        ("nino", "BG123456A", None),
        ("uprn", "10", "000000000010"),
        ("uprn", "100012345678", "100012345678"),
        ("uprn", "10001 234567", "010001234567"),
        ("uprn", "0", None),
        ("uprn", "1234567890123", None),
    ],
)
def test_other_numbers(column, typed, number):
    """A number is its canonical form where it is valid, alone in its file as among others, and else null."""
    assert parts(**{column: typed})[column] == number
    among = normalise(pl.DataFrame({column: [typed, "something else", None, "H801200001001", "AA123456C"]}))
    assert among[column][0] == number


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
    assert frame["pc"].null_count() == frame["born"].null_count() == len(names)


def test_no_people_give_no_parts():
    """An empty frame, even without columns, gives an empty one with every part."""
    assert normalise(pl.DataFrame()).height == 0
    assert "gs3" in normalise(pl.DataFrame(schema={"forename": pl.String})).columns
