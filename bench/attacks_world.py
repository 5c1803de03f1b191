"""What the attacks are tried on: generated people, one list, files of the attacker's, and who is who."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import polars as pl

from examples.generator import POLICE_INDICATORS, Generated, RegisterSpec, generate
from gateway.linkage.scheme import V1, MatchKey, Scheme
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

SECRET, OTHER_SECRET = bytes(range(32)), bytes(range(1, 33))
WHOLE = "100%"
"""The file that has everybody on the list."""
BATCH = 200_000
SOMEBODY = pl.DataFrame(
    {
        "forename": "Margaret",
        "surname": "Hargreaves",
        "dob": date(1961, 2, 3),
        "postcode": "SW1A 1AA",
        "nhs_number": "9990000018",
    }
)
"""A full person: of whom every match key makes a token."""


@dataclass(frozen=True, slots=True)
class Told:
    """One table of the report; `note` may be empty."""

    title: str
    body: str
    note: str = ""

    def markdown(self, number: int) -> str:
        return "\n\n".join(
            part for part in (f"## Table {number}. {self.title}", self.body, self.note) if part
        )


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """`listed`: a household list, row i is slot i. `files`: by name, a file of people of the attacker's.

    `truth`: by name, for each slot the row in that file of the same person, or null (u32).
    """

    listed: pl.DataFrame
    files: dict[str, pl.DataFrame]
    truth: dict[str, pl.Series]
    flagged: pl.Series
    """For each slot: whether any indicator is met by the record in the first file."""


def world(seed: str, households: int, size: int, coverages: Sequence[float]) -> World:
    """A list of `households`; for each coverage a file of that share of `size` people and of the listed.

    Every file is written down anew, with slips of its own: no attacker has the list's very spelling.
    """
    specs = [
        RegisterSpec(f"{cover:.0%}", round(size * cover), cover, POLICE_INDICATORS) for cover in coverages
    ]
    made = generate(seed, households, specs)
    rows = {spec.name: _rows(made, spec.name) for spec in specs}
    flags = made.truth.filter(pl.col("register") == specs[0].name)
    people = made.household_list.select("person_id")
    flagged = people.join(flags, on="person_id", how="left", maintain_order="left")["flags"].is_not_null()
    return World(made.household_list, made.registers, rows, flagged)


def _rows(made: Generated, name: str) -> pl.Series:
    places = made.registers[name].select(record_id="person_id").with_row_index("row")
    known = made.truth.filter(pl.col("register") == name).join(places, on="record_id", how="left")
    people = made.household_list.select("person_id")
    return people.join(known, on="person_id", how="left", maintain_order="left")["row"]


def tokens_of(people: pl.DataFrame, secret: bytes = SECRET, scheme: Scheme = V1) -> pl.DataFrame:
    """As an agent makes them, in batches; any number of rows."""
    keys = token_keys(secret, scheme)
    batches = [
        tokenise(people[start : start + BATCH], keys, scheme) for start in range(0, people.height, BATCH)
    ]
    return pl.concat(batches)


def only(key: MatchKey) -> Scheme:
    """The scheme with this match key alone: its tokens are those of the whole scheme."""
    return replace(V1, keys=(key,))


def fields_of(key: MatchKey) -> frozenset[str]:
    """The columns that the key needs, found by leaving each out of a full person."""
    return frozenset(field for field, lacking in _lacking().items() if key.label in lacking)


@cache
def _lacking() -> dict[str, frozenset[str]]:
    """For each column the match keys that give no token without it."""
    made = {field: tokens_of(SOMEBODY.drop(field)) for field in SOMEBODY.columns}
    return {
        field: frozenset(label for label in tokens.columns if tokens[label].item() is None)
        for field, tokens in made.items()
    }
