"""Person files as Spark gets at them: what it reads, and how a batch of that becomes text cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from gateway.domain.errors import BadInputError
from gateway.intake.bulk import ENDLESS, person_header
from gateway.intake.columns import Header
from gateway.intake.csv_file import HEAD, CsvShape, read_rows
from gateway.intake.encoding import to_utf8
from gateway.intake.parquet_file import as_text
from gateway.intake.ranges import Range, cut
from gateway.intake.raw import NO_LINES, RawTable
from gateway.intake.stream import Format, format_of


class Source(Protocol):
    """A person file. It travels to the workers, so it holds names of files and columns, and no person."""

    @property
    def header(self) -> Header:
        """Which columns there are."""

    @property
    def dates_are_text(self) -> bool:
        """Whether the dates of birth must be told by all of them together."""

    def frame(self, spark: Any, columns: Sequence[str]) -> Any:
        """Spark's data frame, of which every Arrow batch goes to `tables`."""

    def tables(self, batch: pl.DataFrame) -> Iterator[RawTable]:
        """The text cells of a batch: at least the columns that were asked for."""


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file. Spark reads it; `line`: the row's number, from 1. `names`: our column -> the file's."""

    path: Path
    header: Header
    names: Mapping[str, str]
    dates_are_text: bool

    @classmethod
    def of(cls, spark: Any, path: Path) -> "ParquetSource":
        schema = spark.read.parquet(str(path)).schema
        header = person_header(schema.names)
        names = {column: schema.names[index] for column, index in header.positions.items()}
        text = "dob" in names and schema[names["dob"]].dataType.typeName() == "string"
        return cls(path, header, names, text)

    def frame(self, spark: Any, columns: Sequence[str]) -> Any:
        rows = spark.read.parquet(str(self.path))
        wanted = [f"{_quoted(self.names[name])} AS {name}" for name in columns if name in self.names]
        return rows.selectExpr("_metadata.row_index + 1 AS line", *wanted)

    def tables(self, batch: pl.DataFrame) -> Iterator[RawTable]:
        texts = [as_text(name, dtype) for name, dtype in batch.schema.items() if name != "line"]
        yield RawTable(batch.select(pl.col("line").cast(pl.UInt32), *texts), self.header, NO_LINES)


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file in UTF-8. Spark hands out the numbers of its parts; the workers read them as intake does."""

    path: Path
    shape: CsvShape
    parts: tuple[Range, ...]

    @classmethod
    def of(cls, path: Path) -> "CsvSource":
        return cls(path, *cut(path, person_header))

    @property
    def header(self) -> Header:
        return self.shape.header

    @property
    def dates_are_text(self) -> bool:
        return "dob" in self.header.positions

    def frame(self, spark: Any, columns: Sequence[str]) -> Any:  # noqa: ARG002 - a row is read whole anyway
        return spark.range(0, len(self.parts), 1, max(1, len(self.parts)))

    def tables(self, batch: pl.DataFrame) -> Iterator[RawTable]:
        for part in (self.parts[index] for index in batch["id"]):
            yield read_rows(to_utf8(part.read(self.path)), self.shape, ENDLESS, part.line)


def open_source(spark: Any, path: Path) -> Source:
    """The file as its first bytes say.

    Raises:
        BadInputError: it is empty, a workbook, or its header won't do.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise BadInputError("the file is empty", place=path.name)
    kind = format_of(head)
    if kind is Format.XLSX:
        raise BadInputError(
            "a workbook is too small for Spark", place=path.name, way_out="Use the engine polars"
        )
    return ParquetSource.of(spark, path) if kind is Format.PARQUET else CsvSource.of(path)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
