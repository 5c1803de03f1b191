"""The Spark engine, with a real Spark on this machine: `make test-spark`."""

import re
import stat
from collections import Counter
from datetime import date, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from gateway.cli.tokens import app, read_key
from gateway.domain.errors import BadInputError, ConfigurationError
from gateway.intake import read_person_file
from gateway.linkage.scheme import V1
from gateway.linkage.secret import confirmation, table_keys
from gateway.linkage.tokens import NAME, token_table
from gateway.spark import KeyFile, local_session, make, sources

pytestmark = [pytest.mark.spark, pytest.mark.processes, pytest.mark.filterwarnings("ignore::FutureWarning")]

SECRET = bytes.fromhex("c5" * 31 + "07")
TODAY = date(2026, 11, 22)
METADATA = {"flagstone.scheme": V1.version, "flagstone.key-confirmation": confirmation(SECRET).hex()}
CANARY = "Zyxwvutsrqponm"
AWKWARD = [
    ("Zoë-Ann", "O'Brien-Łukasz", "29/02/2004", "M1 1AE", "9990000018"),
    ("  Владимир ", "Straße", "31/12/1999", "SW1A 1AA", "999 000 0026"),
    ("=cmd()", "Smith", "12/25/1980", "nowhere", "1234567890"),
    ("", "", "", "", ""),
    (None, "Ngũgĩ", "1/1/1900", "ZZ99 3VZ", None),
    ("Bill", "Mc Donald", "1980-07-20", "sw1a1aa", "0000000000"),
    (CANARY, 'van "der" Berg', "02/03/1961", "M1 1AE", None),
    ("Line\nbreak", "Smith, Jr", "30/02/1990", "", "abc"),
    ("J", "x" * 150, "31/12/2090", "GIR 0AA", ""),
]


def people(size: int) -> pl.DataFrame:
    """Text cells as a register might hold them: awkward rows among plain ones, some ids twice."""
    births = [(date(1950, 1, 1) + timedelta(days=7 * row)).strftime("%d/%m/%Y") for row in range(size)]
    plain = [
        (f"Ann{row % 97}", f"Lee{row % 89}", births[row], f"M{row % 9 + 1} 1AE", None) for row in range(size)
    ]
    rows = [AWKWARD[row % len(AWKWARD)] if row % 5 == 0 else plain[row] for row in range(size)]
    columns = ["Given Name", "surname", "date of birth", "Post Code", "NHS No."]
    ids = [f"p{min(row, size - 3)}" if row != 700 else " p12 " for row in range(size)]
    return pl.DataFrame(rows, schema=columns, orient="row").insert_column(0, pl.Series("person_id", ids))


@pytest.fixture(scope="module")
def spark_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def spark(spark_folder):
    with local_session(spark_folder, master="local[2]", memory="1g") as session:
        yield session


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text(SECRET.hex())
    path.chmod(0o600)
    return KeyFile(path, read_key)


def by_spark(spark, path, key):
    out = path.with_suffix(".tokens.parquet")
    return make(spark, path, out, key=key, today=TODAY, metadata=METADATA), out


def by_polars(path):
    """The same in one process: the tokens, and what was bad."""
    file = read_person_file([path.read_bytes()], today=TODAY, postcode_check=False, keep_rows=True)
    people = file.people.frame
    tokens = token_table(people, table_keys(SECRET, V1, NAME))
    return tokens.sort("person_id"), Counter((row.column, row.reason) for row in file.rejected)


def assert_alike(spark, path, key):
    made, out = by_spark(spark, path, key)
    tokens, bad = by_polars(path)
    assert pl.read_parquet(out).sort("person_id").equals(tokens)
    assert dict(made.bad) == dict(bad)
    assert made.people == tokens.height


@pytest.mark.parametrize("rows_in_group", [5000, 400])
def test_tokens_of_a_parquet_file_are_those_of_one_process(spark, key, tmp_path, rows_in_group):
    """Bit for bit, with the same counts of bad cells, however the file is cut into row groups."""
    people(3000).write_parquet(tmp_path / "people.parquet", row_group_size=rows_in_group)
    assert_alike(spark, tmp_path / "people.parquet", key)


@pytest.mark.parametrize(("size", "delimiter"), [(30_000, ","), (1 << 23, ";")])
def test_tokens_of_a_csv_file_are_those_of_one_process(spark, key, tmp_path, monkeypatch, size, delimiter):
    """Bit for bit, quoted line breaks and ragged rows included, however the file is cut into ranges."""
    cut = sources.cut
    monkeypatch.setattr(sources, "cut", lambda path, header: cut(path, header, size))
    path = tmp_path / "people.csv"
    ragged = delimiter.join(["p9999", "Ann", "Lee"]) + "\n" + delimiter.join(["p9998", *"abcdefgh"]) + "\n"
    path.write_text("\ufeff" + people(3000).write_csv(separator=delimiter) + ragged, encoding="utf-8")
    assert_alike(spark, path, key)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_without_ids_the_line_is_the_id(spark, key, tmp_path, kind):
    """Where there is no person_id column, both engines number the rows alike, from one part to the next."""
    table = people(2000).drop("person_id")
    path = tmp_path / f"people.{kind}"
    table.write_csv(path) if kind == "csv" else table.write_parquet(path, row_group_size=300)
    assert_alike(spark, path, key)


