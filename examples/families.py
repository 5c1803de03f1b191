"""How the members of a household are called: by family, by custom, by chance."""

from typing import Final

import polars as pl

from examples.draw import Draws
from examples.names import aliases, forenames, like_sounding, of_origin, surnames

_KIN: Final = 0.22  # households with the surname of another of their origin near them
_MARRIED: Final = 0.68
_DOUBLE_BARRELLED: Final = 0.15  # of families whose parents have two surnames
_BLENDED: Final = 0.11  # families whose eldest children have another father
_OWN_SURNAME: Final = 0.45  # lone parents whose children have the other parent's
_FATHER_AND_SON, _MOTHER_AND_DAUGHTER = 0.025, 0.004  # families
_ALIKE: Final = 0.4  # twins named with one letter
_FORMER: Final = 0.06  # people with a surname from a marriage that has ended, or changed otherwise
_SINGH_ALONE: Final = 0.5  # Sikh families without a family surname
_WOMANS_NAME: Final = ((1985, 0.6), (2100, 0.2))  # born before: share of women, of the Muslim custom below
_SON_APART: Final = 0.18  # Muslim men whose surname is not their father's
_FIRST_OF_TWO: Final = (
    "Mohammed",
    "Muhammad",
    "Mohammad",
    "Mohamed",
    "Mohamad",
    "Md",
    "Abdul",
    "Syed",
    "Abu",
    "Shah",
)
_SECOND: Final = 0.8  # of those with such a forename: another, by which they are called
_FEMININE: Final = 0.8  # Polish women who keep -ska
_TWO_SURNAMES: Final = 0.55  # Iberian families
_FATHERS_NAME: Final = 0.6  # Tamil families whose children have their father's forename as surname
_WOMENS: Final = (
    *("Begum",) * 3,
    *("Bibi",) * 2,
    *("Akhtar", "Khatun", "Khanam", "Sultana", "Parveen", "Kausar", "Nessa"),
)


def _by_household(draws: Draws, name: str, people: pl.DataFrame, rate: float) -> pl.Series:
    """One decision a household, given to each of its members."""
    households = people["household"]
    return draws.below(name, households.n_unique(), rate).gather(households)


def _kin(draws: Draws, households: pl.DataFrame) -> pl.DataFrame:
    """Some take the surname of another household of their origin that lives near: brothers, cousins."""
    kin = pl.lit(draws.below("kin", households.height, _KIN))
    ordered = households.with_columns(kin=kin).sort("origin", "sector", maintain_order=True)
    next_one = pl.col("family").shift(1).over("origin")
    related = ordered.with_columns(
        family=pl.when("kin").then(pl.coalesce(next_one, "family")).otherwise("family")
    )
    return related.drop("kin").sort("household")


