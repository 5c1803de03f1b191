"""How much an upload may hold. Every reader checks before it allocates."""

from dataclasses import dataclass, fields
from typing import Final

from gateway.domain.errors import BadInputError

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one upload; each at least 1."""

    max_bytes: int = 64 * _MIB
    max_unpacked: int = 512 * _MIB  # bytes, of a workbook or Parquet file once decompressed
    max_rows: int = 200_000
    max_columns: int = 64
    max_cell: int = 2_000  # characters

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise BadInputError("must be at least 1", place=f"limit {field.name}")


PERSON_FILE_LIMITS: Final = Limits(max_bytes=1024 * _MIB, max_unpacked=2048 * _MIB, max_rows=5_000_000)
"""For person files read on the owner's own machine, such as a whole register."""
