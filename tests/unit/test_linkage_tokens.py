"""Tokens: what goes in, what comes out, and that keys stay inside."""

from datetime import date

import polars as pl
import pytest

from gateway.domain.errors import BadInputError
from gateway.linkage.normalise import normalise
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

KEYS = token_keys(b"k" * 32, V1)
PERSON = {
    "forename": ["Bill"],
    "surname": ["Smith"],
    "dob": [date(1961, 2, 3)],
    "postcode": ["SW1A 1AA"],
    "nhs_number": ["9990000018"],
    "upn": ["H801200001001"],
    "nino": ["AA123456C"],
    "uprn": ["100012345678"],
}
"""Every identifier that a key of the scheme needs."""


def test_a_full_person_gets_every_token():
    """One column of 16 bytes for each match key, in the scheme's order."""
    tokens = tokenise(pl.DataFrame(PERSON), KEYS)
    assert tuple(tokens.columns) == V1.labels
    assert all(dtype == pl.Binary for dtype in tokens.dtypes)
    assert {len(token) for token in tokens.row(0)} == {16}


def test_tokens_of_one_person_differ_between_keys_and_exchanges():
    """No two match keys share a token, and nothing of one secret appears under another."""
    mine = set(tokenise(pl.DataFrame(PERSON), KEYS).row(0))
    theirs = set(tokenise(pl.DataFrame(PERSON), token_keys(b"l" * 32, V1)).row(0))
    assert len(mine) == len(V1.keys)
    assert not mine & theirs


@pytest.mark.parametrize("column", PERSON)
def test_an_unknown_part_makes_no_token(column):
    """A null in a column nulls exactly the keys that need it."""
    frame = pl.DataFrame(PERSON).with_columns(pl.lit(None).alias(column))
    tokens = tokenise(frame, KEYS).row(0, named=True)
    parts = normalise(frame).row(0, named=True)
    unknown = {part for part, value in parts.items() if value is None}
    assert {label for label, token in tokens.items() if token is None} == {
        key.label for key in V1.keys if unknown & set(key.parts)
    }
    assert any(unknown & set(key.parts) for key in V1.keys)


@pytest.mark.parametrize("column", PERSON)
def test_an_identifier_that_is_not_allowed_feeds_no_key(column):
    """Leaving a column out of `identifiers` is the same as not having it."""
    frame = pl.DataFrame(PERSON)
    allowed = set(PERSON) - {column}
    assert tokenise(frame, KEYS, V1, allowed).equals(tokenise(frame.drop(column), KEYS))


def test_no_identifier_allowed_makes_no_token():
    """An empty set of identifiers allows none, not all."""
    assert set(tokenise(pl.DataFrame(PERSON), KEYS, V1, ()).row(0)) == {None}


def test_an_unknown_identifier_is_refused():
    """A misspelt identifier is an error, not a silent loss of tokens."""
    with pytest.raises(BadInputError, match="identifiers"):
        tokenise(pl.DataFrame(PERSON), KEYS, V1, {"nhs"})


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {label: KEYS[label] for label in V1.labels[1:]},
        KEYS | {"more": b"k" * 32},
        KEYS | {V1.labels[0]: b"k" * 31},
    ],
)
def test_keys_that_are_not_the_schemes_are_refused(keys):
    """One key of 32 bytes for each label, no more and no fewer; the error shows none of them."""
    with pytest.raises(BadInputError, match="token keys") as caught:
        tokenise(pl.DataFrame(PERSON), keys)
    assert not any(key.hex() in str(caught.value) for key in keys.values())


def test_no_two_splits_of_the_same_letters_share_a_token():
    """The parts of a message can't run into each other."""
    people = pl.DataFrame(
        {"forename": ["Anna", "Annab"], "surname": ["Bell", "ell"], "postcode": ["M1 1AE"] * 2}
    )
    parts = normalise(people)
    tokens = tokenise(people, KEYS)
    for key in V1.keys:
        joined = parts.select(pl.concat_str(key.parts)).to_series()
        apart = parts.select(pl.struct(key.parts)).to_series()
        if joined.null_count() == 0 and apart.n_unique() == len(people):
            assert tokens[key.label].n_unique() == len(people)


def test_rows_keep_their_order():
    """Row i of the tokens belongs to row i of the people, duplicates and unknowns among them."""
    people = pl.concat([pl.DataFrame(PERSON)] * 3).with_columns(surname=pl.Series(["Smith", None, "Smith"]))
    tokens = tokenise(people, KEYS)
    surname = next(key.label for key in V1.keys if "s" in key.parts)
    assert tokens[surname][0] == tokens[surname][2]
    assert tokens[surname][1] is None
    assert tokenise(people[1:], KEYS).equals(tokens[1:])


def test_a_failing_frame_does_not_show_keys():
    """An error from inside Polars names no key and no value."""
    people = pl.DataFrame({"forename": [object()]})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever Polars raises
        tokenise(people, KEYS)
    assert not any(key.hex() in f"{caught.value!r}{caught.value}" for key in KEYS.values())


def test_people_of_whom_nothing_may_be_used_keep_their_rows():
    """Three people without a usable column are three rows of nulls: slots must not shift."""
    assert tokenise(pl.DataFrame({"person_id": ["a", "b", "c"]}), KEYS).height == 3
    assert tokenise(pl.DataFrame({"surname": ["Lee"] * 3}), KEYS, V1, ()).height == 3
    assert tokenise(pl.DataFrame(PERSON).clear(), KEYS, V1, ()).height == 0
