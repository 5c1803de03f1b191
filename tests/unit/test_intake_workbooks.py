"""XLSX and Parquet uploads: the same people as from CSV, and files built to hurt."""

import io
import zipfile
from datetime import date, datetime

import polars as pl
import pytest
import xlsxwriter
from intake_samples import errors_of, read

from gateway.domain.errors import BadInputError, TooLargeError
from gateway.intake import Limits

PEOPLE = {
    "household_id": ["h1", "h1"],
    "person_id": ["p1", "p2"],
    "surname": ["O'Neil", "Zoë"],
    "dob": [date(1990, 2, 1), None],
    "nhs_number": ["9990000018", None],
    "consent": ["yes", None],
}


def _workbook(rows, *, first=0):
    """A workbook whose first sheet holds `rows` from row `first` on."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet, dates = book.add_worksheet(), book.add_format({"num_format": "dd/mm/yyyy"})
    for at, row in enumerate(rows, start=first):
        for column, value in enumerate(row):
            if isinstance(value, date):
                sheet.write_datetime(at, column, datetime(value.year, value.month, value.day), dates)  # noqa: DTZ001
            else:
                sheet.write(at, column, value)
    book.close()
    return out.getvalue()


def _altered(data, name, change):
    """The workbook with one part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            content = old.read(entry)
            new.writestr(entry, change(content) if entry == name else content)
    return out.getvalue()


def _parquet(frame, **options):
    out = io.BytesIO()
    frame.write_parquet(out, **options)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
ROWS = [tuple(PEOPLE), *zip(*PEOPLE.values(), strict=True)]


def test_the_three_formats_agree():
    """One table as CSV, XLSX and Parquet gives the same people, lines aside."""
    frame = pl.DataFrame(PEOPLE)
    uploads = (frame.write_csv().encode(), _workbook(ROWS), _parquet(frame))
    people = [read(data).people.frame.drop("line") for data in uploads]
    assert people[0].equals(people[1])
    assert people[0].equals(people[2])


def test_sheet_rows_are_the_lines():
    """Blank rows above the header and between people count, as a spreadsheet shows them."""
    rows = [ROWS[0], (), ("h1", "p1", "+x"), (), ("h1", "p1", "Smith")]
    assert [(error.line, error.column) for error in errors_of(_workbook(rows, first=3))] == [
        (6, "person_id"),
        (6, "surname"),
        (8, "person_id"),
    ]


def test_numbers_and_dates_in_cells_are_read_as_meant():
    """Numbers keep their digits; a date cell is a date whatever it looks like."""
    header = ("household_id", "person_id", "nhs_number", "uprn", "dob", "consent")
    data = _workbook([header, (1, 2, 9990000018, 100012345678, date(1990, 2, 1), True)])
    (person,) = read(data).people.frame.to_dicts()
    assert (person["household_id"], person["person_id"]) == ("1", "2")
    assert (person["nhs_number"], person["uprn"]) == ("9990000018", "100012345678")
    assert (person["dob"], person["consent"]) == (date(1990, 2, 1), True)


def test_a_sheet_with_dates_and_texts_is_refused_by_row():
    """Where some dates became cells and others stayed text, a spreadsheet has swapped days and months."""
    data = _workbook([ROWS[0][:4], ("h", "p1", "A", date(1990, 2, 1)), ("h", "p2", "B", "25/12/1990")])
    assert [(error.line, error.column) for error in errors_of(data)] == [(3, "dob")]


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        (lambda xml: xml.replace(b'r="A2"', b'r="XFD2"'), TooLargeError, "more than 64 columns"),
        (lambda xml: xml.replace(b'r="A2"', b'r="A1048576"'), TooLargeError, "more than 200000 rows"),
        (lambda xml: xml.replace(b"<worksheet", b"<!DOCTYPE x []><worksheet"), BadInputError, "XML entities"),
        (lambda _: b"not xml <<<", BadInputError, "not a readable workbook"),
        (lambda _: b"", BadInputError, "."),
    ],
)
def test_a_workbook_built_to_hurt_is_refused(change, error, reason):
    """Far cells, entities and broken parts are refused before anything is allocated for them."""
    with pytest.raises(error, match=reason):
        read(_altered(_workbook(ROWS), SHEET, change))


