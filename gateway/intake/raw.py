"""What every format is read into: text cells with the line each row stood on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from gateway.intake.columns import Header

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

    def __repr__(self) -> str:
        return f"RawTable({self.cells.height} rows)"
