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
    ("typed", "whole", "first", "last"),
    [
        ("O'Brien", "OBRIEN", "OBRIEN", "OBRIEN"),
        ("0'Brien", "OBRIEN", "OBRIEN", "OBRIEN"),
        ("o brien", "OBRIEN", "OBRIEN", "OBRIEN"),
        ("Smith-Jones", "SMITHJONES", "SMITH", "JONES"),
        ("García López", "GARCIALOPEZ", "GARCIA", "LOPEZ"),
        ("Mac Donald", "MCDONALD", "MCDONALD", "MCDONALD"),
        ("Mace", "MACE", "MACE", "MACE"),
        ("Van der Berg", "VANDERBERG", "VANDERBERG", "VANDERBERG"),
        ("De La Cruz", "DELACRUZ", "CRUZ", "CRUZ"),
        ("El-Hassan", "ALHASSAN", "HASSAN", "HASSAN"),
        ("Wiśniewska-Nowak", "WISNIEWSKANOWAK", "WISNIEWSKI", "NOWAK"),
        ("Smith née Jones", "SMITH", "SMITH", "SMITH"),
        ("Clarke", "CLARK", "CLARK", "CLARK"),
        ("Phillips", "PHILIPS", "PHILIPS", "PHILIPS"),
        ("Dunne", "DUN", "DUN", "DUN"),
        ("Smith-Unknown", "SMITHUNKNOWN", "SMITH", "SMITHUNKNOWN"),
        ("Unknownn", None, None, None),
        ("Smith (Jones)", "SMITH", "SMITH", "SMITH"),
        ("Nee", "NEE", "NEE", "NEE"),
        ("Kaur Gill", "GIL", "GIL", "GIL"),
        ("Saint John", "STJOHN", "STJOHN", "STJOHN"),
        ("Smith Jnr.", "SMITH", "SMITH", "SMITH"),
        ("Junior", "JUNIOR", "JUNIOR", "JUNIOR"),
        ("Straße", "STRAS", "STRAS", "STRAS"),
        ("Nguyễn", "NGUYEN", "NGUYEN", "NGUYEN"),
        ("王小明", "王小明", "王小明", "王小明"),
        ("李", None, None, None),
        ("X", None, None, None),
        ("ZZZTEST", None, None, None),
        ("Oo", "OO", "OO", "OO"),
        ("Child", "CHILD", "CHILD", "CHILD"),
    ],
)
def test_surname_parts(typed, whole, first, last):
    """A surname is one word of letters in whatever script, and its first and last barrel."""
    found = surname(typed)
    assert (found["s"], found["sf"], found["sl"]) == (whole, first, last)


@pytest.mark.parametrize(
    "typed", ["Baby", "BABY GIRL", "Baby of Mary", "Male", "Twin 1", "Mrs", "FNU", "XXTEST", "-"]
)
def test_what_stands_for_a_forename_is_none(typed):
    """What wards write before a child is named, titles alone and test records make no part."""
    found = forename(typed)
    assert all(part is None for name, part in found.items() if name != "forename")


def test_the_first_letters_and_the_last_are_of_the_same_name():
    """`gE` and `sE` are the last three letters of `gk` and `s`, `gk3` and `s3` the first."""
    one, other = forename("Bill"), surname("Hussein")
    assert (one["gk3"], one["gE"]) == ("WIL", "IAM")
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
