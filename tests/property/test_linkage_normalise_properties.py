"""Normalisation and tokens hold for any text, not for the examples alone."""

import hmac
import unicodedata
from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gateway.linkage.names import NICKNAMES
from gateway.linkage.normalise import SEPARATOR, normalise
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

KEYS = token_keys(bytes(32), V1)
COLUMNS = {
    "forename": pl.String,
    "surname": pl.String,
    "dob": pl.Date,
    "postcode": pl.String,
    "nhs_number": pl.String,
    "upn": pl.String,
    "nino": pl.String,
    "uprn": pl.String,
}
# polars may know later letters than Python does
texts = st.none() | st.text(st.characters(exclude_categories=["Cn", "Cs"]), max_size=30)
names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=12)
people = st.lists(
    st.tuples(
        texts | names,
        texts | names,
        st.none() | st.dates(date(1900, 1, 1), date(2030, 1, 1)),
        texts | st.sampled_from(["M1 1AE", "sw1a1aa", "4223"]),
        texts | st.sampled_from(["9990000018", "999 000 0018", "999000001"]),
        texts | st.sampled_from(["H801200001001", "h801200001001", "H80120000100"]),
        texts | st.sampled_from(["AA123456C", "aa123456c", "AA 123456 C"]),
        texts | st.sampled_from(["100012345678", "10001 234567", "10", "0"]),
    ),
    max_size=12,
)


def frame(rows):
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


@given(people)
def test_every_part_is_letters_and_digits(rows):
    """Whatever was typed, a part is null or not empty, and holds no separator but the one inside a pair."""
    for person in normalise(frame(rows)).iter_rows(named=True):
        for part, text in person.items():
            if text is not None:
                inside = text.split(SEPARATOR)
                assert len(inside) == (2 if part in ("gs", "gs3") else 1)
                assert all(word and word.isalnum() for word in inside)


@given(people)
def test_a_row_does_not_depend_on_its_neighbours(rows):
    """Each person alone gives the parts that they give among others."""
    together = normalise(frame(rows)).to_dicts()
    assert together == [normalise(frame([row])).to_dicts()[0] for row in rows]


SELVES = {"surname": "s", "postcode": "pc", "nhs_number": "nhs", "upn": "upn", "nino": "nino", "uprn": "uprn"}
"""Column -> the part that is its normal form."""


@given(people)
def test_normalising_twice_changes_nothing(rows):
    """A normalised name, postcode or number is its own normal form."""
    once = normalise(frame(rows)).select(SELVES.values())
    again = normalise(once.rename({part: column for column, part in SELVES.items()}))
    assert again.select(SELVES.values()).equals(once)


@given(st.text("abcdefghijklmnopqrstuvwxyzéèöüçñåžÉÖ' -", max_size=15))
def test_how_a_name_is_typed_does_not_matter(name):
    """Case, composed or decomposed accents and space around a name change no part."""
    variants = [name, name.upper(), f"  {name} ", unicodedata.normalize("NFD", name)]
    parts = normalise(pl.DataFrame({"forename": variants, "surname": variants}))
    assert parts.n_unique() == 1


@given(st.sampled_from(sorted(set(NICKNAMES))), st.sampled_from(sorted(set(NICKNAMES.values()))))
def test_swapped_names_share_the_order_free_pair(forename, surname):
    """Forename and surname swapped on one side still give the same pairs."""
    parts = normalise(pl.DataFrame({"forename": [forename, surname], "surname": [surname, forename]}))
    assert parts["gs"].n_unique() == parts["gs3"].n_unique() == 1


@given(people)
def test_tokens_are_the_hmac_of_the_parts(rows):
    """Each token is what the standard library makes of the parts; null exactly where a part is null."""
    tokens = tokenise(frame(rows), KEYS)
    for person, found in zip(normalise(frame(rows)).to_dicts(), tokens.to_dicts(), strict=True):
        for key in V1.keys:
            values = [person[part] for part in key.parts]
            message = None if None in values else SEPARATOR.join(values).encode()
            secret = KEYS[key.label].hex().encode()
            assert found[key.label] == (message and hmac.digest(secret, message, "sha256")[:16])


@given(people, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_tokens_of_two_exchanges_are_never_equal(rows, secret, other):
    """Whoever is in both, two secrets have no token in common."""
    mine, theirs = (
        {
            token
            for column in tokenise(frame(rows), token_keys(one, V1))
            for token in column.drop_nulls().to_list()
        }
        for one in (secret, other)
    )
    assert secret == other or not mine & theirs


@given(people)
def test_a_token_is_equal_exactly_when_what_its_recipe_names_is(rows):
    """Two people share a key's token when all of its parts are there and the same, and only then."""
    parts, tokens = normalise(frame(rows)), tokenise(frame(rows), KEYS)
    for key in V1.keys:
        values = [None if None in row else row for row in parts.select(key.parts).iter_rows()]
        made = tokens[key.label].to_list()
        for one in range(len(rows)):
            for other in range(one):
                same = values[one] is not None and values[one] == values[other]
                assert (made[one] is not None and made[one] == made[other]) == same
