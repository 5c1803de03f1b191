"""Who is taken for whom on a register of a million: people through every step, no hand-made masks."""

from datetime import date

import polars as pl
import pytest

from gateway.linkage.normalise import normalise
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import beside, tokenise

KEYS = token_keys(bytes(32), V1)
SCHEMA = {
    "forename": pl.String,
    "surname": pl.String,
    "dob": pl.Date,
    "postcode": pl.String,
    "nhs_number": pl.String,
}
BORN = date(1984, 5, 17)
ME = ("Katherine", "Hargreaves", BORN, "LS6 3QP", "9990000018")
TWIN = ("Elizabeth", "Hargreaves", BORN, "LS6 3QP", "9990000026")


def people(*rows):
    return pl.DataFrame([(*row, None)[: len(SCHEMA)] for row in rows], SCHEMA, orient="row")


def linked(mine, theirs, *, size=1_000_000, overlap=0.85, household=None, bearers=None):
    """Slot -> record. `household`: one number for each of `mine`; `bearers`: of each name of `theirs`."""
    slots, records = people(*mine), people(*theirs)
    wanted = tokenise(slots, KEYS)
    if household is not None:
        wanted = wanted.with_columns(household=pl.Series(household, dtype=pl.UInt32))
    held = tokenise(records, KEYS).hstack(beside(normalise(records)))
    pairs = candidates(wanted, held)
    names = None if bearers is None else pl.concat([held["name"]] * bearers)
    found = resolve(pairs, register_size=size, overlap=overlap, names=names)
    return dict(found.select("slot", "record").iter_rows())


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param(ME[:4], ME[:4], id="the same"),
        pytest.param(ME[:4], ("Katherine", "Hargreaves", BORN, "NE1 4ST"), id="moved"),
        pytest.param(ME[:4], ("Kate", "Hargreaves", BORN, "NE1 4ST"), id="nickname, moved"),
        pytest.param(ME[:4], ("Kathrine", "Hargeaves", BORN, "LS6 3QP"), id="typing errors in both names"),
        pytest.param(ME[:4], ("Hargreaves", "Katherine", BORN, "LS6 3QP"), id="names swapped"),
        pytest.param(ME[:4], ("Katherine", "Okafor", BORN, "LS6 3QP"), id="married"),
        pytest.param(ME[:4], ("Katherine", "Okafor-Hargreaves", BORN, "NE1 4ST"), id="both names, moved"),
        pytest.param(ME[:4], ("K", "Hargreaves", BORN, "LS6 3QP"), id="an initial"),
        pytest.param(ME[:4], ("Katherine", "Hargreaves", BORN, None), id="no postcode"),
        pytest.param(ME[:4], ("Katherine", "Hargreaves", BORN, "LS6 3PQ"), id="postcode mistyped"),
        pytest.param(ME[:4], ("Katherine", "Hargreaves", date(1984, 1, 1), "LS6 3QP"), id="only the year"),
        pytest.param(ME[:4], ("Katherine", "Hargreaves", date(1984, 5, 11), "LS6 3QP"), id="another day"),
        pytest.param(
            ("Katherine", "Hargreaves", date(1984, 5, 7), "LS6 3QP"),
            ("Katherine", "Hargreaves", date(1984, 7, 5), "LS6 3QP"),
            id="day and month swapped",
        ),
        pytest.param(ME, ("Katherine", "Okafor", BORN, "NE1 4ST", ME[4]), id="married, moved, same number"),
    ],
)
def test_the_same_person_is_found(mine, theirs):
    """What happens to one person's record between two organisations does not hide them."""
    assert linked([mine], [theirs]) == {0: 0}


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(("Susan", "Patel", date(1971, 2, 8), "LS6 3QP"), id="a neighbour"),
        pytest.param(("Kenneth", "Hargreaves", date(1986, 9, 30), "LS6 3QP"), id="a brother"),
        pytest.param(("Katherine", "Hargreaves", date(1959, 11, 2), "LS6 3QP"), id="a mother of her name"),
        pytest.param(("Mohammed", "Iqbal", BORN, "LS6 3QP"), id="a birthday in the street"),
        pytest.param(("Katherine", "Jones", BORN, "NE1 4ST"), id="forename and birthday"),
        pytest.param(("Elizabeth", "Hargreaves", BORN, "NE1 4ST"), id="surname and birthday"),
        pytest.param(("Katherine", "Hargreaves", date(1991, 3, 4), "NE1 4ST"), id="a namesake"),
    ],
)
def test_somebody_else_is_refused(theirs):
    """Family, neighbours and people of one name or one birthday are not taken for a person."""
    assert linked([ME[:4]], [theirs]) == {}


