"""The people of the linkage study: plausible, deterministic, exact in overlap, in error on both sides."""

import hashlib
from datetime import date
from time import process_time

import polars as pl
import pytest

from examples import slips
from examples.draw import Draws
from examples.names import table
from examples.places import Area
from examples.population import EVERYBODY, REFERENCE, population
from examples.study import PERSON_COLUMNS, study
from gateway.domain.errors import BadInputError

OVERLAPS = (0.85, 0.2, 0.05)
SIZE, LISTED = 40_000, 3_000


@pytest.fixture(scope="module")
def everybody():
    return population(Draws("people"), 40_000, EVERYBODY, 40_000)


@pytest.fixture(scope="module", params=["typical", "hard"])
def made(request):
    return request.param, study(3, LISTED, SIZE, OVERLAPS, request.param)


def _collision(names):
    share = names.value_counts()["count"] / len(names)
    return (share**2).sum()


def _pairs(made, overlap=0.85):
    one = made.lists[overlap]
    return one.truth.select("person_id", "record_id").join(one.people, on="person_id").join(
        made.register, left_on="record_id", right_on="person_id", suffix="_there"
    )  # fmt: skip


def _differ(pairs, column):
    one, other = (pl.col(name).cast(pl.String).str.to_lowercase() for name in (column, f"{column}_there"))
    return pairs.select((one != other).mean()).item()


def test_two_strangers_share_a_surname_as_seldom_as_in_england(everybody):
    """About 1 in 1,150 pairs, and 1 in 400 a forename (two men: 175, two women: 250); the tail is long."""
    assert 1 / 2_000 < _collision(everybody["surname"]) < 1 / 900
    assert 1 / 500 < _collision(everybody["forename"]) < 1 / 250
    for sex in ("F", "M"):
        assert 1 / 300 < _collision(everybody.filter(pl.col("sex") == sex)["forename"]) < 1 / 120
    counts = everybody["surname"].value_counts(sort=True)
    assert counts.height > 8_000
    assert counts["surname"][0] == "Smith"
    assert counts["count"].head(500).sum() < 0.6 * everybody.height


def test_names_follow_origin_sex_and_time_of_birth(everybody):
    """Khan and Patel, Singh and Kaur, Kowalska, Margaret and Olivia are whose they are."""
    common = everybody.group_by("origin").agg(
        pl.col("surname").value_counts(sort=True).struct.field("surname").first()
    )
    common = dict(common.iter_rows())
    assert common["pakistani"] in {"Khan", "Begum"}
    assert (common["hindu"], common["welsh"]) == ("Patel", "Jones")
    assert common["sikh"] in {"Singh", "Kaur"}
    kaur = everybody.filter(pl.col("surname") == "Kaur")
    assert (kaur["sex"] == "F").all()
    polish = everybody.filter((pl.col("origin") == "polish") & pl.col("surname").str.ends_with("ska"))
    assert polish.height
    assert (polish["sex"] == "F").all()
    margaret, olivia = (
        everybody.filter(pl.col("forename") == name)["age"].median() for name in ("Margaret", "Olivia")
    )
    assert margaret > 60
    assert olivia < 22


def test_communities_live_together(everybody):
    """A Bangladeshi household's sector holds far more of them than the area does; a surname clusters too."""
    sector = everybody.with_columns(sector=pl.col("postcode").str.head(-2))
    theirs = pl.col("origin") == "bangladeshi"
    share = sector.with_columns(local=theirs.mean().over("sector")).filter(theirs)["local"].mean()
    assert share > 4 * sector.select(theirs.mean()).item()
    rare = sector.filter((pl.col("origin") == "british") & (pl.len().over("surname") < 40))
    homes = rare.unique("household")
    same = homes.group_by("surname", "sector").len().filter(pl.col("len") > 1)["len"].sum()
    assert same > 0.04 * homes.height


def test_births_are_as_england_has_them(everybody):
    """Twins at 1.5% of births, ages from 0 to 104, 1 January too often among those born abroad."""
    children = everybody.filter(pl.col("is_child") & (pl.col("age") < 18))
    births = children.group_by("household", "dob").len()
    assert 0.011 < (births["len"] > 1).mean() < 0.02
    assert everybody["age"].is_between(0, 104).all()
    assert everybody["dob"].max() <= REFERENCE
    assert 0.17 < (everybody["age"] < 18).mean() < 0.26
    assert 0.14 < (everybody["age"] >= 65).mean() < 0.26
    heaped = (pl.col("dob").dt.ordinal_day() == 1).mean()
    shares = dict(everybody.group_by("origin").agg(heaped).iter_rows())
    assert shares["somali"] > 0.08
    assert shares["british"] < 0.006


