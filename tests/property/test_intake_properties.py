"""Intake under generated input: any bytes, any cells, any damage."""

import csv
import io
import string
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from intake_samples import GOOD, HEADER, TODAY, read, upload

from gateway.domain import identifiers as ids
from gateway.domain.errors import BadInputError
from gateway.intake import BadListError

PRINTABLE = st.characters(blacklist_categories=("C", "Zl", "Zp"))
TEXT = st.text(PRINTABLE, max_size=30)
CELLS = st.text(st.one_of(PRINTABLE, st.just("\n"), st.just('"'), st.just(",")), max_size=12)
SAMPLE = upload(*(GOOD.replace("p1", f"p{i}") for i in range(5)))


def _parquet() -> bytes:
    out = io.BytesIO()
    pl.read_csv(SAMPLE, infer_schema=False).write_parquet(out)
    return out.getvalue()


def _workbook() -> bytes:
    out = io.BytesIO()
    pl.read_csv(SAMPLE, infer_schema=False).write_excel(out)
    return out.getvalue()


WHOLE = {"csv": SAMPLE, "parquet": _parquet(), "xlsx": _workbook()}
DAMAGE = st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 255)), min_size=1, max_size=6)


def _outcome(data: bytes) -> str:
    """What a user would see: a count, or one of our errors. Anything else escapes and fails the test."""
    try:
        return f"{len(read(data).people)} people"
    except BadListError as error:
        return f"{error} {error.rows}"
    except BadInputError as error:
        return str(error)


@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"PAR1", HEADER.encode() + b"\n"]))
def test_any_bytes_are_read_or_refused(data, start):
    """Whatever is uploaded, intake returns people or raises one of our errors."""
    assert _outcome(start + data)


@given(st.sampled_from(sorted(WHOLE)), DAMAGE, st.integers(0, 40))
def test_a_damaged_file_is_read_or_refused(kind, damage, cut):
    """A good file with some bytes changed and its end cut off never ends in a foreign error."""
    data = bytearray(WHOLE[kind])
    for position, value in damage:
        data[position % len(data)] = value
    assert "Neil" not in _outcome(bytes(data[: len(data) - cut]))


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8))
def test_lines_are_the_physical_ones(notes):
    """However cells in other columns are quoted and broken over lines, each row's line is where it begins."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["a", "household_id", "b", "person_id", "c", "dob", "surname"])
    begins = []
    for number, (a, b, c) in enumerate(notes):
        begins.append(out.getvalue().count("\n") + 1)
        writer.writerow([a, "h", b, f"p{number}", c, "not a date"])
    with pytest.raises(BadListError) as caught:
        read(out.getvalue().encode())
    assert [row.line for row in caught.value.rows if row.column == "dob"] == begins


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_names_come_back_as_they_were(names):
    """A name that is taken is the name that was sent, stripped of spaces around it, and nothing else."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["household_id", "person_id", "surname", "dob"])
    for number, name in enumerate(names):
        writer.writerow(["h", f"p{number}", name, "2000-01-31"])
    try:
        people = read(out.getvalue().encode(), accept_valid=True).people.frame
    except BadListError:
        return
    for number, name in people.select("person_id", "surname").iter_rows():
        assert name == (names[int(number[1:])].strip() or None)


@given(st.dates(date(1900, 1, 1), TODAY), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"]))
def test_every_date_comes_back(day, form):
    """Each date since 1900 is read as itself in ISO and in the day-first forms."""
    people = read(upload(f"h,p,Ann,Smith,{day.strftime(form)}")).people.frame
    assert people["dob"].to_list() == [day]


@given(st.lists(st.integers(0, 999_999_999), min_size=1, max_size=50))
def test_a_changed_digit_is_found_in_an_nhs_number(bodies):
    """Of the ten numbers with the same first nine digits at most one is valid."""
    numbers = [f"{body:09}{check}" for body in bodies for check in range(10)]
    verdicts = pl.DataFrame({"x": numbers}).select(ids.valid_nhs_number(pl.col("x")))["x"].to_list()
    assert all(sum(verdicts[i : i + 10]) <= 1 for i in range(0, len(verdicts), 10))


@given(st.text(string.printable, max_size=20))
def test_canonical_forms_settle(text):
    """A canonical form is its own canonical form, whatever it was made from."""
    for kind in ("nhs_number", "upn", "nino", "pnc_id", "uprn", "postcode", "any_postcode"):
        canonical = getattr(ids, f"canonical_{kind}")
        once = pl.DataFrame({"x": [text]}).select(canonical(pl.col("x")))
        assert once.select(canonical(pl.col("x"))).equals(once)