def _family_names(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Three surnames a household: of the father's family, of the mother's, and one more."""
    one = people.unique("household", keep="first", maintain_order=True)
    one = one.select(
        "household",
        "origin",
        "sector",
        family=surnames(draws, "family", one["origin"]),
        mothers=surnames(draws, "mothers", one["other_origin"]),
        third=surnames(draws, "third", one["origin"]),
    )
    named = _kin(draws, one).drop("origin", "sector")
    return people.join(named, on="household", how="left", maintain_order="left")


def _surnamed(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Surnames as they are passed on in most of England; `old_surname` where a woman gave one up."""

    def decided(name: str, rate: float) -> pl.Expr:
        return pl.lit(_by_household(draws, name, people, rate))

    takes = pl.lit(draws.below("takes", people.height, of_origin(people["origin"], "takes_name")))
    married = decided("married", _MARRIED) & (pl.col("adults") > 1)
    lone = (pl.col("adults") == 1) & (pl.col("offspring") > 0)
    mother = (pl.col("place") == 0) & (pl.col("adults") > 1)
    keeps = (mother & ~(married & takes)) | (lone & (pl.col("place") == 0) & decided("own", _OWN_SURNAME))
    people = people.with_columns(keeps=keeps)
    hers = pl.col("keeps").any().over("household") & (pl.col("adults") > 1)
    simple = ~pl.col("family").str.contains("[- ]") & ~pl.col("mothers").str.contains("[- ]")
    double = pl.col("is_child") & hers & simple & decided("double", _DOUBLE_BARRELLED)
    blended = pl.col("is_child") & (pl.col("child") * 2 < pl.col("offspring")) & decided("blended", _BLENDED)
    step = blended & (pl.col("adults") > 1) & (pl.col("offspring") > 1)
    former = pl.lit(draws.below("former", people.height, _FORMER)) & ~pl.col("is_child")
    gave_up = (mother & married & takes) | (pl.col("is_elder") & (pl.col("sex") == "F"))
    return people.with_columns(
        surname=pl.when("keeps")
        .then("mothers")
        .when(step)
        .then("third")
        .when(double)
        .then(pl.col("mothers") + "-" + pl.col("family"))
        .otherwise("family"),
        old_surname=pl.when(gave_up & ~pl.col("is_elder"))
        .then("mothers")
        .when(former | gave_up)
        .then("third"),
    )


def _sharers(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Students and other sharers are of no family."""
    at = people["is_sharer"].arg_true()
    own = surnames(draws, "sharers", people["origin"].gather(at))
    return people.with_columns(people["surname"].scatter(at, own))


def _customs(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    custom = pl.Series("custom", of_origin(people["origin"], "custom"))
    people = people.with_columns(custom)
    for follow in (_muslim, _sikh, _patronymic, _slavic, _iberian):
        people = follow(draws, people)
    # of those with one name alone it is the forename and the surname, until a source writes them down
    single = pl.lit(draws.below("one-name", people.height, of_origin(people["origin"], "one_name")))
    return people.with_columns(surname=pl.when(single).then("forename").otherwise("surname"))


def _is(custom: str) -> pl.Expr:
    return (pl.col("custom") == custom) & ~pl.col("is_sharer")


def _muslim(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Women with a woman's name for a surname; men with a personal name that is not their father's."""
    size = people.height
    (old, often), (_, seldom) = _WOMANS_NAME
    rate = pl.select(
        pl.when(people["dob"].dt.year() < old).then(pl.lit(often)).otherwise(pl.lit(seldom))
    ).to_series()
    woman = (pl.col("sex") == "F") & pl.lit(draws.below("womans-name", size, rate))
    at = people.select(_is("muslim") & (pl.col("sex") == "M") & pl.col("is_child")).to_series()
    apart = (at & _by_household(draws, "sons-apart", people, _SON_APART)).arg_true()
    own = surnames(draws, "own", people["origin"].gather(apart))
    people = people.with_columns(people["surname"].scatter(apart, own))
    womens = pl.lit(draws.one_of("womens", size, _WOMENS))
    differs = pl.col("surname") != pl.col("family")
    people = people.with_columns(surname=pl.when(_is("muslim") & woman).then(womens).otherwise("surname"))
    return people.with_columns(
        old_surname=pl.when(_is("muslim") & (woman | differs)).then("family").otherwise("old_surname")
    )


def _sikh(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Singh and Kaur: as the surname, or before a family's."""
    alone = pl.lit(_by_household(draws, "singh", people, _SINGH_ALONE))
    given = pl.when(pl.col("sex") == "F").then(pl.lit("Kaur")).otherwise(pl.lit("Singh"))
    return people.with_columns(
        surname=pl.when(_is("sikh") & alone).then(given).otherwise("surname"),
        old_surname=pl.when(_is("sikh") & alone).then("family").otherwise("old_surname"),
        middle=pl.when(_is("sikh") & ~alone).then(given).otherwise("middle"),
    )


def _patronymic(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Tamil children with their father's forename; Somali children with their grandfather's name."""
    father = pl.col("forename").filter((pl.col("place") == 1) & ~pl.col("is_child")).first().over("household")
    his = pl.lit(_by_household(draws, "fathers-name", people, _FATHERS_NAME))
    tamil = (pl.col("origin") == "tamil") & his & _is("patronymic") & pl.col("is_child")
    somali = (pl.col("origin") == "somali") & pl.col("is_child")
    return people.with_columns(
        surname=pl.when(tamil)
        .then(pl.coalesce(father, "surname"))
        .when(somali)
        .then("third")
        .otherwise("surname")
    )


def _slavic(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Kowalski's wife and daughter are Kowalska, unless an English office wrote otherwise."""
    keeps = pl.lit(_by_household(draws, "feminine", people, _FEMININE)) & (pl.col("sex") == "F")
    hers = pl.col("surname").str.replace("([sc]k)i$", "${1}a").str.replace("dzki$", "dzka")
    return people.with_columns(surname=pl.when(_is("slavic") & keeps).then(hers).otherwise("surname"))


def _iberian(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """The father's surname and the mother's; of parents, their own parents'."""
    both = _is("iberian") & pl.lit(_by_household(draws, "two-surnames", people, _TWO_SURNAMES))
    second = pl.when("is_child").then("mothers").otherwise("third")
    single = ~pl.col("surname").str.contains("[- ]")
    return people.with_columns(
        surname=pl.when(both & single).then(pl.col("surname") + " " + second).otherwise("surname")
    )


def _forenamed(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """No two children of a household have one name, unless the tables are too short for it."""
    people = people.with_columns(forenames(draws, "forename", people))
    alike = like_sounding(draws, people, people["forename"].shift(1))
    twin = (pl.col("twin_at") > 0) & (pl.col("child") == pl.col("twin_at"))
    rhymes = twin & pl.lit(draws.below("alike", people.height, _ALIKE)) & pl.lit(alike).is_not_null()
    people = people.with_columns(forename=pl.when(rhymes).then(pl.lit(alike)).otherwise("forename"))
    for again in ("second", "third"):
        same = people.select(pl.struct("household", "forename").is_duplicated() & pl.col("is_child"))
        at = same.to_series().arg_true()
        other = forenames(draws, again, people[at])
        people = people.with_columns(people["forename"].scatter(at, other))
    return people


def _juniors(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Some eldest children bear the forename of the parent of their sex."""
    eldest = (pl.col("child") == 0) & (pl.col("twin_at") != 1)
    parent = ~pl.col("is_child") & ~pl.col("is_elder") & (pl.col("offspring") > 0)
    for sex, rate in (("M", _FATHER_AND_SON), ("F", _MOTHER_AND_DAUGHTER)):
        theirs = pl.col("forename").filter(parent & (pl.col("sex") == sex)).first().over("household")
        junior = (
            eldest & (pl.col("sex") == sex) & pl.lit(_by_household(draws, f"junior-{sex}", people, rate * 2))
        )
        people = people.with_columns(
            forename=pl.when(junior).then(pl.coalesce(theirs, "forename")).otherwise("forename")
        )
    return people


def _with_middle(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    first = people["forename"].is_in(_FIRST_OF_TWO) & (people["origin"] != "british")
    rate = pl.when(first).then(pl.lit(_SECOND)).otherwise(of_origin(people["origin"], "middle"))
    has = draws.below("has-middle", people.height, pl.select(rate).to_series())
    drawn = pl.lit(forenames(draws, "middle", people))
    other = drawn != pl.col("forename")
    return people.with_columns(middle=pl.when(pl.lit(has) & other).then(drawn))


def named(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    """Adds `forename`, `middle`, `known_as`, `surname`, `old_surname`."""
    # who shares a house, or marries into one, may be of another origin
    others = pl.col("is_sharer") | ((pl.col("place") == 0) & (pl.col("adults") > 1))
    draws = draws.under("names")
    people = _family_names(draws, people)
    people = people.with_columns(origin=pl.when(others).then("other_origin").otherwise("origin"))
    people = _with_middle(draws, _juniors(draws, _forenamed(draws, people)))
    people = _customs(draws, _sharers(draws, _surnamed(draws, people)))
    old = pl.when(pl.col("old_surname") != pl.col("surname")).then("old_surname")
    second = pl.when(pl.col("forename").is_in(_FIRST_OF_TWO) & (pl.col("origin") != "british")).then("middle")
    return people.with_columns(known_as=pl.coalesce(second, pl.lit(aliases(draws, people))), old_surname=old)