def test_households_share_postcodes_with_others(everybody):
    """A postcode holds about sixteen households, and one household stands at one postcode."""
    homes = everybody.unique("household")
    assert 14 < homes.height / homes["postcode"].n_unique() < 19
    assert everybody.group_by("household").agg(pl.col("postcode").n_unique())["postcode"].max() == 1
    two_names = everybody.filter(pl.col("age") < 18).group_by("household").agg(pl.col("surname").n_unique())
    assert (two_names["surname"] > 1).mean() > 0.02


def test_one_seed_gives_the_same_bytes():
    """The rows of a small study are pinned, and another seed gives others."""

    def digest(seed):
        made = study(seed, 200, 1_000, (0.5,))
        text = (
            made.register.write_csv() + made.lists[0.5].people.write_csv() + made.lists[0.5].truth.write_csv()
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    assert digest(1) == digest(1) == "6183a4b7e268c334"
    assert digest(2) != digest(1)


def test_overlap_is_exact_to_the_person(made):
    """One register of the size asked for; of each list of whole households the share asked for is on it."""
    _, made = made
    assert made.register.height == SIZE
    assert made.register.columns == list(PERSON_COLUMNS)
    assert tuple(made.lists) == OVERLAPS
    for overlap, one in made.lists.items():
        assert abs(one.people.height - LISTED) < 20
        assert one.people.columns == [*PERSON_COLUMNS, "household_id"]
        assert one.truth["person_id"].equals(one.people["person_id"])
        assert one.truth["record_id"].count() == round(overlap * one.people.height)
        on = one.truth["record_id"].drop_nulls()
        assert on.is_in(made.register["person_id"].implode()).all()
        assert on.is_unique().all()
    assert made.register["dob"].dtype == pl.Date


def test_nobody_is_given_away_by_an_id(made):
    """Ids of a list never occur on the register, and their order says nothing about its order."""
    _, made = made
    for one in made.lists.values():
        assert not one.people["person_id"].is_in(made.register["person_id"].implode()).any()
        on = one.truth.drop_nulls("record_id").select(
            pl.col("person_id", "record_id").str.slice(1).cast(pl.Int64)
        )
        assert abs(on.select(pl.corr("person_id", "record_id")).item()) < 0.2


def test_relatives_of_the_absent_are_on_the_register(made):
    """Of those not on the register about half have a listed relative there, and some a namesake."""
    _, made = made
    one = made.lists[0.85]
    truth = one.truth.join(one.people.select("person_id", "household_id"), on="person_id")
    here = truth.with_columns(any_here=pl.col("record_id").is_not_null().any().over("household_id"))
    absent = here.filter(pl.col("record_id").is_null())
    assert 0.4 < absent["any_here"].mean() < 0.6
    names = ["forename", "surname"]
    written = one.people.join(absent.select("person_id"), on="person_id").drop_nulls(names)
    assert written.join(made.register, on=names, how="semi").height > 0.02 * written.height


def test_truth_says_what_fairness_needs(made):
    """Origin, sex, year of birth and twins of everybody listed, as they are and not as written."""
    _, made = made
    truth = made.lists[0.85].truth
    assert set(truth["origin"].unique()) <= set(table("origins")["origin"])
    assert truth["origin"].n_unique() > 15
    assert set(truth["sex"].unique()) == {"F", "M"}
    assert truth["birth_year"].is_between(1920, 2026).all()
    assert truth["twin"].any()
    assert sum(truth.null_count().row(0)) == truth["record_id"].null_count()


RATES = {
    "typical": {
        "forename": (0.06, 0.12),
        "surname": (0.035, 0.08),
        "dob": (0.008, 0.02),
        "postcode": (0.07, 0.12),
    },
    "hard": {
        "forename": (0.18, 0.28),
        "surname": (0.11, 0.18),
        "dob": (0.035, 0.06),
        "postcode": (0.18, 0.27),
    },
}


def test_error_rates_are_those_of_the_profile(made):
    """Of true pairs the shares that differ, are missing, are swapped or carry a wrong number."""
    profile, made = made
    pairs = _pairs(made)
    for column, (low, high) in RATES[profile].items():
        assert low < _differ(pairs, column) < high, column
    missing = pairs.select((pl.col("postcode").is_null() | pl.col("postcode_there").is_null()).mean()).item()
    assert missing == pytest.approx({"typical": 0.021, "hard": 0.068}[profile], abs=0.015)
    both = pl.all_horizontal(pl.col("nhs_number", "nhs_number_there").is_not_null())
    assert pairs.select(both.mean()).item() == pytest.approx(
        {"typical": 0.485, "hard": 0.29}[profile], abs=0.04
    )
    wrong = pairs.filter(both).select((pl.col("nhs_number") != pl.col("nhs_number_there")).mean()).item()
    assert wrong < 0.015
    lower = pairs.select(pl.col(pl.String).str.to_lowercase())
    swapped = (pl.col("forename") == pl.col("surname_there")) & (pl.col("forename") != pl.col("surname"))
    assert lower.filter(swapped).height > 0


def test_errors_come_together():
    """Two fields of one pair differ more often than if errors did not know of each other."""
    pairs = _pairs(study(5, 8_000, 20_000, (0.85,), "hard"))
    name, birth = (
        (pl.col(f"{n}_there").str.to_lowercase() != pl.col(n).str.to_lowercase())
        for n in ("forename", "surname")
    )
    both, one, other = pairs.select(
        (name & birth).mean(), name.mean().alias("n"), birth.mean().alias("b")
    ).row(0)
    assert both > 1.2 * one * other


def test_both_sides_err_and_the_register_less():
    """Gaps, initials, placeholders and impossible postcodes stand on both sides, fewer on the register."""
    made = study(5, 8_000, 20_000, (0.85,), "hard")
    listed, register = made.lists[0.85].people, made.register
    for column, less in (("postcode", 0.6), ("dob", 0.7), ("sex", 0.6), ("forename", 0.8)):
        there, here = (frame[column].null_count() / frame.height for frame in (register, listed))
        assert 0 < there < less * here, column
    for frame in (listed, register):
        assert (frame["forename"].str.len_chars() == 1).any()
        assert (frame["dob"] == date(1900, 1, 1)).any()
        assert (frame["surname"].str.to_lowercase() == "unknown").any()
        assert frame["surname"].str.contains(r"^[^\s]+-[^\s]+$").any()
        assert frame["postcode"].str.contains("[OIBS][A-Z]{2}$").any()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: study(1, 10, 100, (0.5,), "easy"), "no such profile"),
        (lambda: study(1, 10, 100, (0.5, 0.5)), "must differ"),
        (lambda: study(1, 10, 100, (1.5,)), "between 0 and 1"),
        (lambda: study(1, 1_000, 100, (1.0,)), "too small"),
    ],
)
def test_an_impossible_study_is_refused(call, reason):
    """A request that can't be met says why."""
    with pytest.raises(BadInputError, match=reason):
        call()


