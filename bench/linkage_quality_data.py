"""The people of the study: lists, registers and the truth, as every method is handed them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from examples.draw import Draws
from examples.population import REFERENCE
from examples.study import StudyList, study

COLUMNS = {
    "forename": pl.String,
    "surname": pl.String,
    "dob": pl.Date,
    "sex": pl.String,
    "postcode": pl.String,
    "nhs_number": pl.String,
}
LINKED = ("forename", "surname", "dob", "postcode")
"""The fields whose gaps count as missing."""

FIT_SEED = "fit"
"""The scheme's scores were fitted on this seed: nothing is reported on it."""

_AGES = {-1: "not known", 0: "0-4", 5: "5-15", 16: "16-24", 25: "25-44", 45: "45-64", 65: "65+"}
"""First year of a band -> its name, in order."""

_TODAY = REFERENCE.year


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A list and the truth about it.

    truth: for each row of the list, in order, `record` (row of the register, null when not there), `unit`
    (number of the household), `origin`, `sex`, `age` (band), `missing` (fields missing, both sides together).
    overlap: the share of the list that the threshold is told to expect on the register.
    """

    overlap: float
    listed: pl.DataFrame
    truth: pl.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One register and its lists. uk: postcodes are of the UK."""

    name: str
    register: pl.DataFrame
    cases: tuple[Case, ...]
    uk: bool = True

    def write(self, folder: Path) -> tuple[Path, list[Path]]:
        """The register and each list as Parquet."""
        folder.mkdir(parents=True, exist_ok=True)
        lists = [folder / f"list-{case.overlap}.parquet" for case in self.cases]
        self.register.write_parquet(folder / "register.parquet")
        for case, path in zip(self.cases, lists, strict=True):
            case.listed.write_parquet(path)
        return folder / "register.parquet", lists


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in COLUMNS.items()
    )


def _missing(frame: pl.DataFrame) -> pl.Series:
    return frame.select(pl.sum_horizontal(pl.col(LINKED).is_null()).alias("missing"))["missing"]


def _truth(listed: pl.DataFrame, register: pl.DataFrame, about: pl.DataFrame) -> pl.DataFrame:
    """`about`: record, unit, and what is known of the people. Who is not there misses nothing there."""
    there = _missing(register).gather(about["record"]).fill_null(0)
    return about.with_columns(pl.col("record", "unit").cast(pl.UInt32), missing=_missing(listed) + there)


def age_band(year: pl.Expr) -> pl.Expr:
    """Of a year of birth."""
    starts = pl.Series(sorted(_AGES), dtype=pl.Int64)
    band = pl.lit(starts).search_sorted((_TODAY - year).fill_null(-1), side="right") - 1
    return band.replace_strict(dict(enumerate(_AGES.values())), return_dtype=pl.String)


def uk(profile: str, seed: str, listed: int, size: int, overlaps: Sequence[float]) -> World:
    """One register of the generator's people and one list for each overlap."""
    made = study(seed, listed, size, overlaps, profile)
    rows = made.register.select(record_id="person_id").with_row_index("record")
    register = _people(made.register)
    cases = (_case(overlap, each, rows, register) for overlap, each in made.lists.items())
    return World(profile, register, tuple(cases))


def _case(overlap: float, made: StudyList, rows: pl.DataFrame, register: pl.DataFrame) -> Case:
    about = (
        made.people.select("person_id", "household_id")
        .join(made.truth, on="person_id", how="left", maintain_order="left")
        .join(rows, on="record_id", how="left", maintain_order="left")
        .select(
            "record",
            "origin",
            "sex",
            unit=pl.col("household_id").rank("dense") - 1,
            age=age_band(pl.col("birth_year")),
        )
    )
    listed = _people(made.people)
    return Case(overlap, listed, _truth(listed, register, about))


# FEBRL


def _febrl_file(path: Path) -> pl.DataFrame:
    raw = pl.read_csv(path, infer_schema=False)
    raw = raw.rename({name: name.strip() for name in raw.columns}).select(pl.all().str.strip_chars())
    filled = raw.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep())
    birth = pl.col("date_of_birth").str.to_date("%Y%m%d", strict=False)
    return filled.select(
        pl.col("rec_id").str.extract("^rec-([0-9]+)-").cast(pl.Int64).alias("person"),
        pl.col("rec_id").str.extract("-dup-([0-9]+)$").cast(pl.Int64).alias("copy"),
        pl.col("given_name").alias("forename"),
        "surname",
        pl.when(birth.dt.year() >= 1900).then(birth).alias("dob"),  # noqa: PLR2004 - what intake takes
        "postcode",
    )


def _febrl_world(name: str, listed: pl.DataFrame, register: pl.DataFrame, overlap: float) -> World:
    draws = Draws(f"linkage-quality/{name}")
    listed = listed[draws.order("list", listed.height)]
    register = register[draws.order("register", register.height)].with_row_index("record")
    about = listed.join(register, on="person", how="left", maintain_order="left").select(
        "record",
        unit=pl.int_range(pl.len()),
        origin=pl.lit("not known"),
        sex=pl.lit("not known"),
        age=age_band(pl.col("dob").dt.year()),
    )
    left, right = _people(listed), _people(register)
    return World(name, right, (Case(overlap, left, _truth(left, right, about)),), uk=False)


def febrl(source: Path) -> list[World]:
    """FEBRL 1 to 4 without `soc_sec_id`, suburbs and streets.

    1 to 3 are made for deduplication: here the first duplicate of each person who has one is the list and all
    the originals are the register. 4 is 5,000 originals v their 5,000 duplicates; its half variant leaves a
    third of the people on the list only and a third on the register only.
    """
    worlds = []
    for number in (1, 2, 3):
        rows = _febrl_file(source / f"dataset{number}.csv")
        copies = (
            rows.filter(pl.col("copy").is_not_null()).sort("person", "copy").unique("person", keep="first")
        )
        originals = rows.filter(pl.col("copy").is_null())
        listed = copies.join(originals, on="person", how="semi").sort("person")
        worlds.append(_febrl_world(f"FEBRL {number}", listed, originals, 1.0))
    left, right = (_febrl_file(source / f"dataset4{half}.csv").sort("person") for half in "ab")
    worlds.append(_febrl_world("FEBRL 4", left, right, 1.0))
    people = left["person"][Draws("linkage-quality/half").order("people", left.height)]
    third = left.height // 3
    on_list, on_register = people[: 2 * third + 1].implode(), people[third + 1 :].implode()
    listed, register = (
        left.filter(pl.col("person").is_in(on_list)),
        right.filter(pl.col("person").is_in(on_register)),
    )
    return [*worlds, _febrl_world("FEBRL 4 half", listed, register, 0.5)]
