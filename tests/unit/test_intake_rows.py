"""Row rules: each bad cell by line, column and reason, and never by value."""

import csv
import io

import pytest
from intake_samples import GOOD, TODAY, cell, errors_of, read, upload

from gateway.domain.people import LIST_SCHEMA, PERSON_SCHEMA
from gateway.intake import BadListError, RowError, read_person_file, rejects_csv

FORMULA = "begins like a spreadsheet formula"


def test_a_good_row_is_typed_and_canonical():
    """Text becomes the types of the schema, identifiers their canonical form."""
    row = {
        "household_id": "h1",
        "person_id": "p1",
        "surname": " Smith ",
        "dob": "1990-02-01",
        "sex": "female",
        "postcode": "nr11aa",
        "nhs_number": "999 000 0018",
        "upn": "h801200001001",
        "nino": "pp 12 34 56 a",
        "pnc_id": "2003/62845e",
        "uprn": "42",
        "met_indicators": "EDU.persistent_absence_3t|edu.persistent_absence_3t work.neet",
        "consent": "Y",
        "in_education": "0",
        "own_family": "no",
        "expecting": "",
        "area": "Ealing",
    }
    frame = read(upload(",".join(row.values()), header=",".join(row))).people.frame
    assert frame.schema == LIST_SCHEMA
    (person,) = frame.to_dicts()
    assert person.pop("dob").isoformat() == "1990-02-01"
    assert person == {
        "line": 2,
        "household_id": "h1",
        "person_id": "p1",
        "forename": None,
        "surname": "Smith",
        "sex": "F",
        "postcode": "NR1 1AA",
        "nhs_number": "9990000018",
        "upn": "H801200001001",
        "nino": "PP123456A",
        "pnc_id": "2003/0062845E",
        "uprn": "000000000042",
        "met_indicators": ["edu.persistent_absence_3t", "work.neet"],
        "consent": True,
        "in_education": False,
        "own_family": False,
        "expecting": None,
        "area": "Ealing",
    }


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        *((column, "=1+1", FORMULA) for column in ("forename", "surname", "area", "person_id", "postcode")),
        *(
            ("forename", value, FORMULA)
            for value in ("+Ann", "-Ann", "@Ann", "\uff1dAnn", "\uff0bAnn", "  =Ann")
        ),
        ("forename", "x" * 101, "longer than 100 characters"),
        ("household_id", "x" * 65, "longer than 64 characters"),
        ("area", "x" * 3000, "longer than 2000 bytes"),
        ("forename", "An\u2028n", "holds a line break or control character"),
        ("postcode", "NR1", "not a UK postcode"),
        ("nhs_number", "9999999999", "not a valid NHS number"),
        ("upn", "A801200001001", "not a valid unique pupil number"),
        ("nino", "QQ123456C", "not a valid National Insurance number"),
        ("pnc_id", "2003/0062845F", "not a valid PNC id"),
        ("uprn", "0", "not a valid UPRN"),
        ("sex", "q", "not a word known here"),
        ("consent", "maybe", "not a word known here"),
        ("in_education", "2", "not a word known here"),
        ("met_indicators", "persistent absence", "not a list of indicator codes"),
        ("met_indicators", "edu.x;", None),
        ("household_id", " ", "missing"),
        ("person_id", "", "missing"),
        ("sex", "unknown", None),
        ("sex", "2", None),
        ("postcode", "ZZ99 3VZ", None),
        ("forename", "O'Brien-Ó Súilleabháin", None),
        ("forename", "Nguyễn", None),
        ("forename", "李", None),
    ],
)
def test_each_column_has_its_rule(column, value, reason):
    """A cell is refused for one reason, or not at all."""
    assert cell(column, value) == ([reason] if reason else [])


@pytest.mark.parametrize("value", ["\tAnn", "\rAnn"])
def test_a_leading_tab_or_return_is_a_formula(value):
    """Spreadsheets skip these and run what follows."""
    assert FORMULA in [error.reason for error in errors_of(upload(f'h1,p1,"{value}",Smith'))]


def test_any_postcode_may_be_allowed():
    """With the check off, any short alphanumeric code stands for a postcode; others do not."""
    assert cell("postcode", "4223", postcode_check=False) == []
    assert cell("postcode", "42/23", postcode_check=False) == ["not a postcode of 2 to 10 characters"]


def test_the_pseudo_postcode_is_no_address():
    """People of no fixed abode would all match each other on ZZ99, so it is read as empty."""
    assert read(upload("h1,p1,Ann,Smith,,ZZ993VZ")).people.frame["postcode"].to_list() == [None]


