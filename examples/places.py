"""Postcodes of an area that does not exist: units of about sixteen households, sectors, districts.

Royal Mail has no postcode area that begins with J. People of one origin live together: the share `together`
of `origins.csv` in an eighth of the sectors, most of them in the first of these.
"""

from dataclasses import dataclass
from typing import Final, Self

import polars as pl

from examples.draw import Draws
from examples.names import of_origin, table

HOUSEHOLDS_A_POSTCODE: Final = 16
_AREAS: Final = ("JB", "JD", "JN")
_ELSEWHERE: Final = "JW"
_UNIT_LETTERS: Final = "ABDEFGHJLNPQRSTUWXYZ"
_SECTORS_A_DISTRICT: Final = 6
_MOST_SECTORS: Final = len(_AREAS) * 99 * _SECTORS_A_DISTRICT
_FEWEST_UNITS, _FEWEST_SECTORS = 60, 20
_UNITS_A_SECTOR: Final = 150
_QUARTERS: Final = 8
_SAME_DISTRICT, _SAME_AREA = 0.62, 0.90  # bounds: of those who move, most move near


@dataclass(frozen=True, slots=True)
class Area:
    """sectors: their number. units: of each sector."""

    sectors: int
    units: int

    @classmethod
    def of(cls, households: int) -> Self:
        units = max(_FEWEST_UNITS, households // HOUSEHOLDS_A_POSTCODE)
        sectors = min(_MOST_SECTORS, max(_FEWEST_SECTORS, units // _UNITS_A_SECTOR))
        return cls(sectors, -(-units // sectors))

    def homes(self, draws: Draws, origin: pl.Series) -> pl.Series:
        """A sector for each household, by its origin."""
        size, all_origins = len(origin), table("origins")["origin"]
        quarter = max(1, self.sectors // _QUARTERS)
        first = origin.replace_strict(
            all_origins, pl.int_range(len(all_origins), eager=True) * self.sectors // 7, return_dtype=pl.Int64
        )
        near = (first + (draws.uniform("near", size) ** 2 * quarter).cast(pl.Int64)) % self.sectors
        together = draws.below("together", size, of_origin(origin, "together"))
        anywhere = draws.whole("anywhere", size, 0, self.sectors)
        return pl.select(pl.when(together).then(near).otherwise(anywhere)).to_series()

    def postcodes(self, draws: Draws, name: str, sector: pl.Series) -> pl.Series:
        """Any postcode of the sector."""
        unit = draws.whole(name, len(sector), 0, self.units)
        return _written(sector, unit, pl.Series([""])).alias(name)

    def others(self, draws: Draws, name: str, sector: pl.Series) -> pl.Series:
        """Where people of that sector may have lived before: mostly in the same district."""
        draws, size = draws.under(name), len(sector)
        district = sector // _SECTORS_A_DISTRICT * _SECTORS_A_DISTRICT
        near = (district + draws.whole("near", size, 0, _SECTORS_A_DISTRICT)) % self.sectors
        far = draws.whole("far", size, 0, self.sectors)
        distance = draws.uniform("distance", size)
        chosen = pl.select(pl.when(distance < _SAME_DISTRICT).then(near).otherwise(far)).to_series()
        letters = pl.when(distance < _SAME_AREA).then(pl.lit("")).otherwise(pl.lit(_ELSEWHERE))
        unit = draws.whole("unit", size, 0, self.units)
        return _written(chosen, unit, pl.select(letters).to_series()).alias(name)


def _letter(number: pl.Series) -> pl.Series:
    return pl.Series(list(_UNIT_LETTERS)).gather(number % len(_UNIT_LETTERS))


def _written(sector: pl.Series, unit: pl.Series, area: pl.Series) -> pl.Series:
    """`area`: letters instead of those that follow from the sector, or empty."""
    district = sector // _SECTORS_A_DISTRICT
    own = pl.Series(list(_AREAS)).gather(district % len(_AREAS))
    letters = pl.when(area == "").then(own).otherwise(area)
    number = (district // len(_AREAS) + 1).cast(pl.String)
    digit = (sector % _SECTORS_A_DISTRICT).cast(pl.String)
    tens = unit // len(_UNIT_LETTERS) * 7
    inward = digit + _letter(unit) + _letter(tens + unit)
    return pl.select(letters + number + " " + inward).to_series()
