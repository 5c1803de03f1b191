"""Without the key: what the repetition of tokens tells, and what it takes to name anybody by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from gateway.linkage.resolve import candidates

ROUNDS = 3
"""Of refinement: each looks one record further along shared tokens."""

_SHIFT = 24
"""Bits cut off a 64-bit hash, so that sums over a bucket don't overflow."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Of one column of tokens. `entropy`: of a drawn row's token, in bits; `most`: log2 of the rows."""

    absent: float
    unique: float
    largest: int
    entropy: float
    most: float


def buckets(column: pl.Series) -> Buckets:
    """How often tokens repeat. `absent`: rows with none; `unique`: of the others, whose token is alone."""
    sizes = column.drop_nulls().value_counts(name="rows")["rows"]
    rows = int(sizes.sum())
    if not rows:
        return Buckets(1.0, 0.0, 0, 0.0, 0.0)
    share = sizes / rows
    entropy = float(-(share * share.log(2)).sum())
    alone = int((sizes == 1).sum()) / rows
    return Buckets(
        1 - rows / len(column), alone, sizes.sort().to_list()[-1], entropy, float(pl.Series([rows]).log(2)[0])
    )


@dataclass(frozen=True, slots=True)
class Aligned:
    """Shares of the rows that have a token. `guessed`: what pairing tokens and values at random gives."""

    rightly: float
    guessed: float
    certain: float
    """Of rows whose frequency nobody shares on either side: those that an attacker would believe."""


def alignment(tokens: pl.Series, values: pl.Series, own: pl.Series) -> Aligned:
    """Frequency alignment: the n-th most frequent token is taken for the n-th most frequent value.

    `values`: the true value of each row of `tokens`; `own`: the attacker's values, of a population like it.
    """
    table = pl.DataFrame({"token": tokens, "value": values}).drop_nulls()
    seen = _ranked(table["token"], "token")
    mine = _ranked(own.drop_nulls(), "guess")
    paired = seen.join(mine, on="rank", how="left")
    named = table.join(paired, on="token")
    right = named["guess"] == named["value"]
    told = named["alone"] & named["alone_right"].fill_null(value=False)
    chance = 1 / max(seen.height, mine.height, 1)
    return Aligned(_share(right, table.height), chance, _share(right & told, table.height))


def _ranked(column: pl.Series, name: str) -> pl.DataFrame:
    """Distinct values by falling frequency; equally frequent ones in an order that says nothing."""
    counted = column.alias(name).value_counts(name="rows").with_columns(order=pl.col(name).hash(1))
    return (
        counted.sort(["rows", "order"], descending=[True, False])
        .with_columns(alone=pl.len().over("rows") == 1)
        .with_row_index("rank")
        .select(name, "rank", "alone")
    )


def signatures(tokens: pl.DataFrame, rounds: int = ROUNDS) -> pl.Series:
    """What a row looks like from the tokens' equality alone, whatever the key: equal for rows not told apart.

    Weisfeiler-Leman refinement of the graph whose edges are shared tokens: a row starts as its sizes of
    bucket, none for a null, and takes in, round by round, what the rows look like that it shares tokens with.
    """
    labels = tokens.columns
    sizes = [pl.when(pl.col(label).is_null()).then(0).otherwise(pl.len().over(label)) for label in labels]
    rows = tokens.with_columns(look=pl.struct(size.alias(f"{i}") for i, size in enumerate(sizes)).hash(0))
    for _ in range(rounds):
        near = [
            pl.when(pl.col(label).is_not_null())
            .then((pl.col("look").hash(2) // 2**_SHIFT).sum().over(label))
            .otherwise(0)
            .alias(f"near-{label}")
            for label in labels
        ]
        rows = rows.with_columns(look=pl.struct("look", *near).hash(0))
    return rows["look"]


@dataclass(frozen=True, slots=True)
class Paired:
    """Shares of the rows attacked: `looks` that differ; `unique` in their look; paired with the right, with a
    wrong row. Nobody who has equality alone can name more than `looks`: of rows of one look one is drawn.
    """

    looks: float
    unique: float
    rightly: float
    wrongly: float


def graph_attack(stolen: pl.DataFrame, own: pl.DataFrame, truth: pl.Series) -> Paired:
    """Pair rows whose look is unique on both sides.

    `own`: tokens that the attacker made of a file of its own under any key at all, since only equality
    counts; `truth`: for each stolen row the row in `own` of the same person, or null.
    """
    looks = [signatures(table) for table in (stolen, own)]
    theirs, mine = map(_unique, looks)
    paired = theirs.join(mine, on="look", suffix="_own")
    right = int(
        (paired["row_own"] == truth.cast(pl.UInt32).gather(paired["row"])).fill_null(value=False).sum()
    )
    rows = stolen.height
    return Paired(
        looks[0].n_unique() / rows, theirs.height / rows, right / rows, (paired.height - right) / rows
    )


def _unique(looks: pl.Series) -> pl.DataFrame:
    rows = looks.alias("look").to_frame().with_row_index("row")
    return rows.filter(pl.len().over("look") == 1)


@dataclass(frozen=True, slots=True)
class Crowds:
    """Of the slots that share a token. `slots`: their share of the list; `least`, `median`: records of the
    attacker's file that are in a pair of the same kind (None: no such slot); `named`: share of the whole list
    named rightly at best by drawing one of that crowd.
    """

    slots: float
    least: int | None
    median: int | None
    named: float


def crowds(stolen: pl.DataFrame, own: pl.DataFrame) -> Crowds:
    """How many records might stand behind a slot that shares tokens with another.

    A pair's kind is the set of match keys on which it agrees: that of twins, of father and son of one name.
    A slot that shares none may be anybody of the file.
    """
    kinds = _kinds(own).group_by("agree").agg(crowd=pl.col("row").n_unique())
    sharing = _kinds(stolen).join(kinds, on="agree").group_by("row").agg(pl.col("crowd").min())
    alone = (stolen.height - sharing.height) / own.height
    named = (float((1 / sharing["crowd"]).sum()) + alone) / stolen.height
    crowd: list[int | None] = sharing["crowd"].sort().to_list() or [None]
    return Crowds(sharing.height / stolen.height, crowd[0], crowd[len(crowd) // 2], named)


def _kinds(tokens: pl.DataFrame) -> pl.DataFrame:
    """`row` and `agree`: each row's kinds of pairs with others of the table."""
    pairs = candidates(tokens, tokens).filter(pl.col("slot") != pl.col("record"))
    return pairs.select(row="slot", agree="agree").unique()


def joined(parts: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """The values behind a column of tokens, as one text; null where a part is."""
    return parts.select(pl.concat_str(names, separator="|")).to_series()


def _share(rows: pl.Series, of: int) -> float:
    return int(rows.sum()) / of if of else 0.0
