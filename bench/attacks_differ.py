"""Two exchanges compared: what the partner sees who answered both, and what the council can ask twice."""

from dataclasses import dataclass

import polars as pl

from bench.attacks_world import tokens_of
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1


@dataclass(frozen=True, slots=True)
class Changes:
    """Who joined and left a list, as a partner with both keys sees it: right, wrong, of all there were."""

    shared_tokens: int
    """Tokens that the two tables have in common, over all match keys."""
    right: int
    wrong: int
    there: int


def differing(
    first: pl.DataFrame,
    second: pl.DataFrame,
    file: pl.DataFrame,
    row: pl.DataFrame,
    secrets: tuple[bytes, bytes],
    overlap: float,
) -> Changes:
    """A partner that keeps both exchanges' secrets hashes its file under each and compares what it names.

    `row`: `person_id` and the row of the same person in `file` (null where there is none).
    """
    tables = [tokens_of(people, secret) for people, secret in zip((first, second), secrets, strict=True)]
    seen = [
        set(_named(tokens, file, secret, overlap)) for tokens, secret in zip(tables, secrets, strict=True)
    ]
    true = [set(people.join(row, on="person_id")["row"].drop_nulls()) for people in (first, second)]
    told, real = seen[0] ^ seen[1], true[0] ^ true[1]
    return Changes(_in_common(*tables), len(told & real), len(told - real), len(real))


def _named(tokens: pl.DataFrame, file: pl.DataFrame, secret: bytes, overlap: float) -> pl.Series:
    pairs = candidates(tokens, tokens_of(file, secret), V1)
    return resolve(pairs, register_size=file.height, overlap=overlap)["record"]


def _in_common(one: pl.DataFrame, other: pl.DataFrame) -> int:
    return sum(
        one.select(label).drop_nulls().unique().join(other.select(label).unique(), on=label).height
        for label in V1.labels
    )


@dataclass(frozen=True, slots=True)
class Singled:
    """Shares of those in households of two or more whose own bit follows; `flagged`: of those with a flag."""

    people: float
    flagged: float


def singled_out(households: pl.Series, flags: pl.Series) -> Singled:
    """The household is asked about whole, then without one member: whose bit do the two answers give away?

    Where nobody else in the household has a flag, the two bits differ exactly if the person has one. Where
    somebody else has, both are set and say nothing.
    """
    people = pl.DataFrame({"household": households, "flag": flags}).filter(pl.len().over("household") > 1)
    others = pl.col("flag").sum().over("household") - pl.col("flag").cast(pl.UInt32)
    told = people.select("flag", told=others == 0)
    return Singled(_share(told["told"]), _share(told.filter("flag")["told"]))


def _share(rows: pl.Series) -> float:
    return int(rows.sum()) / len(rows) if len(rows) else 0.0