def test_a_workbook_that_unpacks_to_too_much_is_refused():
    """The sum of the parts' sizes is limited."""
    data = _altered(_workbook(ROWS), "docProps/app.xml", lambda _: b" " * 5_000_000)
    assert len(data) < 50_000
    with pytest.raises(TooLargeError, match="unpacks to more than"):
        read(data, limits=Limits(max_unpacked=4_000_000))


def test_a_workbook_that_lies_about_its_sizes_is_refused():
    """A part that unpacks to more than the directory says is never handed on."""
    data = bytearray(_altered(_workbook(ROWS), "docProps/app.xml", lambda _: b" " * 5_000_000))
    size = (5_000_000).to_bytes(4, "little")
    assert data.count(size) == 2
    with pytest.raises(BadInputError, match="not a readable workbook"):
        read(bytes(data).replace(size, (1_000).to_bytes(4, "little")), limits=Limits(max_unpacked=4_000_000))


def test_one_long_text_in_every_cell_is_refused():
    """Shared strings multiply: cells times the longest text is limited."""
    rows = [ROWS[0], *((f"h{i}", f"p{i}", "x" * 30_000) for i in range(1000))]
    with pytest.raises(TooLargeError, match="too much text"):
        read(_workbook(rows), limits=Limits(max_unpacked=20_000_000))


def test_types_of_a_data_frame_are_read_as_meant():
    """Integers, floats with gaps, timestamps, categories and lists become what the text would be."""
    frame = pl.DataFrame(
        {
            "household_id": [1, 1],
            "person_id": [7, 8],
            "surname": pl.Series(["Smith", "Jones"], dtype=pl.Categorical),
            "dob": [datetime(1990, 2, 1), None],  # noqa: DTZ001
            "nhs_number": [9990000018.0, None],
            "consent": [True, None],
            "met_indicators": [["work.neet", "edu.x"], []],
        }
    )
    people = read(_parquet(frame)).people.frame
    assert people["dob"].to_list() == [date(1990, 2, 1), None]
    assert people["nhs_number"].to_list() == ["9990000018", None]
    assert people["consent"].to_list() == [True, None]
    assert people["met_indicators"].to_list() == [["work.neet", "edu.x"], []]


def test_millions_of_rows_in_a_small_parquet_file_are_refused():
    """The footer's count is checked before a row is read."""
    column = pl.Series(["x"]).new_from_index(0, 1_000_000)
    data = _parquet(pl.DataFrame({"household_id": column, "person_id": column, "surname": column}))
    assert len(data) < 100_000
    with pytest.raises(TooLargeError, match="more than 200000 rows"):
        read(data)


def test_a_parquet_page_that_unpacks_to_too_much_is_refused():
    """Pages are added up from their own headers before one is unpacked."""
    frame = pl.DataFrame({"household_id": ["h"], "person_id": ["p"], "surname": ["x" * 30_000_000]})
    data = _parquet(frame, compression="zstd")
    assert len(data) < 100_000
    with pytest.raises(TooLargeError, match="unpacks to more than"):
        read(data, limits=Limits(max_unpacked=10_000_000))


@pytest.mark.parametrize("at", [4, 30, -5, -9, -20, -60])
def test_a_damaged_parquet_file_is_refused(at):
    """Broken footers and pages end in one clear error."""
    data = bytearray(_parquet(pl.DataFrame(PEOPLE)))
    data[at] ^= 0xFF
    try:
        read(bytes(data))
    except BadInputError as error:
        assert "Neil" not in str(error)  # noqa: PT017 - damage to an unused byte may go unseen


def test_a_type_that_holds_no_text_is_refused():
    """A nested column can't stand for a name."""
    frame = pl.DataFrame({"household_id": ["h"], "person_id": ["p"], "surname": [{"a": 1}]})
    with pytest.raises(BadInputError, match="a column of a type"):
        read(_parquet(frame))
