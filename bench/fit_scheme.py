"""Where the shares in the scheme's levels come from: counted on the seed `fit`, which nothing is reported on.

    python -m bench.fit_scheme --febrl FOLDER [--size 200000]

Prints the `[levels]` of a scheme, its places and how often names are swapped, for a person to read before
they are put there. True pairs and strangers come from the example people, both profiles in equal parts;
badly kept true pairs from FEBRL 3 (the study reports on FEBRL 4), whose street and number stand for the
property.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Final

import polars as pl

from examples.study import StudyList, study
from gateway.linkage.normalise import normalise

SEED: Final = "fit"
OVERLAP: Final = 0.85
LISTED: Final = 10_000
STRANGERS: Final = 4_000_000
COMPONENTS: Final[Mapping[str, Sequence[str]]] = {
    "forename": ("gk", "gk3", "g1", "g3", "gS"),
    "surname": ("s", "sk3", "s1", "s3", "sE", "sS", "sl"),
    "birth": ("born", "dm", "my", "y"),
    "place": ("pc", "pcx", "out"),
}
LEAST: Final = {"match": 2e-4, "poor": 2e-3, "stranger": 2e-4, "kin": 4e-4, "community": 1}
"""Rarer ways of agreeing, in every kind of pair, are left out: nothing is accepted on them."""

FLOOR: Final = {"match": 1e-4, "poor": 5e-4, "stranger": 1e-6, "kin": 1e-5, "community": 1e-6}
COLUMNS: Final = ("match", "poor", "stranger", "community", "kin")
COMMUNITY: Final = 0.02
"""Share of a community's people who have one name of its commonest: Khan, Patel, Mohammed; an assumption."""

Pair = tuple[pl.DataFrame, pl.DataFrame]


def parts(people: pl.DataFrame) -> pl.DataFrame:
    made = normalise(people)
    halves = made.select(
        gk3=pl.col("gs3").str.extract("^([^\x1f]+)"), sk3=pl.col("gs3").str.extract("([^\x1f]+)$")
    )
    # which of the two is the forename's is told by the other pair's order
    own = pl.col("gk").str.slice(0, 3)
    return made.with_columns(
        gk3=own, sk3=pl.when(halves["gk3"] == own).then(halves["sk3"]).otherwise(halves["gk3"])
    )


def shares(pairs: Sequence[Pair], component: str) -> dict[tuple[str, ...], float]:
    """Parts that agree -> share, of pairs with the component on both sides; each of `pairs` counts alike."""
    found: dict[tuple[str, ...], float] = {}
    names = COMPONENTS[component]
    for one, other in pairs:
        both = reduce(and_, (one[name].is_not_null() & other[name].is_not_null() for name in names))
        same = pl.DataFrame({name: one[name] == other[name] for name in names}).filter(both)
        for *agree, rows in same.group_by(names).len().iter_rows():
            key = tuple(name for name, equal in zip(names, agree, strict=True) if equal)
            found[key] = found.get(key, 0.0) + rows / same.height / len(pairs)
    return found


def true_pairs(listed: StudyList, left: pl.DataFrame, right: pl.DataFrame, ids: pl.Series) -> Pair:
    rows = pl.DataFrame({"record_id": ids}).with_row_index("record")
    there = listed.truth.with_row_index("slot").join(rows, on="record_id")
    return left[there["slot"]], right[there["record"]]


def kin_pairs(listed: StudyList, left: pl.DataFrame, right: pl.DataFrame, ids: pl.Series) -> Pair:
    rows = pl.DataFrame({"record_id": ids}).with_row_index("record")
    homes = listed.people.select("person_id", "household_id").with_row_index("slot")
    there = listed.truth.join(homes, on="person_id").join(rows, on="record_id")
    pairs = homes.join(there.select("household_id", "record", other="slot"), on="household_id")
    pairs = pairs.filter(pl.col("slot") != pl.col("other"))
    return left[pairs["slot"]], right[pairs["record"]]


