"""CSV uploads: encodings, delimiters, headers, quotes and physical line numbers."""

import hashlib
import re
from pathlib import Path

import pytest
from intake_samples import GOOD, HEADER, errors_of, read, upload

from gateway.domain.errors import BadInputError
from gateway.intake.columns import ALIASES


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_each_delimiter_is_recognised(delimiter):
    """Commas, semicolons and tabs give the same people."""
    data = upload(GOOD).replace(b",", delimiter.encode())
    assert read(data).people.frame.equals(read(upload(GOOD)).people.frame)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_end_is_recognised(end):
    """Unix, Windows and classic Mac line ends give the same people on the same lines."""
    data = upload(GOOD, GOOD.replace("p1", "p2"), end=end)
    assert read(data).people.frame["line"].to_list() == [2, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_each_encoding_is_recognised(encoding):
    """UTF-8 with and without BOM and Windows-1252 give the same name."""
    people = read(upload(GOOD).decode().encode(encoding)).people.frame
    assert people["forename"].to_list() == ["Zoë"]


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (upload(GOOD).decode().encode("utf-16"), "upload", "UTF-16"),
        (upload(GOOD, "h2,p2,\0,Smith"), "line 3", "NUL byte"),
        (upload(GOOD, "h2,p2,\x07,Smith"), "line 3", "control byte"),
        (upload(GOOD) + b"h2,p2,Zo\xeb,Smith\n", "line 3", "some letters are UTF-8"),
        (upload("h1,p1,Zoe,Smith") + b"h2,p2,Zo\x81,Smith\n", "line 3", "neither UTF-8 nor Windows-1252"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "upload", "password-protected workbook"),
        (b"\x89PNG" + bytes(range(1, 255)) * 40, "line 1", "control byte"),
        (b"some,words,that,are\nno,list,at,all\n", "header", "no known column name"),
        (b"\n\n\n", "header", "no known column name"),
        (upload(GOOD).replace(b"surname", b"first name"), "header", "columns 3 and 4 both mean forename"),
        (upload(GOOD).replace(b"household_id,", b"thing,"), "header", "missing: household_id"),
        (b"household_id,person_id,postcode\nh,p,NR1 1AA\n", "header", "nobody can be matched"),
        (upload(GOOD, header=HEADER + ",n" * 60), "header", "more than 64 columns"),
        (upload(), "upload", "a header, but not one row"),
        (upload(",,,,,,,,", "  ,,", ""), "upload", "a header, but not one row"),
        (upload(GOOD, 'h2,p2,"Ann,Smith', GOOD), "line 3", "quotes do not match"),
        (upload(GOOD, 'h2,p2,An"n,Smith', GOOD, 'h3,p3,An"n,Smith'), "line 3", "quotes do not match"),
        (upload(GOOD, 'h2,p2,"Ann"e,Smith'), "line 3", "quotes do not match"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(data, place, reason):
    """A file refused as a whole gets one error, with the line where there is one."""
    with pytest.raises(BadInputError, match=reason) as caught:
        read(data)
    assert caught.value.place == place


def test_lines_are_those_of_an_editor():
    """Blank lines and line breaks inside quoted cells, even in columns not known, count."""
    data = upload(
        GOOD + ',"one\ntwo\nthree"',
        "",
        "h1,p2,Ann,Smith,1.1.1",
        ",,,",
        "h1,p3,Ann,Smith,2.2.2",
        header=HEADER + ",notes",
    )
    assert [error.line for error in errors_of(data)] == [6, 8]


def test_a_header_of_several_lines_shifts_the_rows():
    """A quoted line break in the header is a line too; blank lines above the header as well."""
    data = b'\n"household_id","person\nid",surname,dob\nh,p,Smith,x\n'
    assert [error.line for error in errors_of(data)] == [4]


def test_a_line_break_in_a_known_cell_is_a_row_error():
    """A name over two lines is refused by the line where its row begins."""
    (error,) = errors_of(upload(GOOD, 'h2,p2,"An\nn",Smith'))
    assert (error.line, error.column, error.reason) == (
        3,
        "forename",
        "holds a line break or control character",
    )


def test_a_row_with_too_many_cells_is_a_row_error():
    """An unquoted delimiter would shift cells into the wrong columns, so the row is refused."""
    (error,) = errors_of(upload(GOOD, "h2,p2,Ann,Smith,,,,,yes,oops"))
    assert (error.line, error.column, error.reason) == (3, "row", "more cells than the header")


def test_a_short_row_has_empty_cells_at_its_end():
    """Trailing empty cells may be left out."""
    people = read(upload("h1,p1,Ann,Smith")).people.frame
    assert people.select("dob", "postcode", "consent").row(0) == (None, None, None)


def test_quotes_and_delimiters_inside_quotes_survive():
    """A quoted cell may hold the delimiter and doubled quotes."""
    people = read(upload('h1,p1,"Ann ""Annie"", jr",Smith')).people.frame
    assert people["forename"].to_list() == ['Ann "Annie", jr']


def test_aliases_are_reported_and_unknown_headers_only_counted():
    """Known headers come back as found; the text of others is never kept."""
    data = b"Family ID;Person Ref;LAST NAME;D.O.B.;Jane Doe;\nh;p;Smith;2000-01-31;x;y\n"
    intake = read(data)
    assert intake.aliases == {
        "Family ID": "household_id",
        "Person Ref": "person_id",
        "LAST NAME": "surname",
        "D.O.B.": "dob",
    }
    assert intake.ignored == 2
    assert "Jane" not in repr(intake)


def test_the_digest_is_of_the_bytes_as_sent():
    """However the upload is cut into chunks, the digest is SHA-256 of all of it."""
    data = upload(GOOD)
    chunks = [data[i : i + 7] for i in range(0, len(data), 7)]
    assert read(chunks).digest == read(data).digest == hashlib.sha256(data).digest()


def test_the_guide_names_every_column_and_alias():
    """docs/list-format.md tells analysts of each name that is accepted."""
    guide = (Path(__file__).parents[2] / "docs" / "list-format.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", guide, re.MULTILINE))
    assert {column: tuple(names.strip().split(", ")) for column, names in rows.items()} == ALIASES
