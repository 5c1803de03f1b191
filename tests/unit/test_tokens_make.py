"""`flagstone tokens make`: inputs in parts, the same tokens however they are cut and whatever stops them."""

import hmac
import json
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli.tokens import app, making, sources
from gateway.cli.tokens.database import QuerySource
from gateway.cli.tokens.making import make
from gateway.cli.tokens.parts import Parts, parts_for
from gateway.cli.tokens.sources import open_file
from gateway.domain.errors import BadInputError, ConflictError, FlagstoneError
from gateway.intake import read_person_file
from gateway.linkage.normalise import SEPARATOR, normalise
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

ROOT = Path(__file__).parents[2]
SECRET = b"\xab" * 32
TODAY = date(2026, 11, 22)
METADATA = {"flagstone.scheme": "v1"}
PEOPLE = 60


def people(count=PEOPLE):
    """Generated people with gaps, marks, bad cells and every kind of name."""
    forenames = ["William", "Bill", "Zoë", "O'Neil", None, "J", "Muhammad Ali", "  Ann", "=Bad", "Владимир"]
    surnames = ["Smith", "McDonald", "van der Berg", None, "Smith-Jones", "UNKNOWN", "Lee"]
    postcodes = ["SW1A 1AA", "sw1a1aa", None, "ZZ99 3VZ", "M1 1AE"]
    numbers = ["9990000018", "999 000 0026", None, "9990000019", "0000000000"]
    return pl.DataFrame(
        {
            "person_id": [f"p{i}" for i in range(count)],
            "forename": [forenames[i % 10] for i in range(count)],
            "surname": [surnames[i % 7] for i in range(count)],
            "dob": [None if i % 11 == 0 else f"19{60 + i % 30}-0{1 + i % 9}-1{i % 10}" for i in range(count)],
            "postcode": [postcodes[i % 5] for i in range(count)],
            "nhs_number": [numbers[i % 5] for i in range(count)],
        }
    )


def written(path, frame):
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".xlsx":
        frame.write_excel(path)
    else:
        frame.write_parquet(path)
    return path


def whole(path):
    """What intake and linkage make of the file in one piece."""
    file = read_person_file([path.read_bytes()], today=TODAY, postcode_check=False, keep_rows=True)
    tokens = tokenise(file.people.frame, token_keys(SECRET, V1))
    return tokens.insert_column(0, file.people.frame["person_id"]), file.rejected


def made(path, out, secret=SECRET, today=TODAY):
    result = make(open_file(path), out, secret=secret, today=today, metadata=METADATA)
    return pl.read_parquet(out).select("person_id", *V1.labels), result


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(sources, "PART", 7)
    monkeypatch.setattr(sources, "PART_BYTES", 400)


@pytest.mark.parametrize("name", ["people.csv", "people.parquet", "people.xlsx"])
def test_tokens_are_those_of_a_plain_reference(tmp_path, name, small_parts):
    """Each token is Python's own HMAC over the parts of its row, cut; null where a part is."""
    path = written(tmp_path / name, people())
    tokens, result = made(path, tmp_path / "t.parquet")
    file = read_person_file([path.read_bytes()], today=TODAY, postcode_check=False, keep_rows=True)
    parts = normalise(file.people.frame)
    keys = token_keys(SECRET, V1)

    def token(key, row):
        values = [row[part] for part in key.parts]
        if None in values:
            return None
        message = SEPARATOR.join(values).encode()
        return hmac.digest(keys[key.label].hex().encode(), message, "sha256")[:16]

    expected = [tuple(token(key, row) for key in V1.keys) for row in parts.iter_rows(named=True)]
    assert tokens.select(V1.labels).rows() == expected
    assert result.rows == PEOPLE
    assert result.people == tokens.height


