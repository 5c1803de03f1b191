"""The engine of `flagstone tokens make` for one machine: parts of the input, on all cores, to one file."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import polars as pl

from gateway.cli.tokens.parts import Parts, Run, parts_for
from gateway.cli.tokens.progress import stepping, steps
from gateway.cli.tokens.sources import Read, Source
from gateway.domain.errors import BadInputError
from gateway.intake.bulk import MAX_CELL, MAX_TWICE, NO_ONE_TWICE, Bad, Made, tokenised, too_many_twice
from gateway.intake.dates import DateFacts
from gateway.intake.judge import Elsewhere, dates_of, ids_of, repeated
from gateway.linkage.normalise import Known
from gateway.linkage.scheme import V1
from gateway.linkage.secret import table_keys
from gateway.linkage.tokens import NAME

_WORKERS: Final = 4  # parts at once, at most: each takes about 150 MB, and Polars spreads it over the cores

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, repr=False)
class Tokeniser:
    """Text cells to a `token_table`, under the facts of the whole file."""

    keys: Mapping[str, bytes]
    today: date
    elsewhere: Elsewhere
    known: Known

    def __call__(self, read: Read) -> tuple[pl.DataFrame, Made]:
        return tokenised(read(), self.keys, self.known, today=self.today, elsewhere=self.elsewhere)


def make(source: Source, out: Path, *, secret: bytes, today: date, metadata: Mapping[str, str]) -> Made:
    """Pseudonymise a person file into one Parquet file, mode 0600: a `token_table`.

    Where a run for the same output, input and key was killed, its parts are taken up; the output is the same.

    Raises:
        BadInputError: the file as a whole can't be used, or no row of it.
        ConflictError: another process is making this output.
    """
    bound = {**metadata, "input": source.identity, "self-test": V1.self_test, "polars": pl.__version__}
    with parts_for(out) as parts:
        run = parts.run()
        if run is None or run.bound != bound or not source.identity:
            run = Run(bound, today, elsewhere_of(source))
            parts.begin(run)
        done = _all_parts(source, parts, run, secret)
        if not source.identity:
            _refuse_twice(parts, len(done))
        made = Made(
            sum(part.rows for part in done),
            sum(part.people for part in done),
            sum((Bad(part.bad) for part in done), Bad()),
        )
        if not made.people:
            raise BadInputError("not one row that can be used", place=source.name)
        parts.finish(len(done), out, metadata)
    return made


def _all_parts(source: Source, parts: Parts, run: Run, secret: bytes) -> list[Made]:
    done = parts.done()
    work = Tokeniser(table_keys(secret, V1, NAME), run.today, run.elsewhere, Known(V1))

    def kept(numbered: tuple[int, Read]) -> Made:
        tokens, part = work(numbered[1])
        parts.add(numbered[0], tokens, part)
        return part

    with steps("Making tokens", source.size, len(done)) as step:
        reads = enumerate(source.parts(len(done)), len(done))
        done += stepping(in_order(kept, reads), step)
    return done


def elsewhere_of(source: Source) -> Elsewhere:
    """What all rows together say: how their dates are written, which ids stand twice."""
    if not source.columns:
        return Elsewhere(DateFacts(), NO_ONE_TWICE)
    columns = tuple(source.columns)
    look = partial(_look, columns=source.columns)
    with steps("Looking through", source.size) as step:
        looks = list(stepping(in_order(look, source.parts(columns=columns)), step))
    dates = sum((dates for dates, _ in looks), DateFacts())
    shared = _twice(pl.concat([hashes for _, hashes in looks]))
    return Elsewhere(dates, NO_ONE_TWICE if shared.is_empty() else _repeated(source, shared))


def _look(read: Read, columns: frozenset[str]) -> tuple[DateFacts, pl.Series]:
    raw = read()
    dates = dates_of(raw, MAX_CELL) if "dob" in columns else DateFacts()
    ids = ids_of(raw, MAX_CELL)["person_id"] if "person_id" in columns else pl.Series([], dtype=pl.String)
    return dates, ids.hash()


def _twice(hashes: pl.Series) -> pl.Series:
    """The values that stand more than once. Eight bytes an id: those of a whole register fit in memory."""
    ordered = hashes.sort()
    return ordered.filter(ordered == ordered.shift(1)).unique()


def _repeated(source: Source, shared: pl.Series) -> pl.DataFrame:
    """`line` and `other` of all ids whose hash others have too."""

    def sharing(read: Read) -> pl.DataFrame:
        ids = ids_of(read(), MAX_CELL)
        return ids.filter(ids["person_id"].hash().is_in(shared.implode()))

    found = pl.concat(in_order(sharing, source.parts(columns=("person_id",))))
    if found.height > MAX_TWICE:
        raise too_many_twice(source.name)
    return repeated(found)


def _refuse_twice(parts: Parts, count: int) -> None:
    """Where the input can be read once only, ids are compared at the end."""
    if not _twice(pl.concat([ids.hash() for ids in parts.ids(count)])).is_empty():
        raise BadInputError(
            "some people have the same person_id", place="query", way_out="Select one row for each person"
        )


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` on each item, some at once, results in the items' order; no more items are taken than needed."""
    workers = min(_WORKERS, os.cpu_count() or 1)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
