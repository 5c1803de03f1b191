"""Equal tokens within a list: how much of who lives with whom shows without household handles."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Shown:
    """Pairs of slots with an equal token. `precision`: how many are of one household; `recall`: how many of
    the pairs of one household are among them; `slots`: share of slots in any such pair.
    """

    pairs: int
    precision: float
    recall: float
    slots: float


def shown(tokens: pl.DataFrame, households: pl.Series, labels: Sequence[str]) -> Shown:
    """What the equality of tokens of these match keys says of the households."""
    rows = tokens.with_columns(household=households).with_row_index("slot")
    pairs = pl.concat(
        [_pairs(rows, label) for label in labels] or [pl.DataFrame(schema=_PAIR)], how="vertical"
    ).unique()
    home = rows.select("slot", "household")
    both = pairs.join(home, left_on="one", right_on="slot").join(home, left_on="other", right_on="slot")
    true = int((both["household"] == both["household_right"]).sum())
    sizes = households.value_counts(name="rows")["rows"].cast(pl.Int64)
    there = int((sizes * (sizes - 1) // 2).sum())
    seen = pl.concat([pairs["one"], pairs["other"]]).n_unique()
    return Shown(
        pairs.height, true / pairs.height if pairs.height else 0.0, true / there, seen / tokens.height
    )


_PAIR = pl.Schema({"one": pl.UInt32, "other": pl.UInt32})


def _pairs(rows: pl.DataFrame, label: str) -> pl.DataFrame:
    alike = rows.select("slot", label).drop_nulls().filter(pl.len().over(label) > 1)
    both = alike.join(alike, on=label, suffix="_other").filter(pl.col("slot") < pl.col("slot_other"))
    return both.select(one="slot", other="slot_other").cast(_PAIR)
