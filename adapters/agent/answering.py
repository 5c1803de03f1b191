"""From a request's tokens and the partner's register to the bits of an answer.

The register passes through in batches. What stays of it are the pairs of its tokens with the list, for the
records in such a pair objection and indicators, and of each a hash by which namesakes are counted: no name
outlives its batch. Not on the register, tied, objected and not flagged end in the same bits; how many were
which is worked out nowhere.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from adapters.registers.register import OBJECTED, Register, RegisterError
from gateway.bundle.manifest import RequestManifest
from gateway.bundle.open import OpenedRequest
from gateway.bundle.tables import ANY
from gateway.domain.exchange import Granularity
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import scheme_of
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import beside, parts_of, tokens_of

BATCH: Final = 200_000
"""Rows of the register in memory at a time."""

_PERMILLE: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """`flags`: row i is unit i, as `seal_answer` takes it. `complete`: column -> permille of rows filled."""

    flags: pl.DataFrame
    complete: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Scan:
    """What is left of the register. `filled`: column -> rows that have it; `flags`: of paired records.

    names: a number for each record, equal where two have the same whole name.
    """

    size: int
    filled: Counter[str]
    pairs: pl.DataFrame
    names: pl.Series
    flags: pl.DataFrame


def answer(request: OpenedRequest, register: Register, *, any_postcode: bool = False) -> Answered:
    """Match, aggregate, and say how complete the register is.

    Raises:
        RegisterError: it can't be read, lacks a column, or has no rows: emptiness is no answer.
    """
    manifest = request.manifest
    scan = _scan(request, register, any_postcode=any_postcode)
    if scan.size == 0:
        raise RegisterError("the register has no rows", place="register")
    matches = resolve(
        scan.pairs,
        register_size=scan.size,
        overlap=manifest.overlap_permille / _PERMILLE,
        scheme=scheme_of(manifest.scheme),
        names=scan.names,
    )
    # objections are honoured after resolving: else a look-alike would take the objector's place
    flagged = matches.join(scan.flags.filter(~pl.col(OBJECTED)), on="record").drop(
        "record", "score", OBJECTED
    )
    complete = {name: scan.filled[name] * _PERMILLE // scan.size for name in manifest.identifiers}
    return Answered(_by_unit(manifest, request.table, flagged), complete)


def _scan(request: OpenedRequest, register: Register, *, any_postcode: bool) -> _Scan:
    manifest = request.manifest
    scheme = scheme_of(manifest.scheme)
    keys = token_keys(request.secret, scheme)
    wanted = request.table.select(*scheme.labels, pl.col("^household$"))
    size, filled = 0, Counter[str]()
    pairs: list[pl.DataFrame] = []
    names: list[pl.Series] = []
    flags: list[pl.DataFrame] = []
    for people in register.batches(BATCH, manifest.indicators, any_postcode=any_postcode):
        parts = parts_of(people, scheme, manifest.identifiers)
        tokens, aside = tokens_of(parts, keys, scheme), beside(parts)
        found = candidates(wanted, tokens.hstack(aside), scheme, first_record=size)
        pairs.append(found)
        names.append(aside["name"])
        flags.append(_flags_of(found, people, size, manifest.indicators))
        filled.update({name: people.height - people[name].null_count() for name in manifest.identifiers})
        size += people.height
    if not pairs:
        return _Scan(0, filled, pl.DataFrame(), pl.Series(), pl.DataFrame())
    return _Scan(size, filled, pl.concat(pairs), pl.concat(names), pl.concat(flags))


def _flags_of(
    pairs: pl.DataFrame, people: pl.DataFrame, first_record: int, indicators: Sequence[str]
) -> pl.DataFrame:
    records = pairs["record"].unique().sort()
    kept = people.select(OBJECTED, *indicators)[records - first_record]
    return kept.insert_column(0, records)


def _by_unit(manifest: RequestManifest, table: pl.DataFrame, flagged: pl.DataFrame) -> pl.DataFrame:
    """One row per unit, in order; `flagged`: slot and one Boolean per indicator, for matched slots only."""
    names = manifest.indicators
    slots = (
        pl.DataFrame({"slot": pl.int_range(table.height, dtype=pl.UInt32, eager=True)})
        .join(flagged, on="slot", how="left", maintain_order="left")
        .with_columns(pl.col(names).fill_null(value=False))
    )
    if manifest.granularity is Granularity.PERSON_INDICATORS:
        return slots.select(names)
    households = slots.with_columns(table["household"]).group_by("household").agg(pl.col(names).any())
    units = households.sort("household")
    if manifest.granularity is Granularity.HOUSEHOLD_ANY:
        return units.select(pl.any_horizontal(names).alias(ANY))
    return units.select(names)