@pytest.mark.parametrize("name", ["people.csv", "people.parquet", "people.xlsx"])
@settings(max_examples=8)
@given(part=st.integers(1, 70))
def test_the_size_of_the_parts_makes_no_difference(tmp_path_factory, name, part):
    """However the input is cut: the same rows, tokens and bad cells, those too that only the whole shows."""
    folder = tmp_path_factory.mktemp("parts")
    frame = people().with_columns(
        person_id=pl.when(pl.col("person_id") == "p50").then(pl.lit("p3")).otherwise("person_id"),
        dob=pl.when(pl.col("person_id") == "p9").then(pl.lit("13/02/1961")).otherwise("dob"),
    )
    path = written(folder / name, frame)
    expected, rejected = whole(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "PART", part)
        patch.setattr(sources, "PART_BYTES", part * 40)
        tokens, result = made(path, folder / "t.parquet")
    assert tokens.equals(expected)
    assert sum(result.bad.values()) == len(rejected)
    assert set(result.bad) == {(error.column, error.reason) for error in rejected}


def test_an_excel_export_in_windows_letters_is_read_as_before(tmp_path, small_parts):
    """A CSV that is not UTF-8 can't be cut and is read whole."""
    path = tmp_path / "people.csv"
    path.write_bytes("person_id,surname,dob\na,Zoë,1961-02-03\n".encode("cp1252"))
    tokens, _ = made(path, tmp_path / "t.parquet")
    assert tokens.equals(whole(path)[0])


def test_typed_dates_and_numbers_of_a_parquet_file_are_read(tmp_path, small_parts):
    """A column of dates needs no look through the file, and counts like their text."""
    text = people().with_columns(person_id=pl.int_range(pl.len()))
    path = written(tmp_path / "typed.parquet", text.with_columns(pl.col("dob").str.to_date()))
    tokens, _ = made(path, tmp_path / "t.parquet")
    assert tokens.equals(made(written(tmp_path / "text.parquet", text), tmp_path / "u.parquet")[0])


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from gateway.cli.tokens import making, sources
from gateway.cli.tokens.parts import Parts
sources.PART, sources.PART_BYTES, making._WORKERS = 7, 400, 1
whole_add = Parts.add
def add(self, number, *rest):
    if number == {number} and not {torn}:
        os.kill(os.getpid(), signal.SIGKILL)
    whole_add(self, number, *rest)
    if number == {number}:
        self._note(number).unlink()
        self._table(number).write_bytes(b"PAR1 torn")
        os.kill(os.getpid(), signal.SIGKILL)
Parts.add = add
making.make(sources.open_file(Path(sys.argv[1])), Path(sys.argv[2]), secret=bytes.fromhex("ab" * 32),
            today=date.fromisoformat(sys.argv[3]), metadata={{"flagstone.scheme": "v1"}})
"""


def killed(path, out, number, *, torn=False, today=TODAY):
    """A real process that is killed at a part."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED.format(number=number, torn=torn),
            str(path),
            str(out),
            today.isoformat(),
        ],
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    return out.parent / f".{out.name}.parts"


