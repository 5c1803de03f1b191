"""Seeded randomness by column: the same numbers on every machine and under every version of Polars."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_MANTISSA: Final = 53


def _mixed(state: pl.Expr) -> pl.Expr:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014); unsigned arithmetic wraps."""
    for shift, factor in _MIX:
        state = (state ^ (state // 2**shift)) * pl.lit(factor, pl.UInt64)
    return state ^ (state // 2**31)


@dataclass(frozen=True, slots=True)
class Draws:
    """Independent streams by name: drawing one more never changes another."""

    seed: str

    def under(self, name: str) -> "Draws":
        return Draws(f"{self.seed}/{name}")

    def uniform(self, name: str, size: int) -> pl.Series:
        """`size` numbers in [0, 1)."""
        start = int.from_bytes(hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:8])
        state = pl.int_range(1, size + 1, dtype=pl.UInt64) * pl.lit(_GOLDEN, pl.UInt64)
        bits = _mixed(state + pl.lit(start, pl.UInt64)) // 2 ** (64 - _MANTISSA)
        return pl.select((bits / 2.0**_MANTISSA).alias(name)).to_series()

    def below(self, name: str, size: int, rate: float | pl.Series) -> pl.Series:
        """True with the probability `rate`, one for all or one for each."""
        return self.uniform(name, size) < rate

    def whole(self, name: str, size: int, low: int, high: int) -> pl.Series:
        """Integers in [low, high)."""
        return (self.uniform(name, size) * (high - low)).floor().cast(pl.Int64) + low

    def bell(self, name: str, size: int, low: int, high: int) -> pl.Series:
        """Integers in [low, high), most of them near the middle: the mean of three uniform numbers."""
        three = [self.uniform(f"{name}/{part}", size) for part in range(3)]
        return ((three[0] + three[1] + three[2]) / 3 * (high - low)).floor().cast(pl.Int64) + low

    def choice(self, name: str, size: int, weights: dict[int, float]) -> pl.Series:
        """Keys of `weights`, by weight."""
        values = pl.Series(list(weights), dtype=pl.Int64)
        bounds = pl.Series(list(weights.values()), dtype=pl.Float64).cum_sum()
        return values.gather(bounds.search_sorted(self.uniform(name, size) * bounds[-1], side="right")).alias(
            name
        )

    def one_of(self, name: str, size: int, values: Sequence[str]) -> pl.Series:
        """Texts, each as likely as the others."""
        return pl.Series(values, dtype=pl.String).gather(self.whole(name, size, 0, len(values))).alias(name)

    def order(self, name: str, size: int) -> pl.Series:
        """The indices 0 to size - 1, shuffled."""
        return self.uniform(name, size).arg_sort()


@dataclass(frozen=True, slots=True)
class Groups:
    """Texts with weights, in groups: one search draws for all groups at once."""

    texts: pl.Series
    bounds: pl.Series  # cumulative weight at the end of each text, over all groups
    spans: pl.DataFrame  # group, low, high

    @classmethod
    def of(cls, table: pl.DataFrame) -> "Groups":
        """From columns `group`, `name`, `weight`."""
        table = table.sort("group", maintain_order=True)
        table = table.with_columns(bound=pl.col("weight").cast(pl.Float64).cum_sum())
        spans = table.group_by("group", maintain_order=True).agg(
            low=pl.col("bound").first() - pl.col("weight").first(), high=pl.col("bound").last()
        )
        return cls(table["name"], table["bound"], spans)

    def draw(self, groups: pl.Series, uniform: pl.Series) -> pl.Series:
        """One text for each group named, by its own uniform number; null where there is no such group."""
        asked = pl.DataFrame({"group": groups, "u": uniform})
        place = asked.join(self.spans, on="group", how="left", maintain_order="left").select(
            pl.col("low") + pl.col("u") * (pl.col("high") - pl.col("low"))
        )
        known = place.to_series().is_not_null()
        found = self.bounds.search_sorted(place.to_series().fill_null(0.0), side="right")
        drawn = self.texts.gather(found.clip(0, len(self.texts) - 1))
        return pl.select(pl.when(known).then(drawn)).to_series()