def test_a_slip_changes_a_name_and_leaves_it_a_name():
    """Nearly every name gets one slip; none keeps its text, becomes empty or loses more than two fifths."""
    names = pl.Series(["Catherine", "O'Brien", "Smith", "Mohammed", "Łukasz"] * 400)
    wrong = slips.mistyped(Draws("1"), names)
    assert wrong.null_count() < 0.15 * len(names)
    known = wrong.is_not_null()
    assert (wrong.filter(known) != names.filter(known)).all()
    length = wrong.filter(known).str.len_chars()
    assert (length >= (names.filter(known).str.len_chars() * 0.6).floor()).all()
    first = wrong.filter(known).str.head(1) != names.filter(known).str.head(1)
    assert 0.01 < first.mean() < 0.12


def test_a_misdated_birth_is_mostly_wrong_in_one_part():
    """Day, month or year alone in nine of ten; never after the reference day."""
    births = population(Draws("2"), 2_000, EVERYBODY, 2_000)["dob"]
    both = pl.DataFrame({"a": births, "b": slips.misdated(Draws("3"), births, REFERENCE)}).drop_nulls()
    assert (both["a"] != both["b"]).all()
    parts = [
        getattr(pl.col("a").dt, part)() != getattr(pl.col("b").dt, part)()
        for part in ("day", "month", "year")
    ]
    assert both.select((pl.sum_horizontal(parts) == 1).mean()).item() > 0.85
    assert both["b"].max() <= REFERENCE


@pytest.mark.parametrize("households", [10, 5_000, 10_000_000])
def test_an_area_holds_its_households(households):
    """There are sectors and units for as many as are asked for, and no unit has more than 400 letters."""
    area = Area.of(households)
    assert area.sectors * area.units * 16 >= min(households, area.sectors * 400 * 16)
    assert area.units <= 400


def test_most_who_moved_moved_near(everybody):
    """Six of ten former postcodes are in the same district, one of ten is of another area."""
    district = everybody.unique("household").select(
        (pl.col("postcode").str.head(3) == pl.col("old_postcode").str.head(3)).alias("near"),
        pl.col("old_postcode").str.starts_with("JW").alias("far"),
    )
    assert 0.5 < district["near"].mean() < 0.8
    assert 0.07 < district["far"].mean() < 0.13


@pytest.mark.long
def test_a_register_of_a_million_takes_less_than_a_minute_of_one_core():
    """The study's largest register is made in under sixty seconds of processor time."""
    start = process_time()
    assert study(1, 10_000, 1_000_000, (0.85, 0.01)).register.height == 1_000_000
    assert process_time() - start < 60