@pytest.mark.parametrize("name", ["people.csv", "people.parquet"])
@pytest.mark.parametrize("torn", [False, True])
def test_a_killed_run_is_taken_up_and_ends_in_the_same_bytes(tmp_path, name, torn, small_parts, monkeypatch):
    """After a kill between or within parts, what is finished stays; the output is byte-identical."""
    path = written(tmp_path / name, people())
    folder = killed(path, tmp_path / "t.parquet", 3, torn=torn, today=date(2026, 11, 21))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = []
    add = Parts.add
    monkeypatch.setattr(
        Parts, "add", lambda self, number, *rest: (again.append(number), add(self, number, *rest))
    )
    made(path, tmp_path / "t.parquet")
    assert min(again) == 3
    # the day counts that the first run began on
    made(path, tmp_path / "whole.parquet", today=date(2026, 11, 21))
    assert (tmp_path / "t.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("change", ["input", "key"])
def test_parts_of_another_input_or_key_are_not_taken_up(tmp_path, change, small_parts):
    """A changed input or key begins anew: the output is that of a run that nothing came before."""
    path = written(tmp_path / "people.csv", people())
    killed(path, tmp_path / "t.parquet", 3)
    secret, metadata = SECRET, dict(METADATA)
    if change == "input":
        written(path, people().with_columns(surname=pl.lit("Changed")))
    else:
        secret, metadata = b"\xcd" * 32, METADATA | {"flagstone.key-confirmation": "cd"}
    for out in ("t.parquet", "fresh.parquet"):
        make(open_file(path), tmp_path / out, secret=secret, today=TODAY, metadata=metadata)
    assert (tmp_path / "t.parquet").read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


def test_what_a_killed_run_leaves_names_nobody(tmp_path, small_parts):
    """Beside ids and tokens nothing of a person stands in the folder of parts."""
    path = written(tmp_path / "people.csv", people().with_columns(surname=pl.lit("Quillfeather")))
    folder = killed(path, tmp_path / "t.parquet", 3)
    left = b"".join(file.read_bytes() for file in folder.iterdir())
    assert not any(
        word in left for word in (b"Quillfeather", b"QUILLFEATHER", b"SW1A", b"9990000018", SECRET)
    )
    assert SECRET.hex().encode() not in left
    assert json.loads((folder / "000000.json").read_text())[0] > 0


def test_two_runs_for_one_output_do_not_mix(tmp_path):
    """While one process holds the folder of parts, another is refused."""
    with (
        parts_for(tmp_path / "t.parquet"),
        pytest.raises(ConflictError, match="another run"),
        parts_for(tmp_path / "t.parquet"),
    ):
        raise AssertionError


def test_a_file_without_a_usable_row_leaves_no_output(tmp_path):
    """Rows that are nobody are left out; if none is left, that is an error and there is no file."""
    path = tmp_path / "people.csv"
    path.write_text("person_id,surname\na,\nb,\n")
    with pytest.raises(BadInputError, match="not one row"):
        made(path, tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


@pytest.fixture
def database(tmp_path):
    with sqlite3.connect(tmp_path / "people.db") as connection:
        connection.execute("CREATE TABLE people (ref, forename, surname, dob, postcode, nhs)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", people().rows())
    return f"sqlite:///{tmp_path}/people.db"


QUERY = "SELECT ref AS person_id, forename, surname, dob, postcode, nhs AS nhs_number FROM people ORDER BY 1"


def test_people_of_a_database_get_the_tokens_of_a_file(tmp_path, database, small_parts):
    """A query gives the same tokens as the same rows in a file."""
    out = tmp_path / "t.parquet"
    make(QuerySource(database, QUERY), out, secret=SECRET, today=TODAY, metadata=METADATA)
    path = written(tmp_path / "people.csv", people())
    read = pl.read_parquet(out).select("person_id", *V1.labels)
    assert read.sort("person_id").equals(made(path, tmp_path / "f.parquet")[0].sort("person_id"))


def test_a_query_that_gives_a_person_twice_is_refused(tmp_path, database, small_parts):
    """Ids must tell people apart, across parts too."""
    twice = QuerySource(database, QUERY.replace("ORDER", "UNION ALL SELECT * FROM people ORDER"))
    with pytest.raises(BadInputError, match="same person_id"):
        make(twice, tmp_path / "t.parquet", secret=SECRET, today=TODAY, metadata=METADATA)


def run(*arguments, env=None):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)
    if isinstance(result.exception, FlagstoneError):
        raise result.exception
    return result


def test_the_command_reads_a_query_from_a_file_and_the_database_from_the_environment(tmp_path, database):
    """The URL, which may hold a password, stands on no command line."""
    (tmp_path / "key").write_text(SECRET.hex())
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "query.sql").write_text(QUERY)
    arguments = ["make", "--sql-file", tmp_path / "query.sql", "--key-file", tmp_path / "key"]
    out = tmp_path / "t.parquet"
    run(*arguments, "--out", out, env={"FLAGSTONE_TOKENS_DATABASE": database})
    assert pl.read_parquet(out).height == PEOPLE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(FlagstoneError, match="FLAGSTONE_TOKENS_DATABASE"):
        run(*arguments, "--out", out, env={"FLAGSTONE_TOKENS_DATABASE": ""})
    with pytest.raises(BadInputError, match="either a file or --sql-file"):
        run("make", "--key-file", tmp_path / "key", "--out", out)


def test_work_comes_back_in_order_and_failures_come_through():
    """Whatever finishes first, results stand in the items' order; the first error ends the work."""
    assert list(making.in_order(lambda item: item * 2, range(50))) == list(range(0, 100, 2))
    with pytest.raises(ZeroDivisionError):
        list(making.in_order(lambda item: 1 // item, [2, 1, 0, 3]))
