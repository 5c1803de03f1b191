"""The published vectors of scheme v1 (tests/vectors/linkage)."""

import hashlib
import hmac
import json
from pathlib import Path

import polars as pl
import pytest

from gateway.linkage.normalise import normalise
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

FILE = Path(__file__).parents[1] / "vectors" / "linkage" / "v1.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
PEOPLE = pl.DataFrame([person["person"] for person in VECTORS["people"]]).with_columns(
    pl.col("dob").str.to_date()
)


def test_the_file_is_the_published_one():
    """The vectors are what they were when v1 was published."""
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert digest == "4fe3beed1968513089b3a5c6f80f0e0024c7a810b06fd44ada26beab9e2c2240"


def test_token_keys():
    """Each match key's own key comes from the secret under its own label."""
    keys = token_keys(bytes.fromhex(VECTORS["secret"]), V1)
    assert {label: key.hex() for label, key in keys.items()} == VECTORS["keys"]


def test_parts():
    """Normalisation makes the published parts of each person."""
    assert normalise(PEOPLE).to_dicts() == [person["parts"] for person in VECTORS["people"]]


def test_tokens():
    """Every byte of every token of every person is the published one."""
    tokens = tokenise(PEOPLE, token_keys(bytes.fromhex(VECTORS["secret"]), V1))
    found = [
        {label: token and token.hex() for label, token in row.items()} for row in tokens.iter_rows(named=True)
    ]
    assert found == [person["tokens"] for person in VECTORS["people"]]


@pytest.mark.parametrize("label", V1.labels)
def test_every_match_key_is_pinned(label):
    """Each match key has a token in the vectors, which HMAC from the standard library makes too."""
    key = VECTORS["keys"][label].encode()
    pinned = [person for person in VECTORS["people"] if person["tokens"][label]]
    assert pinned
    for person in pinned:
        message = "\x1f".join(person["parts"][part] for part in label.split("."))
        assert hmac.digest(key, message.encode(), "sha256")[:16].hex() == person["tokens"][label]
