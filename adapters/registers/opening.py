"""Which register `agent.toml` means."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from adapters.registers.files import CsvRegister, ParquetRegister, unreadable
from adapters.registers.register import Columns, Register
from adapters.registers.sql import SqlRegister
from gateway.domain.errors import ConfigurationError

Kind = Literal["csv", "parquet", "sql"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a register is. `place`: a path, or for `sql` an SQLAlchemy URL (which may hold a password)."""

    kind: Kind
    place: str = field(repr=False)
    query: str = field(default="", repr=False)
    as_of: date | None = None
    columns: Columns = field(default_factory=Columns)

    def __post_init__(self) -> None:
        if (self.kind == "sql") != bool(self.query):
            raise ConfigurationError(
                "a query goes with kind sql, and with no other", place="agent.toml, [register]"
            )


def open_register(source: Source, today: date) -> Register:
    """The register as it is now. Its date: configured; else the file's last change; a database is of today.

    Raises:
        RegisterError: there is no such file.
    """
    if source.kind == "sql":
        return SqlRegister(source.place, source.query, source.as_of or today, source.columns)
    path = Path(source.place)
    of_kind = CsvRegister if source.kind == "csv" else ParquetRegister
    return of_kind(path, source.as_of or _changed(path), source.columns)


def _changed(path: Path) -> date:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    except OSError:
        raise unreadable("file") from None