def test_missing_indicators_are_an_empty_list_and_missing_consent_is_unknown():
    """Nothing met is a list without codes; consent not recorded is neither yes nor no."""
    (person,) = read(upload("h1,p1,Ann,Smith")).people.frame.to_dicts()
    assert (person["met_indicators"], person["consent"]) == ([], None)


def test_duplicates_name_each_other():
    """Every row of a person id that stands twice is refused, naming another line with it."""
    data = upload("h1,p1,Ann,A", "h1,p2,Ann,B", "h2,p1,Ann,C", "h2, p1 ,Ann,D")
    assert errors_of(data) == [
        RowError(2, "person_id", "the same as on line 4"),
        RowError(4, "person_id", "the same as on line 2"),
        RowError(5, "person_id", "the same as on line 2"),
    ]


def test_a_row_without_anything_to_go_by_is_refused():
    """Neither name, nor date of birth, nor number: nobody could be found."""
    assert [error.column for error in errors_of(upload("h1,p1,,,,NR1 1AA"))] == ["row"]


def test_one_bad_row_refuses_all_by_default():
    """All or nothing, unless asked otherwise."""
    with pytest.raises(BadListError, match=r"^upload: 1 row error\. Correct the rows"):
        read(upload(GOOD, "h1,p2,=x,Smith"))


def test_accepting_valid_rows_drops_the_bad_ones_only():
    """A bad member costs the household that row and no other; the reject is reported."""
    intake = read(upload(GOOD, "h1,p2,=x,Smith", "h1,p3,Ann,Smith"), accept_valid=True)
    assert intake.people.frame["person_id"].to_list() == ["p1", "p3"]
    assert intake.rejected == (RowError(3, "forename", FORMULA),)


def test_no_valid_row_is_an_error_even_so():
    """There is no empty list."""
    with pytest.raises(BadListError):
        read(upload("h1,p2,=x,Smith"), accept_valid=True)


def test_row_errors_are_capped_and_counted():
    """Of very many errors the first ten thousand are kept, and the total is said."""
    with pytest.raises(BadListError, match="10050 row errors, the first 10000 of them listed") as caught:
        read(upload(*(f"h1,p{i},=x,Smith" for i in range(10_050))))
    assert (len(caught.value.rows), caught.value.total) == (10_000, 10_050)


def test_accepting_valid_rows_drops_bad_ones_beyond_the_cap():
    """A row is left out for its error even where the error is no longer listed."""
    intake = read(upload(GOOD, *(f"h1,q{i},=x,Smith" for i in range(10_050))), accept_valid=True)
    assert intake.people.frame["person_id"].to_list() == ["p1"]


def test_errors_never_hold_a_value():
    """No cell of a bad row appears in any reason, message or repr."""
    secret = "Xanthippe"
    data = upload(f"h{secret},p{secret},={secret},{secret * 20},{secret},{secret},{secret},{secret},{secret}")
    with pytest.raises(BadListError) as caught:
        read(data)
    assert len(caught.value.rows) >= 6
    shown = f"{caught.value!r} {caught.value} {caught.value.rows} {caught.value.__cause__}"
    assert secret.lower() not in shown.lower()


def test_rejects_are_written_as_csv():
    """Line, column and reason, and nothing that a spreadsheet could run."""
    rows = errors_of(upload("h1,p1,=x,Smith", "h1,p2,Ann,Smith,01/01/00"))
    read_back = list(csv.reader(io.StringIO(rejects_csv(rows))))
    assert read_back == [
        ["line", "column", "reason"],
        ["2", "forename", FORMULA],
        ["3", "dob", "year has two digits: write four"],
    ]


def test_a_person_file_needs_no_household():
    """Any person file is read to the person schema; without ids the line number is the id."""
    data = b"surname,dob,household_id\nSmith,2000-01-31,h\nJones,,h\n"
    file = read_person_file([data], today=TODAY)
    assert file.people.frame.schema == PERSON_SCHEMA
    assert file.people.frame["person_id"].to_list() == ["2", "3"]
    assert (file.aliases, file.ignored) == ({"surname": "surname", "dob": "dob"}, 1)


def test_a_person_file_may_keep_rows_with_bad_cells():
    """With `keep_rows` a bad cell is empty and reported; only a row without an id of its own goes."""
    data = b"person_id,surname,dob\n1,Smith,31/31/2000\n2,Jones,\n2,Brown,\n"
    file = read_person_file([data], today=TODAY, keep_rows=True)
    assert file.people.frame.select("person_id", "dob").rows() == [("1", None)]
    assert [(row.line, row.column) for row in file.rejected] == [
        (2, "dob"),
        (3, "person_id"),
        (4, "person_id"),
    ]