def test_typed_columns_read_as_in_one_process(spark, key, tmp_path):
    """Dates, times of day, whole and broken numbers and categories of Parquet become the same text."""
    size = 500
    table = pl.DataFrame(
        {
            "id": range(size),
            "surname": pl.Series([f"Lee{row % 7}" for row in range(size)], dtype=pl.Categorical),
            "dob": [date(1890, 1, 1) + timedelta(days=99 * row) for row in range(size)],
            "nhs number": [9990000018.0 if row % 2 else None for row in range(size)],
            "sex": [row % 3 for row in range(size)],
            "unknown.column": [[row] for row in range(size)],
        }
    )
    table.write_parquet(tmp_path / "typed.parquet", row_group_size=100)
    assert_alike(spark, tmp_path / "typed.parquet", key)
    moments = table.with_columns(pl.col("dob").cast(pl.Datetime("us")))
    moments.write_parquet(tmp_path / "moments.parquet", row_group_size=100)
    assert_alike(spark, tmp_path / "moments.parquet", key)


def test_tokens_made_by_spark_link(spark, key, tmp_path):
    """`tokens link` takes the file for what `tokens make` writes, and nobody else can read it."""
    people(400).write_parquet(tmp_path / "people.parquet")
    _, out = by_spark(spark, tmp_path / "people.parquet", key)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    pairs = tmp_path / "pairs.csv"
    arguments = ["link", str(out), str(out), "--key-file", str(key.path), "--out", str(pairs)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    linked = pl.read_csv(pairs)
    assert linked.height > 100
    assert (linked["left_id"] == linked["right_id"]).all()


def test_neither_a_key_nor_a_person_is_left_by_spark(spark, spark_folder, key, tmp_path, capfd, monkeypatch):
    """Not in Spark's settings, plan, output or files while it runs: shuffles and spills are encrypted."""
    people(3000).write_parquet(tmp_path / "people.parquet", row_group_size=500)
    frames = []
    frame = sources.ParquetSource.frame
    monkeypatch.setattr(
        sources.ParquetSource, "frame", lambda *told: frames.append(frame(*told)) or frames[-1]
    )
    by_spark(spark, tmp_path / "people.parquet", key)
    shared = frames[1].groupBy("person_id").count()
    assert shared.where("count > 1").count() > 0  # leaves its shuffle's files behind, ids within
    printed = capfd.readouterr()
    settings = str(spark.sparkContext.getConf().getAll())
    plans = "".join(each._jdf.queryExecution().toString() for each in frames)
    files = [path for path in spark_folder.rglob("*") if path.is_file()]
    assert any("shuffle" in path.name for path in files)
    kept = b"".join(path.read_bytes() + str(path).encode() for path in files)
    for text in (SECRET.hex(), *(k.hex() for k in table_keys(SECRET, V1, NAME).values()), CANARY, "p2997"):
        raw = [bytes.fromhex(text)] if re.fullmatch("[0-9a-f]{64}", text) else []
        assert text not in printed.out + printed.err + settings + plans
        assert not any(form in kept for form in [text.encode(), *raw])
    folders = [path for path in spark_folder.iterdir() if path.is_dir()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in folders] == [0o700]


def test_spark_shows_nothing_and_listens_on_loopback_alone(spark):
    """No web page, no event log; what its processes send and store is authenticated and encrypted."""
    told = dict(spark.sparkContext.getConf().getAll())
    assert spark.sparkContext.uiWebUrl is None
    assert told["spark.eventLog.enabled"] == "false"
    assert told["spark.authenticate"] == told["spark.io.encryption.enabled"] == "true"
    assert told["spark.driver.host"] == told["spark.driver.bindAddress"] == "127.0.0.1"


def test_a_worker_says_why_it_can_not_go_on(spark, key, tmp_path):
    """An error of ours in a task arrives as itself: the key file is judged where it is read."""
    people(50).write_parquet(tmp_path / "people.parquet")
    key.path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        by_spark(spark, tmp_path / "people.parquet", key)
    assert not list(tmp_path.glob("*.tokens.parquet"))
    assert not list(tmp_path.glob(".tokens-*"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"forename,surname,dob\n", "not one row"),
        (b"colour,size\nred,4\n", "no known column"),
        ("forename,surname\nZo\u00eb,Lee\n".encode("cp1252"), "not UTF-8"),
        (b'forename,surname\nAnn,"Lee\n', "double quotes"),
        (b"person_id,surname\n,Lee\n", "not one row that can be used"),
        (b"PK\x03\x04", "workbook"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(spark, key, tmp_path, content, reason):
    """The file as a whole is judged as in one process, and nothing is written."""
    (tmp_path / "people.csv").write_bytes(content)
    with pytest.raises(BadInputError, match=reason):
        by_spark(spark, tmp_path / "people.csv", key)
    assert not list(tmp_path.glob("*.parquet"))
