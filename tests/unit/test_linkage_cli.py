"""`flagstone tokens`: files in, files out."""

import csv
import stat

import polars as pl
import pytest
from typer.testing import CliRunner

from gateway.cli.tokens import app, read_key
from gateway.domain.errors import BadInputError, ConfigurationError, FlagstoneError, VerificationError
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import NAME, tokenise

LEFT = """person_id,forename,surname,dob,postcode,nhs_number
a1,William,Smith,1961-02-03,SW1A 1AA,
a2,Zoë,O'Brien,2004-02-29,M1 1AE,9990000018
a3,Nobody,Here,1977-07-07,M1 1AF,
"""
RIGHT = """id,first name,surname,dob,postcode,nhs_number
b1,Jane,Doe,1950-05-05,4223,
b2,Bill,Smith,1961-02-03,sw1a1aa,1234567890
b3,Zoe,OBRIEN,2004-02-29,M1 1AE,9990000018
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "left.csv").write_text(LEFT, encoding="utf-8")
    (tmp_path / "right.csv").write_text(
        RIGHT.replace("id,first name", "person_id,forename", 1), encoding="utf-8"
    )
    for name, key in (("key", "ab" * 32), ("other-key", "cd" * 32)):
        (tmp_path / name).write_text(key + "\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, FlagstoneError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def make(folder, name, key="key"):
    run("make", folder / f"{name}.csv", "--key-file", folder / key, "--out", folder / f"{name}.parquet")


def link(folder, left, right, key="key", out="pairs.csv"):
    files = folder / left, folder / right
    result = run("link", *files, "--key-file", folder / key, "--out", folder / out, "--overlap", "0.5")
    with (folder / out).open(encoding="utf-8") as file:
        return list(csv.reader(file)), result


def test_linking_two_person_files_writes_the_accepted_pairs(folder):
    """A nickname, an accent and an apostrophe are no hindrance; people of one side alone stay out."""
    rows, result = link(folder, "left.csv", "right.csv")
    assert rows[0] == ["left_id", "right_id", "score"]
    assert [row[:2] for row in rows[1:]] == [["a1", "b2"], ["a2", "b3"]]
    assert all(float(row[2]) > 6 for row in rows[1:])
    # a bad cell is said by column and reason, not by value, and its row still links
    assert "nhs_number" in result.stderr
    assert "1234567890" not in result.output + result.stderr


def test_token_files_link_like_the_person_files_they_were_made_of(folder):
    """Either side, or both, may be a token file: the pairs are the same."""
    plain, _ = link(folder, "left.csv", "right.csv")
    make(folder, "left")
    make(folder, "right")
    assert link(folder, "left.parquet", "right.parquet")[0] == plain
    assert link(folder, "left.csv", "right.parquet")[0] == plain


def test_a_token_file_holds_ids_and_tokens_and_nothing_else(folder):
    """`make` writes the person_id and the scheme's columns under the key's own token keys."""
    make(folder, "left")
    made = pl.read_parquet(folder / "left.parquet")
    assert made.columns == ["person_id", *V1.labels, NAME]
    assert made["person_id"].to_list() == ["a1", "a2", "a3"]
    people = pl.read_csv(folder / "left.csv", infer_schema=False).with_columns(pl.col("dob").str.to_date())
    expected = tokenise(people, token_keys(bytes.fromhex("ab" * 32), V1))
    assert made.drop("person_id", NAME).equals(expected)


@pytest.mark.parametrize("out", ["left.parquet", "pairs.csv"])
def test_outputs_can_be_read_by_their_owner_only(folder, out):
    """Tokens and pairs are personal data: mode 0600, also where a wider file stood before."""
    (folder / out).write_text("before")
    (folder / out).chmod(0o644)
    make(folder, "left") if out.endswith("parquet") else link(folder, "left.csv", "right.csv")
    assert stat.S_IMODE((folder / out).stat().st_mode) == 0o600


def test_token_files_of_two_keys_do_not_link_silently(folder):
    """A token file made under another key is an error, not an empty result."""
    make(folder, "left")
    make(folder, "right", key="other-key")
    with pytest.raises(VerificationError, match="another key"):
        link(folder, "left.parquet", "right.parquet")
    with pytest.raises(VerificationError, match="another key"):
        link(folder, "left.parquet", "right.csv", key="other-key")


def test_a_token_file_with_other_bytes_is_refused(folder):
    """Token columns must hold tokens of 16 bytes."""
    make(folder, "left")
    path = folder / "left.parquet"
    metadata = {k: v for k, v in pl.read_parquet_metadata(path).items() if k.startswith("flagstone")}
    made = pl.read_parquet(path).with_columns(pl.lit(b"short").alias(V1.labels[0]))
    made.write_parquet(path, metadata=metadata)
    with pytest.raises(BadInputError, match="do not hold tokens"):
        link(folder, "left.parquet", "right.csv")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_file_that_others_may_read_is_refused(folder, mode):
    """A key that others may read is no key."""
    (folder / "key").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_key(folder / "key")


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "a b" * 21 + "c", "é" * 32])
def test_a_key_file_that_is_no_key_is_refused(folder, text):
    """Anything but 64 hexadecimal digits is an error that does not show what was there."""
    (folder / "key").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="64 hexadecimal digits") as caught:
        read_key(folder / "key")
    assert not text or text not in str(caught.value)


def test_a_key_file_is_read_as_hexadecimal(folder):
    """The key is the 32 bytes that the digits say, whatever their case, with or without a line's end."""
    (folder / "key").write_text("AB" * 32)
    assert read_key(folder / "key") == b"\xab" * 32


@pytest.mark.parametrize("overlap", ["0", "1.5", "-1"])
def test_an_overlap_out_of_range_is_refused(folder, overlap):
    """No overlap outside (0, 1] reaches the threshold."""
    files = folder / "left.csv", folder / "right.csv"
    with pytest.raises(BadInputError, match="overlap"):
        run("link", *files, "--key-file", folder / "key", "--out", folder / "p.csv", "--overlap", overlap)
    assert not (folder / "p.csv").exists()
