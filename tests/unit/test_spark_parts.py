"""What the Spark engine does without Spark: cutting files, judging their parts, saying what is missing."""

import pickle
import subprocess
import sys
from datetime import date
from functools import reduce
from operator import add

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.tokens import read_key
from gateway.domain.errors import BadInputError, ConfigurationError
from gateway.intake.columns import PERSON_COLUMNS, read_header
from gateway.intake.judge import Elsewhere, dates_of, ids_of, judge, repeated
from gateway.intake.ranges import Range, ranges
from gateway.intake.raw import RawTable
from gateway.spark import KeyFile, local_session, session

TODAY = date(2026, 11, 22)
COLUMNS = ("person_id", "surname", "dob")
DATES = st.sampled_from(
    [
        None,
        "",
        "1980-05-04",
        "2031-01-01",
        "31/12/1999",
        "12/31/1999",
        "1/2/1990",
        "01/02/90",
        "=1",
        "30.02.2001",
    ]
)
ROWS = st.lists(st.tuples(st.sampled_from([None, "a", " a", "b", "c", "d"]), DATES), min_size=1, max_size=12)


@given(st.binary(max_size=200).map(lambda raw: bytes(b'a,"\n'[byte % 4] for byte in raw)), st.integers(1, 9))
def test_ranges_part_a_file_between_records(tmp_path_factory, content, size):
    """Every byte is in one range, in order; each begins on its stated line and outside quotes."""
    path = tmp_path_factory.getbasetemp() / "ranges.csv"
    path.write_bytes(content)
    if content.count(b'"') % 2:
        with pytest.raises(BadInputError, match="double quotes"):
            list(ranges(path, 0, 1, size))
        return
    found = list(ranges(path, 0, 1, size))
    assert b"".join(part.read(path) for part in found) == content
    for part in found:
        before = content[: part.start]
        assert part.line == before.count(b"\n") + 1
        assert before.count(b'"') % 2 == 0
        assert before[-1:] in (b"", b"\n")


def test_a_file_is_cut_into_ranges_of_about_the_size(tmp_path):
    """Ranges of plain rows are hardly longer than asked for: nothing is read in one piece."""
    (tmp_path / "rows.csv").write_bytes(b"1,Smith,1980-05-04\n" * 1000)
    sizes = [part.stop - part.start for part in ranges(tmp_path / "rows.csv", 0, 1, 1000)]
    assert len(sizes) > 8
    assert max(sizes) < 2100


def test_a_letter_cut_in_two_by_reading_is_still_utf8(tmp_path):
    """Blocks end anywhere; the text is judged whole. What is no UTF-8 is refused with the way out."""
    (tmp_path / "rows.csv").write_bytes("Zoë\n".encode() * 50)
    assert list(ranges(tmp_path / "rows.csv", 0, 1, 3))[-1].stop == 250
    (tmp_path / "rows.csv").write_bytes("Zoë\n".encode("cp1252") * 50)
    with pytest.raises(BadInputError, match="Export it as CSV UTF-8"):
        list(ranges(tmp_path / "rows.csv", 0, 1, 3))


def test_a_range_reads_its_own_bytes_alone(tmp_path):
    """A worker opens the file at its own place."""
    (tmp_path / "rows.csv").write_bytes(b"0123456789")
    assert Range(2, 5, 1).read(tmp_path / "rows.csv") == b"234"


def raw(rows, first):
    cells = pl.DataFrame(rows, schema=dict.fromkeys(("person_id", "dob"), pl.String), orient="row")
    lines = pl.Series("line", range(first, first + len(rows)), pl.UInt32)
    cells = cells.insert_column(0, lines).with_columns(surname=pl.lit("Lee"))
    return RawTable(cells, read_header(COLUMNS, PERSON_COLUMNS, (), 9), pl.Series("line", [], pl.UInt32))


def judged(table, elsewhere=None):
    return judge(
        table,
        ("line", *COLUMNS),
        ("person_id",),
        today=TODAY,
        max_cell=99,
        postcode_check=False,
        elsewhere=elsewhere,
    )


@given(ROWS, st.integers(1, 5))
def test_parts_told_of_each_other_are_judged_as_the_whole(rows, size):
    """Rows and errors are the same however a file is cut: formats of dates and repeated ids included."""
    whole = judged(raw(rows, 2))
    parts = [raw(rows[start : start + size], 2 + start) for start in range(0, len(rows), size)]
    facts = reduce(add, [dates_of(part, 99) for part in parts])
    twice = repeated(pl.concat(ids_of(part, 99) for part in parts))
    apart = [judged(part, Elsewhere(facts, twice)) for part in parts]
    assert pl.concat(part.frame for part in apart).equals(whole.frame)
    assert pl.concat(part.errors for part in apart).equals(whole.errors)
    assert pl.concat(part.usable() for part in apart).equals(whole.usable())


def test_a_key_file_travels_by_name_alone(tmp_path):
    """What Spark serialises for its workers holds no key, even after it was read."""
    path = tmp_path / "key"
    path.write_text("ab" * 32)
    path.chmod(0o600)
    key = KeyFile(path, read_key)
    keys = key.table_keys()
    travelling = pickle.dumps(key) + repr(key).encode()
    assert not any(form in travelling for each in keys.values() for form in (each, each.hex().encode()))
    assert b"ab" * 8 not in travelling
    assert b"\xab" * 8 not in travelling


@pytest.mark.parametrize(
    ("missing", "way_out"), [("pyspark", r"flagstone\[spark\]"), ("java", "default-jre")]
)
def test_a_machine_without_spark_says_what_to_install(tmp_path, monkeypatch, missing, way_out):
    """An error of configuration with the command that mends it, before anything is written."""
    found = None if missing == "pyspark" else object()
    monkeypatch.setattr(session, "find_spec", lambda _: found)
    monkeypatch.setattr(session.shutil, "which", lambda _: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigurationError, match=way_out), local_session(tmp_path):
        raise AssertionError
    assert not list(tmp_path.iterdir())


def test_the_engine_is_imported_without_pyspark():
    """`flagstone` starts on a machine without the extra: importing the engine imports none of it."""
    code = "import sys, gateway.spark; print(sorted({'pyspark', 'pyarrow', 'pandas'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
