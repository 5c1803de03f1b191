"""Dates of birth, as a table: what a file's dates are read as, or refused for."""

from datetime import date

import pytest
from intake_samples import errors_of, read, upload

CASES = {
    "ISO": {"2000-03-04": date(2000, 3, 4), "1999-12-31": date(1999, 12, 31)},
    "ISO with midnight": {"2000-03-04 00:00:00": date(2000, 3, 4), "2000-03-04T00:00:00": date(2000, 3, 4)},
    "day first": {"25/12/2000": date(2000, 12, 25), "3/4/2000": date(2000, 4, 3)},
    "dots and hyphens": {"3.4.2000": date(2000, 4, 3), "03-04-2000": date(2000, 4, 3)},
    "all ambiguous: the documented rule": {"03/04/2000": date(2000, 4, 3), "1/2/2001": date(2001, 2, 1)},
    "month first only": {"12/25/2000": "month before day", "03/04/2000": "line 2 has the month first"},
    "month and day first": {
        "03/04/2000": "line 3 has the month first and line 4 the day",
        "12/25/2000": "month before day",
        "25/12/2000": date(2000, 12, 25),
        "05/05/2000": date(2000, 5, 5),
    },
    "two formats": {
        "2000-03-04": date(2000, 3, 4),
        "2000-03-05": date(2000, 3, 5),
        "25/12/2000": "as on line 2",
    },
    "two formats, slashes lead": {
        "2000-03-04": "as on line 3",
        "25/12/2000": date(2000, 12, 25),
        "26/12/2000": date(2000, 12, 26),
    },
    "two-digit years": {"25/12/00": "two digits", "1-2-34": "two digits"},
    "no such day": {"31/02/2000": "no such day", "31/13/2000": "no such day", "29/02/1999": "no such day"},
    "no such ISO day": {"2000-02-30": "no such day", "2000-13-01": "no such day"},
    "29 February": {"29/02/2000": date(2000, 2, 29)},
    "limits": {"1900-01-01": date(1900, 1, 1), "1899-12-31": "before 1900", "2026-11-22": date(2026, 11, 22)},
    "future": {"2026-11-23": "in the future", "9999-01-01": "in the future"},
    "not dates": {
        "36526": "not a date",
        "yesterday": "not a date",
        "2000-1-1": "not a date",
        "20000101": "not a date",
    },
    "time of day": {"2000-03-04 10:30:00": "not a date"},
    "other digits": {"\u0662000-01-01": "not a date"},
}


@pytest.mark.parametrize("name", CASES)
def test_dates(name):
    """Each date of the file is read as the table says, or refused for the reason that it says."""
    cases = CASES[name]
    data = upload(*(f"h,p{i},,Smith,{text}" for i, text in enumerate(cases)))
    reasons = {error.line - 2: error.reason for error in errors_of(data)}
    values = {}
    if len(reasons) < len(cases):
        people = read(data, accept_valid=True).people.frame
        values = dict(zip((people["line"] - 2).to_list(), people["dob"].to_list(), strict=True))
    for i, expected in enumerate(cases.values()):
        if isinstance(expected, str):
            assert expected in reasons[i]
        else:
            assert values[i] == expected


def test_empty_dates_take_no_part():
    """A missing date is no error and no evidence of a format."""
    people = read(upload("h,p1,Ann,Smith,", "h,p2,Ann,Smith,25/12/2000")).people.frame
    assert people["dob"].to_list() == [None, date(2000, 12, 25)]
