"""The engine of `flagstone tokens link`: the left file held, the right one a batch at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from gateway.cli.tokens.making import Tokeniser, elsewhere_of, in_order
from gateway.cli.tokens.parts import private
from gateway.cli.tokens.progress import stepping, steps
from gateway.cli.tokens.sources import Source, open_file
from gateway.cli.tokens.tables import check_tokens, is_tokens, tokens_from
from gateway.intake.bulk import Bad
from gateway.linkage.normalise import Known
from gateway.linkage.resolve import candidates, resolve
from gateway.linkage.scheme import V1
from gateway.linkage.score import threshold
from gateway.linkage.secret import table_keys
from gateway.linkage.tokens import NAME

_BATCH: Final = 200_000  # rows of a token file
_MOST: Final = 2_000_000  # rows of the right file that are compared at once


@dataclass(frozen=True, slots=True, repr=False)
class _Tokens:
    """A token file."""

    path: Path
    rows: int

    @property
    def size(self) -> int:
        return -(-self.rows // _BATCH)

    def batches(self) -> Iterator[pl.DataFrame]:
        starts = range(0, self.rows, _BATCH)
        return in_order(lambda start: tokens_from(self.path, start, _BATCH), starts)


@dataclass(frozen=True, slots=True, repr=False)
class _People:
    """A person file, whose tokens are made as they are asked for; `bad` fills meanwhile."""

    source: Source
    work: Tokeniser
    bad: Bad

    @property
    def size(self) -> int:
        return self.source.size

    def batches(self) -> Iterator[pl.DataFrame]:
        for tokens, part in in_order(self.work, self.source.parts()):
            self.bad.update(part.bad)
            yield tokens


def link_files(
    left: Path, right: Path, out: Path, *, secret: bytes, today: date, overlap: float
) -> Mapping[str, Bad]:
    """Write the accepted pairs as CSV: left_id, right_id, score. Gives each person file's bad cells.

    Raises:
        BadInputError: a file can't be used, or the overlap is out of range.
        VerificationError: a token file was made under another key or scheme.
    """
    threshold(1, overlap)  # refuse a bad overlap before the work, not after it
    sides = [_side(path, secret, today) for path in (left, right)]
    wanted = pl.concat(_tracked(sides[0], "Left file"))
    ids, names, found, rows = [], [], [], 0
    tokens = wanted.select(V1.labels)
    # every comparison goes over the whole left file: the longer that is, the fewer of them
    least = min(wanted.height // 2, _MOST)
    for batch in _gathered(_tracked(sides[1], "Right file"), least):
        found.append(candidates(tokens, batch.drop("person_id"), V1, rows))
        ids.append(batch["person_id"])
        names.append(batch[NAME])
        rows += batch.height
    pairs = resolve(pl.concat(found), register_size=rows, overlap=overlap, names=pl.concat(names))
    with private(out) as target:
        pairs.select(
            left_id=wanted["person_id"].gather(pairs["slot"]),
            right_id=pl.concat(ids).gather(pairs["record"]),
            score="score",
        ).write_csv(target)
    return {
        path.name: side.bad
        for path, side in zip((left, right), sides, strict=True)
        if isinstance(side, _People)
    }


def _side(path: Path, secret: bytes, today: date) -> _Tokens | _People:
    if is_tokens(path):
        return _Tokens(path, check_tokens(path, secret))
    source = open_file(path)
    keys = table_keys(secret, V1, NAME)
    return _People(source, Tokeniser(keys, today, elsewhere_of(source), Known(V1)), Bad())


def _tracked(side: _Tokens | _People, what: str) -> Iterator[pl.DataFrame]:
    with steps(what, side.size) as step:
        yield from stepping(side.batches(), step)


def _gathered(batches: Iterable[pl.DataFrame], least: int) -> Iterator[pl.DataFrame]:
    """The same rows in batches of at least that many, the last excepted."""
    held: list[pl.DataFrame] = []
    for batch in batches:
        held.append(batch)
        if sum(frame.height for frame in held) >= least:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)