def strangers(left: pl.DataFrame, right: pl.DataFrame) -> Pair:
    rows = pl.int_range(STRANGERS, eager=True)
    return (
        left[(rows * 7919) % left.height],
        right[((rows * 104_729) // 3 + rows) % right.height],
    )


def febrl(folder: Path) -> pl.DataFrame:
    raw = pl.read_csv(next(folder.rglob("dataset3.csv")), infer_schema=False)
    raw = raw.rename({name: name.strip() for name in raw.columns}).select(pl.all().str.strip_chars())
    return raw.select(
        person=pl.col("rec_id").str.extract("^rec-([0-9]+)-"),
        original=pl.col("rec_id").str.ends_with("org"),
        forename="given_name",
        surname="surname",
        dob=pl.col("date_of_birth").str.to_date("%Y%m%d", strict=False),
        postcode="postcode",
        home=pl.concat_str("street_number", "address_1"),
    )


def poor_pairs(folder: Path) -> Pair:
    people = febrl(folder)
    made = parts(people.drop("person", "original", "home")).with_columns(people["person", "home"])
    one, other = made.filter(people["original"]), made.filter(~people["original"])
    pairs = (
        one.select("person").with_row_index("i").join(other.select("person").with_row_index("j"), on="person")
    )
    return one[pairs["i"]], other[pairs["j"]]


def levels(kinds: Mapping[str, Sequence[Pair]], component: str) -> dict[tuple[str, ...], dict[str, float]]:
    told = {
        **kinds,
        "community": [namesakes(pair[1].unique(maintain_order=True)) for pair in kinds["stranger"]],
    }
    asked = told if component == "birth" else kinds
    found = {kind: shares(pairs, component) for kind, pairs in asked.items()}
    ways = {way for kind, table in found.items() for way, share in table.items() if share >= LEAST[kind]}
    ordered = sorted(ways, key=lambda way: -found["match"].get(way, 0.0))
    return {
        way: {kind: max(table.get(way, 0.0), FLOOR[kind]) for kind, table in found.items()} for way in ordered
    }


def of_one_community(way: Sequence[str], stranger: float) -> float:
    if {"gk", "s"} & set(way):
        return COMMUNITY
    return min(3 * stranger, stranger + 0.01)


def namesakes(right: pl.DataFrame) -> Pair:
    """Pairs of a register's people who have one whole name: they are of one generation more often."""
    rows = right.select("gk", "s").with_row_index("i").drop_nulls()
    pairs = rows.join(rows, on=["gk", "s"]).filter(pl.col("i") < pl.col("i_right")).head(STRANGERS)
    return right[pairs["i"]], right[pairs["i_right"]]


def print_levels(component: str, table: Mapping[tuple[str, ...], Mapping[str, float]]) -> None:
    print(f"{component} = [")
    for way, of in table.items():
        numbers = {"community": of_one_community(way, of["stranger"])} | of
        told = ", ".join(f"{kind} = {numbers[kind]:.2g}" for kind in COLUMNS)
        print(f'  {{ agree = "{" ".join(way)}", {told} }},')
    print("]")


def print_swapped(kind: str, pairs: Sequence[Pair]) -> None:
    """Share of pairs that agree on both names in either order, but not as they stand."""
    for whole, one in (("gs", "gk"), ("gs3", "gk3")):
        found = [((a[whole] == b[whole]) & (a[one] != b[one])).mean() for a, b in pairs]
        print(f"# swapped, by {whole}, {kind}: {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--febrl", type=Path, required=True)
    parser.add_argument("--size", type=int, default=200_000)
    told = parser.parse_args()
    kinds: dict[str, list[Pair]] = {"match": [], "poor": [poor_pairs(told.febrl)], "stranger": [], "kin": []}
    for profile in ("typical", "hard"):
        made = study(SEED, LISTED, told.size, [OVERLAP], profile)
        listed = made.lists[OVERLAP]
        left, right = parts(listed.people), parts(made.register)
        ids = made.register["person_id"]
        kinds["match"].append(true_pairs(listed, left, right, ids))
        kinds["kin"].append(kin_pairs(listed, left, right, ids))
        kinds["stranger"].append(strangers(left, right))
    for component in COMPONENTS:
        print_levels(component, levels(kinds, component))
    one, other = kinds["poor"][0]
    same = pl.DataFrame({name: one[name] == other[name] for name in ("pc", "home")})
    print("# FEBRL 3, the property agrees:", same.group_by("pc").agg(pl.col("home").mean()).rows())
    for kind, pairs in kinds.items():
        print_swapped(kind, pairs)


if __name__ == "__main__":
    main()
