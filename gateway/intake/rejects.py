"""Row errors: which line, which column, why; never what stood there."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from gateway.domain.errors import BadInputError

MAX_KEPT: Final = 10_000
"""Row errors that are kept of one upload; beyond it they are only counted."""


@dataclass(frozen=True, slots=True, order=True)
class RowError:
    """One bad cell. `line` is the 1-based physical line (or sheet row) where its row begins."""

    line: int
    column: str
    reason: str


class BadListError(BadInputError):
    """Rows are bad and the caller did not choose to go on without them."""

    code: ClassVar[str] = "bad-rows"

    def __init__(self, rows: Sequence[RowError], total: int) -> None:
        self.rows = tuple(rows)
        self.total = total
        shown = f", the first {len(rows)} of them listed" if total > len(rows) else ""
        super().__init__(
            f"{total} row error{'s' if total != 1 else ''}{shown}",
            place="upload",
            way_out="Correct the rows, or submit again accepting the valid ones",
        )


def rejects_csv(rows: Iterable[RowError]) -> str:
    """The row errors as CSV text: `line,column,reason`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("line", "column", "reason"))
    writer.writerows((row.line, row.column, row.reason) for row in rows)
    return out.getvalue()
