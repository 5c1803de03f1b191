"""People out of a database, for `flagstone tokens make --sql-file`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from adapters.registers.sql import frames
from gateway.cli.tokens.sources import PART, Read
from gateway.intake.columns import PERSON_COLUMNS, read_header
from gateway.intake.limits import PERSON_FILE_LIMITS
from gateway.intake.parquet_file import as_text
from gateway.intake.raw import RawTable


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

    def parts(self, first: int = 0, columns: tuple[str, ...] = PERSON_COLUMNS) -> Iterator[Read]:  # noqa: ARG002 - the query says which
        line = 1
        for frame in frames(self.url, self.query, PART):
            table = _table(frame, line)
            line += frame.height
            if first:
                first -= 1
            else:
                yield partial(_same, table)


def _same(table: RawTable) -> RawTable:
    return table


def _table(frame: pl.DataFrame, line: int) -> RawTable:
    header = read_header(frame.columns, PERSON_COLUMNS, (), PERSON_FILE_LIMITS.max_columns)
    texts = {
        column: as_text(frame.columns[index], frame.dtypes[index])
        for column, index in header.positions.items()
    }
    cells = frame.select(**texts).with_row_index("line", line)
    return RawTable(cells, header, pl.Series("line", [], pl.UInt32))
