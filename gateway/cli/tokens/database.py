"""People out of a database, for `flagstone tokens make --sql-file`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from adapters.registers.sql import frames
from gateway.cli.tokens.sources import Read
from gateway.intake.bulk import PART, person_header
from gateway.intake.columns import PERSON_COLUMNS
from gateway.intake.parquet_file import as_text
from gateway.intake.raw import NO_LINES, RawTable


@dataclass(frozen=True, slots=True)
class QuerySource:
    """The rows of one query, read once: a second reading may give others, so nothing of it resumes.

    Dates as text are read row by row: ISO, or day first.
    """

    url: str = field(repr=False)
    query: str = field(repr=False)
    name: str = "query"
    size: int = 0
    identity: str = ""
    columns: frozenset[str] = frozenset()

    def parts(self, first: int = 0, columns: tuple[str, ...] = PERSON_COLUMNS) -> Iterator[Read]:  # noqa: ARG002 - all of them, as the query says
        line = 1
        for frame in frames(self.url, self.query, PART):
            yield partial(_same, _table(frame, line))
            line += frame.height


def _same(table: RawTable) -> RawTable:
    return table


def _table(frame: pl.DataFrame, line: int) -> RawTable:
    header = person_header(frame.columns)
    texts = {
        column: as_text(frame.columns[index], frame.dtypes[index])
        for column, index in header.positions.items()
    }
    cells = frame.select(**texts).with_row_index("line", line)
    return RawTable(cells, header, NO_LINES)
