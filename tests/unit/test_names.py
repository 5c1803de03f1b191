"""Names of every origin met in England: spellings of one name give equal parts, other names do not."""

import polars as pl
import pytest

from gateway.linkage.names import NICKNAMES, SURNAMES, forename_parts, surname_parts
from gateway.linkage.scheme import V1


def forename(typed):
    rows = pl.DataFrame({"forename": [typed]}, schema={"forename": pl.String})
    return forename_parts(rows, V1.placeholders).row(0, named=True)


def surname(typed):
    rows = pl.DataFrame({"surname": [typed]}, schema={"surname": pl.String})
    return surname_parts(rows, V1.placeholders).row(0, named=True)


@pytest.mark.parametrize(
    ("typed", "gk", "g1", "g3"),
    [
        ("William", "WILLIAM", "W", "WIL"),
        ("  bill ", "WILLIAM", "B", "BIL"),
        ("Zoë", "ZOE", "Z", "ZOE"),
        ("Zoe\u0308", "ZOE", "Z", "ZOE"),
        ("Anne-Marie", "ANNE", "A", "ANN"),
        ("Anne\u2011Marie", "ANNE", "A", "ANN"),  # a hyphen that does not break
        ("Mary Jane", "MARY", "M", "MAR"),
        ("D'Arcy", "DARCY", "D", "DAR"),
        ("D\u2019Arcy", "DARCY", "D", "DAR"),
        ("Łukasz", "LUCAS", "L", "LUK"),
        ("Владимир", "ВЛАДИМИР", "В", "ВЛА"),  # noqa: RUF001
        ("J", None, "J", None),
        ("J.P.", None, "J", None),
        ("Jo", "JOANNE", "J", "JO"),
        ("JosÃ©", "JOSEPH", "J", "JOS"),
        ("Si0bhan", "SIOBHAN", "S", "SIO"),
        ("Mr. John", "JOHN", "J", "JOH"),
        ("Mohammed Imran", "IMRAN", "M", "MOH"),
        ("Md. Rahim", "RAHIM", "M", "MD"),
        ("Mohammed J", "MOHAMMED", "M", "MOH"),
        ("Mohammed Unknown", "MOHAMMED", "M", "MOH"),
        ("Abd al-Rahman", "ABDULRAHMAN", "A", "ABD"),
        ("Oluwaseun", "SEUN", "O", "OLU"),
        ("Xiao Ming", "XIAOMING", "X", "XIA"),
        ("Jenny Xiao Ming", "JENNIFER", "J", "JEN"),
    ],
)
def test_forename_parts(typed, gk, g1, g3):
    """The forename in use becomes canonical, the first word stays as written; an initial is no name."""
    found = forename(typed)
    assert (found["gk"], found["g1"], found["g3"]) == (gk, g1, g3)


@pytest.mark.parametrize(
    ("typed", "whole", "last"),
    [
        ("O'Brien", "OBRIEN", "OBRIEN"),
        ("0'Brien", "OBRIEN", "OBRIEN"),
        ("o brien", "OBRIEN", "OBRIEN"),
        ("Smith-Jones", "SMITHJONES", "JONES"),
        ("García López", "GARCIALOPEZ", "LOPEZ"),
        ("Mac Donald", "MCDONALD", "MCDONALD"),
        ("Mace", "MACE", "MACE"),
        ("Van der Berg", "VANDERBERG", "VANDERBERG"),
        ("De La Cruz", "DELACRUZ", "CRUZ"),
        ("El-Hassan", "ALHASSAN", "HASSAN"),
        ("Wiśniewska-Nowak", "WISNIEWSKANOWAK", "NOWAK"),
        ("Smith née Jones", "SMITH", "SMITH"),
        ("Clarke", "CLARK", "CLARK"),
        ("Phillips", "PHILIPS", "PHILIPS"),
        ("Dunne", "DUN", "DUN"),
        ("Smith-Unknown", "SMITHUNKNOWN", "SMITHUNKNOWN"),
        ("Unknownn", None, None),
        ("Smith (Jones)", "SMITH", "SMITH"),
        ("Nee", "NEE", "NEE"),
        ("Kaur Gill", "GIL", "GIL"),
        ("Saint John", "STJOHN", "STJOHN"),
        ("Smith Jnr.", "SMITH", "SMITH"),
        ("Junior", "JUNIOR", "JUNIOR"),
        ("Straße", "STRAS", "STRAS"),
        ("Nguyễn", "NGUYEN", "NGUYEN"),
        ("王小明", "王小明", "王小明"),
        ("李", None, None),
        ("X", None, None),
        ("ZZZTEST", None, None),
        ("Oo", "OO", "OO"),
        ("Child", "CHILD", "CHILD"),
    ],
)
def test_surname_parts(typed, whole, last):
    """A surname is one word of letters in whatever script, and its last barrel."""
    found = surname(typed)
    assert (found["s"], found["sl"]) == (whole, last)


@pytest.mark.parametrize(
    "typed", ["Baby", "BABY GIRL", "Baby of Mary", "Male", "Twin 1", "Mrs", "FNU", "XXTEST", "-"]
)
def test_what_stands_for_a_forename_is_none(typed):
    """What wards write before a child is named, titles alone and test records make no part."""
    found = forename(typed)
    assert all(part is None for name, part in found.items() if name != "forename")


def test_the_first_letters_and_the_last_are_of_the_same_name():
    """`gk3` and `s3` are the first three letters of `gk` and `s`, `sE` the last."""
    one, other = forename("Bill"), surname("Hussein")
    assert one["gk3"] == "WIL"
    assert (other["s3"], other["sE"], other["sk3"]) == ("HUS", "AIN", "HUS")


def test_canonical_forenames_are_their_own():
    """No canonical forename is a nickname, and each entry leads to its canonical name and stays there."""
    assert not set(NICKNAMES) & set(NICKNAMES.values())
    both = pl.DataFrame([*NICKNAMES.items()], schema=["forename", "canonical"], orient="row")
    found = both.join(forename_parts(both, V1.placeholders), on="forename")
    assert found.filter(pl.col("gk").ne_missing(pl.col("canonical"))).is_empty()
    again = forename_parts(both.select(forename="canonical"), V1.placeholders)
    assert again.filter(pl.col("gk").ne_missing(pl.col("forename"))).is_empty()


def test_canonical_surnames_are_their_own():
    """No canonical surname is a variant, and each table entry leads to its canonical name and stays there."""
    assert not set(SURNAMES) & set(SURNAMES.values())
    both = pl.DataFrame([*SURNAMES.items()], schema=["surname", "canonical"], orient="row")
    found = both.join(surname_parts(both, V1.placeholders), on="surname")
    assert found.filter(pl.col("s").ne_missing(pl.col("canonical"))).is_empty()
    again = surname_parts(both.select(surname="canonical"), V1.placeholders)
    assert again.filter(pl.col("s").ne_missing(pl.col("surname"))).is_empty()


def test_a_name_in_both_tables_leads_to_one():
    """Names in both tables fold alike, so that swapped ones still meet in order-free pairs."""
    for name in set(SURNAMES) & set(NICKNAMES):
        assert forename(name)["gk"] == surname(name)["sk"], name
