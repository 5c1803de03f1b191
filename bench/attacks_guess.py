"""Guessing with the exchange's key: what a curious partner can do that keeps a bundle and its secret.

Two attacks. One hashes a population file, as an honest agent hashes its register, and keeps every pair. The
other has no file: it goes through dates, names and postcodes, one field at a time, because a match key of
two fields can be searched whole and what it gives away makes the next field cheap.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from bench.attacks_world import BATCH, SECRET, SOMEBODY, fields_of, only, tokens_of
from gateway.linkage.normalise import normalise
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1, MatchKey
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise


@dataclass(frozen=True, slots=True)
class Named:
    """Shares of all slots: given the right person, given a wrong one."""

    rightly: float
    wrongly: float


def population_attack(
    tokens: pl.DataFrame, file: pl.DataFrame, truth: pl.Series, *, careful: bool, secret: bytes = SECRET
) -> Named:
    """Hash the whole file under `secret` and name every slot that resolves.

    `careful`: at the scheme's own threshold; otherwise the best candidate that is any good at all.
    """
    theirs = tokens_of(file, secret)
    found = [
        candidates(tokens, theirs[start : start + BATCH], V1, start) for start in range(0, file.height, BATCH)
    ]
    covered = max(1 - truth.null_count() / len(truth), 0.01)
    size, overlap = (file.height, covered) if careful else (1, 1.0)
    matched = resolve(pl.concat(found), register_size=size, overlap=overlap)
    same = matched["record"] == truth.cast(pl.UInt32).gather(matched["slot"])
    right = int(same.fill_null(value=False).sum())
    return Named(right / tokens.height, (matched.height - right) / tokens.height)


@dataclass(frozen=True, slots=True)
class Step:
    """One field found through one match key. `found`: share of slots whose field is now known."""

    key: str
    gives: str
    hashes: int
    seconds: float
    found: float


def dictionaries(
    surnames: pl.Series, forenames: pl.Series, postcodes: pl.Series, *, born: tuple[date, date]
) -> dict[str, pl.Series]:
    """What is public: lists of names, the postcodes of an area, every day between two."""
    days = pl.date_range(born[0], born[1] - timedelta(days=1), eager=True)
    return {"surname": surnames, "forename": forenames, "postcode": postcodes, "dob": days}


def dictionary_attack(
    tokens: pl.DataFrame, public: Mapping[str, pl.Series], secret: bytes = SECRET
) -> tuple[list[Step], pl.DataFrame]:
    """The steps taken, and for each slot the fields found (null where none), columns of `public`.

    No file of people is used: each step tries a public dictionary of one field against what is known of each
    slot, first two dictionaries against each other. It ends when no match key adds a field.
    """
    known = pl.DataFrame({"slot": pl.int_range(tokens.height, dtype=pl.UInt32, eager=True)})
    steps: list[Step] = []
    while (plan := _next(known, public)) is not None:
        key, field = plan
        step, known = _take(tokens, known, public, key, field, secret)
        steps.append(step)
    return steps, known


def _next(known: pl.DataFrame, public: Mapping[str, pl.Series]) -> tuple[MatchKey, str] | None:
    """The key and the field that it gives: the first pair by its cheapest, then one field at a time."""
    have = set(known.columns) & set(public)
    plans: list[tuple[int, int, str]] = []
    keys = {key.label: key for key in V1.keys}
    for key in V1.keys:
        needs = fields_of(key)
        lacking = sorted(needs - have)
        if not needs <= set(public) or not lacking:
            continue
        sizes = [_distinct(public[field], field, key).height for field in lacking]
        if have and len(lacking) == 1:
            plans.append((-sizes[0], 0, f"{key.label}|{lacking[0]}"))
        if not have and len(lacking) == 2 and "dob" in lacking:  # noqa: PLR2004 - a pair
            plans.append(
                (-_distinct(public["dob"], "dob", key).height, sizes[0] * sizes[1], f"{key.label}|dob")
            )
    if not plans:
        return None
    label, _, field = min(plans)[2].partition("|")
    return keys[label], field


def _distinct(values: pl.Series, field: str, key: MatchKey) -> pl.DataFrame:
    """One value of the field for each that the key can tell apart."""
    people = SOMEBODY.drop(field).join(values.alias(field).to_frame(), how="cross")
    parts = normalise(people).select(key.parts).with_columns(people[field].alias(field))
    return parts.unique(key.parts, maintain_order=True).select(field)


def _take(
    tokens: pl.DataFrame,
    known: pl.DataFrame,
    public: Mapping[str, pl.Series],
    key: MatchKey,
    field: str,
    secret: bytes,
) -> tuple[Step, pl.DataFrame]:
    needs = sorted(fields_of(key) - {field})
    begun = set(needs) <= set(known.columns)
    given = known.select(needs).drop_nulls().unique() if begun else _distinct(public[needs[0]], needs[0], key)
    values = _distinct(public[field], field, key)
    sought = known.select("slot").with_columns(tokens[key.label].alias("token")).drop_nulls()
    start, hashes = time.perf_counter(), 0
    hits = [pl.DataFrame(schema={"slot": pl.UInt32, field: public[field].dtype})]
    for people in _products(given, values):
        made = tokenise(people, token_keys(secret, only(key)), only(key)).to_series().alias("token")
        hashes += people.height
        hits.append(people.with_columns(made).join(sought, on="token").select("slot", field))
    seconds = time.perf_counter() - start
    # the messages are equal, so the field is right, as finely as the key tells
    hit = pl.concat(hits).unique("slot")
    after = known.join(hit, on="slot", how="left", maintain_order="left")
    return Step(key.label, field, hashes, seconds, 1 - after[field].null_count() / after.height), after


def _products(given: pl.DataFrame, values: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """All pairs, in frames of about a million rows."""
    rows = max(1, 1_000_000 // max(1, values.height))
    for start in range(0, given.height, rows):
        yield given[start : start + rows].join(values, how="cross")
