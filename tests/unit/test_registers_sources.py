"""Registers in CSV, Parquet and SQL give the same people, in batches."""

import os
import sqlite3
from datetime import UTC, date, datetime

import polars as pl
import pytest

from adapters.registers import text
from adapters.registers.opening import Source, open_register
from adapters.registers.register import Columns, RegisterError
from gateway.domain.errors import ConfigurationError

CODE = "crime.proven_offence_12m"
TODAY = date(2026, 11, 22)
PEOPLE = pl.DataFrame(
    {
        "forename": ["Zoë", "Bob", "Cy", "Dee", "Eve"],
        "surname": ["O'Neil", 'van "V" Dyk', "Lee\nRay", "Lee, jr", "Ng"],
        "dob": ["1980-02-01", "1981-02-01", "1982-02-01", "1983-02-01", None],
        "objected": ["no", "yes", "no", "no", "no"],
        CODE: ["yes", "yes", "no", "no", "yes"],
    }
)


def a_source(kind, folder):
    if kind == "csv":
        PEOPLE.write_csv(folder / "people.csv")
    if kind == "parquet":
        PEOPLE.write_parquet(folder / "people.parquet", row_group_size=2)
    if kind == "sql":
        return sql_source(folder)
    return Source(kind, str(folder / f"people.{kind}"), as_of=TODAY)


def sql_source(folder, query="SELECT * FROM people ORDER BY dob IS NULL, dob"):
    with sqlite3.connect(folder / "people.db") as database:
        names = ", ".join(f'"{name}"' for name in PEOPLE.columns)
        database.execute(f"CREATE TABLE people ({names})")
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", PEOPLE.rows())
    database.close()
    return Source("sql", f"sqlite:///{folder / 'people.db'}", query=query)


def read(source, size=100_000):
    return list(open_register(source, TODAY).batches(size, [CODE]))


@pytest.mark.parametrize("kind", ["csv", "parquet", "sql"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_every_kind_gives_the_same_people_in_their_order(kind, size, tmp_path):
    """CSV, Parquet and SQL registers read alike, and no batch exceeds the size asked."""
    frames = read(a_source(kind, tmp_path), size)
    people = pl.concat(frames)
    assert max(frame.height for frame in frames) <= size
    assert people["forename"].to_list() == PEOPLE["forename"].to_list()
    assert people["surname"].to_list() == PEOPLE["surname"].to_list()
    assert people["objected"].to_list() == [False, True, False, False, False]
    assert people[CODE].to_list() == [True, True, False, False, True]
    assert people["dob"].null_count() == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_delimiters_and_encodings_of_csv_are_found_out(delimiter, encoding, tmp_path):
    """What spreadsheets and databases export is read without configuration."""
    path = tmp_path / "people.csv"
    path.write_bytes(PEOPLE.write_csv(separator=delimiter).encode(encoding))
    people = pl.concat(read(Source("csv", str(path))))
    assert people["forename"].to_list() == PEOPLE["forename"].to_list()


@pytest.mark.parametrize("block", [7, 64, 100, 1000])
def test_a_block_never_cuts_a_record(block, tmp_path, monkeypatch):
    """Whatever the block size, quoted line ends stay inside their record."""
    monkeypatch.setattr(text, "_BLOCK", block)
    people = pl.concat(read(a_source("csv", tmp_path)))
    assert people["surname"].to_list() == PEOPLE["surname"].to_list()


def test_a_ragged_row_is_padded_or_cut(tmp_path):
    """One broken line of an export must not stop every answer."""
    path = tmp_path / "people.csv"
    path.write_text(f"forename,surname,objected,{CODE}\nAnn,Lee\nBob,Ray,no,yes,more\n")
    people = pl.concat(read(Source("csv", str(path))))
    assert people.select("forename", "objected", CODE).rows() == [("Ann", False, False), ("Bob", False, True)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no header"),
        (b"a,a\n1,2\n", "repeated header"),
        (b"a,b\n\0\0\n", "not a text file"),
        ("forename,objected\n".encode("utf-16"), "not a text file"),
    ],
)
def test_a_csv_that_is_none_is_named(data, reason, tmp_path):
    """An unusable file is an error with its reason, never an empty register."""
    path = tmp_path / "people.csv"
    path.write_bytes(data)
    with pytest.raises(RegisterError, match=reason):
        read(Source("csv", str(path)))


def test_a_quote_that_never_closes_is_named(tmp_path, monkeypatch):
    """A stray quotation mark must not make the reader hold the whole register."""
    monkeypatch.setattr(text, "_BLOCK", 100)
    monkeypatch.setattr(text, "_LONGEST_RECORD", 1000)
    path = tmp_path / "people.csv"
    path.write_text('forename,objected\n"' + "Ann,no\n" * 1000)
    with pytest.raises(RegisterError, match="never closes"):
        read(Source("csv", str(path)))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_file_is_an_error(kind, tmp_path):
    """A register that is gone is an error, never an empty register."""
    with pytest.raises(RegisterError, match="can't be read"):
        read(Source(kind, str(tmp_path / "none"), as_of=TODAY))


def test_a_parquet_that_is_none_is_an_error(tmp_path):
    """Noise under a .parquet name is an error of the register."""
    (tmp_path / "people.parquet").write_bytes(b"noise" * 100)
    with pytest.raises(RegisterError, match="can't be read"):
        read(Source("parquet", str(tmp_path / "people.parquet")))


@pytest.mark.parametrize("url", ["sqlite:////nowhere/x.db", "postgresql+nosuch://u:hunter2@h/d", "hunter2"])
def test_a_database_error_shows_neither_url_nor_password(url):
    """The URL holds a password: no error text, cause or repr may carry it."""
    source = Source("sql", url, query="SELECT secret FROM people")
    with pytest.raises(RegisterError, match="can't be read") as caught:
        read(source)
    shown = f"{caught.value!s} {caught.value!r} {caught.value.__cause__} {source!r}"
    assert "hunter2" not in shown
    assert "secret" not in shown
    assert caught.value.__suppress_context__


def test_the_date_of_a_register(tmp_path):
    """Configured; else the file's last change; a database is of today."""
    source = a_source("csv", tmp_path)
    assert open_register(source, TODAY).as_of == TODAY
    stamp = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
    os.utime(source.place, (stamp, stamp))
    assert open_register(Source("csv", source.place), TODAY).as_of == date(2026, 3, 4)
    assert open_register(a_source("sql", tmp_path), TODAY).as_of == TODAY


def test_mapped_columns_of_a_query(tmp_path):
    """The query's own column names are mapped like headers are."""
    source = sql_source(tmp_path, query='SELECT forename AS "FN", "objected", 1 AS flag FROM people')
    mapped = Source("sql", source.place, source.query, columns=Columns({"forename": "FN", CODE: "flag"}))
    assert pl.concat(read(mapped))["forename"].to_list() == PEOPLE["forename"].to_list()


def test_a_query_with_a_column_twice_is_refused(tmp_path):
    """Which of two columns of one name counts is not ours to guess."""
    with pytest.raises(RegisterError, match="twice"):
        read(sql_source(tmp_path, query="SELECT forename, forename FROM people"))


@pytest.mark.parametrize(("kind", "query"), [("sql", ""), ("csv", "SELECT 1")])
def test_a_query_goes_with_sql_alone(kind, query):
    """A setting without effect is an error of configuration."""
    with pytest.raises(ConfigurationError, match="query"):
        Source(kind, "x", query=query)
