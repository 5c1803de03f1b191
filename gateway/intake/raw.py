"""What every format is read into: text cells with the line each row stood on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from gateway.intake.columns import Header

NO_LINES: Final = pl.Series("line", [], pl.UInt32)

HeaderReader = Callable[[Sequence[str]], Header]
"""Maps header cells to columns; raises BadInputError when they won't do."""


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """`cells`: `line` (UInt32) and one String column for each known column, as it stood in the file.

    `too_long`: lines of rows that have more cells than the header.
    """

    cells: pl.DataFrame
    header: Header
    too_long: pl.Series

    def with_ids(self) -> "RawTable":
        """Itself; where there is no `person_id` column, with the line number as the id."""
        if "person_id" in self.header.positions:
            return self
        cells = self.cells.with_columns(person_id=pl.col("line").cast(pl.String))
        return RawTable(cells, self.header, self.too_long)

    def __repr__(self) -> str:
        return f"RawTable({self.cells.height} rows)"