def test_a_twin_is_not_taken_where_the_person_is_there():
    """Of twins on the register the person is found, wherever they stand and whatever number is missing."""
    assert linked([ME[:4]], [TWIN[:4], ME[:4]]) == {0: 1}
    assert linked([ME[:4], TWIN[:4]], [TWIN[:4]]) == {1: 0}
    assert linked([ME[:4], TWIN[:4]], [TWIN[:4], ME[:4]]) == {0: 1, 1: 0}


def test_a_twin_is_refused_where_few_are_expected_and_by_another_number():
    """Where most of a list are not on a register, a twin's record is not taken, with or without numbers."""
    assert linked([ME[:4]], [TWIN[:4]], overlap=0.05) == {}
    assert linked([ME], [TWIN], overlap=0.05) == {}


def test_a_common_name_and_a_birthday_are_a_stranger():
    """Names and birthday elsewhere: a mover where the name is rare, anybody where hundreds have it."""
    mine, theirs = ("David", "Smith", BORN, "LS6 3QP"), ("David", "Smith", BORN, "NE1 4ST")
    assert linked([mine], [theirs], bearers=1) == {0: 0}
    assert linked([mine], [theirs], bearers=1000) == {}


def test_a_person_found_among_few_is_not_found_among_all():
    """The same pair is taken on a small register and refused on one of sixty million."""
    theirs = ("Katherine", "Hargreaves", BORN, "NE1 4ST")
    assert linked([ME[:4]], [theirs], size=1000) == {0: 0}
    assert linked([ME[:4]], [theirs], size=60_000_000, overlap=0.01) == {}


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_of_a_few_is_linked_by_the_scheme_s_own_weights(count):
    """One or three slots show nothing of a register: who is there is found, who is not is not made up."""
    surnames = ["Hargreaves", "Okonkwo", "Llewellyn"][:count]
    mine = [("Katherine", surname, BORN, "LS6 3QP") for surname in surnames]
    moved = [("Katherine", surname, BORN, "NE1 4ST") for surname in surnames]
    others = [("Susan", surname, date(1951, 2, 8), "LS6 3QP") for surname in surnames]
    assert linked(mine, moved + others) == {slot: slot for slot in range(count)}
    assert linked(mine, others) == {}


WITH = ("Ada", "Hargreaves", date(2015, 9, 3), "LS6 3QP")
"""Another of the slot's household, and where the register has her."""
CHANGED = ("Katherine", "Okafor", BORN, "M14 5TQ")
"""Married and moved."""


def test_a_household_found_at_an_address_lifts_who_else_is_there():
    """Another name and address are too little, but enough where another of the household stands there."""
    child = (*WITH[:3], "M14 5TQ")
    assert linked([ME[:4], WITH], [CHANGED, child], household=[1, 2]) == {1: 1}
    assert linked([ME[:4], WITH], [CHANGED, child], household=[1, 1]) == {0: 0, 1: 1}


def test_a_stranger_at_the_household_s_new_address_is_not_lifted():
    """The rest of a household's address are not taken for its members."""
    child = (*WITH[:3], "M14 5TQ")
    neighbour = ("Katherine", "Okafor", date(1979, 10, 2), "M14 5TQ")
    assert linked([ME[:4], WITH], [neighbour, child], household=[1, 1]) == {1: 1}


@pytest.mark.parametrize("unknown", ["household", "place"])
def test_what_is_not_known_of_a_household_changes_nothing(unknown):
    """A slot without a household and a record without an address are judged by their keys alone."""
    child = (*WITH[:3], "M14 5TQ")
    changed = (*CHANGED[:3], None) if unknown == "place" else CHANGED
    household = [None, None] if unknown == "household" else [1, 1]
    assert linked([ME[:4], WITH], [changed, child], household=household) == {1: 1}
