"""`clkhash` and `anonlink`: a Bloom filter of 1,024 bits a person, compared by Dice, one to one by greed.

Names as pairs of letters, dates and postcodes as threes of characters, dates by place: the best of ten such
schemas that were tried on another seed. Names are cleaned as Splink's are. Every pair of rows is compared: no
blocking.
"""

import os
from array import array
from collections.abc import Sequence
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TypeAlias

import polars as pl
from anonlink.candidate_generation import find_candidate_pairs
from anonlink.similarities import dice_coefficient_accelerated
from anonlink.solving import greedy_solve
from bitarray import bitarray
from clkhash.clk import generate_clks
from clkhash.comparators import NgramComparison
from clkhash.field_formats import BitsPerFeatureStrategy, FieldHashingProperties, StringSpec
from clkhash.schema import Schema
from common import Task, ascii_letters, people

Candidates: TypeAlias = tuple[array, tuple[array, array], tuple[array, array]]
"""anonlink's: similarities, the data sets' numbers, the rows; one array each."""

_BITS = 1024
_SECRET = "bench"  # noqa: S105 - nothing here is secret
_FIELDS = {  # bits a field, n of the n-grams, by place
    "forename": (160, 2, False),
    "surname": (200, 2, False),
    "dob": (300, 3, True),
    "postcode": (100, 3, False),
}
_NHS = {"nhs_number": (200, 3, True)}
_LEAST = 0.7  # similarity under which pairs are not kept
_CHUNK = 50_000  # records of the register compared at once


def _schema(nhs: bool) -> Schema:
    def spec(name: str, bits: int, n: int, by_place: bool) -> StringSpec:
        hashing = FieldHashingProperties(NgramComparison(n, by_place), BitsPerFeatureStrategy(bits))
        return StringSpec(name, hashing)

    return Schema([spec(name, *told) for name, told in (_FIELDS | (_NHS if nhs else {})).items()], _BITS)


def _encoded(path: Path, schema: Schema) -> list[bitarray]:
    def plain(name: str) -> pl.Expr:
        return ascii_letters(pl.col(name)).str.replace_all("[^A-Z0-9]", "").fill_null("")

    rows = people(path).select(plain(field.identifier) for field in schema.fields).rows()
    filters = generate_clks(rows, schema, _SECRET, validate=False)
    for child in active_children():  # clkhash leaves them; their CPU time counts once they are waited for
        child.join()
    return filters


def _compared(listed: Sequence[bitarray], register: Sequence[bitarray], start: int) -> Candidates:
    found, sets, (slots, records) = find_candidate_pairs(
        [listed, register[start : start + _CHUNK]], dice_coefficient_accelerated, _LEAST
    )
    return found, sets, (slots, array(records.typecode, (start + record for record in records)))


def _matched(listed: Sequence[bitarray], register: Sequence[bitarray]) -> pl.DataFrame:
    context = get_context("fork")  # the register is inherited, not copied
    starts = range(0, len(register), _CHUNK)
    global compare  # noqa: PLW0603 - what a forked process inherits, it need not be sent
    compare = partial(_compared, listed, register)
    with context.Pool(len(os.sched_getaffinity(0))) as pool:
        parts = pool.map(_chunk, starts, chunksize=1)
    pairs = pl.concat(
        pl.DataFrame({"slot": slots, "record": records, "score": scores})
        for scores, _, (slots, records) in parts
    ).sort("score", descending=True, maintain_order=True)
    return _one_to_one(pairs)


def _chunk(start: int) -> Candidates:
    return compare(start)


def _one_to_one(pairs: pl.DataFrame) -> pl.DataFrame:
    sides = [array("I", pairs[name].to_list()) for name in ("slot", "record")]
    sets = [array("I", [number]) * pairs.height for number in (0, 1)]
    groups = greedy_solve((array("d", pairs["score"].to_list()), sets, sides))
    rows = [(slot, record) for (_, slot), (_, record) in map(sorted, groups)]
    solved = pl.DataFrame(rows, schema={"slot": pl.UInt32, "record": pl.UInt32}, orient="row")
    return solved.join(pairs.cast({"slot": pl.UInt32, "record": pl.UInt32}), on=["slot", "record"])


def main() -> None:
    task = Task.told("clkhash and anonlink")
    schema = _schema(task.nhs)
    with task.timed("encode register"):
        register = _encoded(task.register, schema)
    for path in task.lists:
        with task.timed("encode lists"):
            listed = _encoded(path, schema)
        with task.timed("compare"):
            pairs = _matched(listed, register)
        task.write(path, pairs)


if __name__ == "__main__":
    main()
