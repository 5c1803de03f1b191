"""From a signed export on this machine to the files that others' tools read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from audit.errors import AuditError
from gateway.domain.errors import ConfigurationError, VerificationError
from gateway.exports import analysts, article30, ecs, fhir
from gateway.exports.reading import Numbered, between, entries_of


class Format(StrEnum):
    """What `flagstone log export` writes."""

    SIGNED = "signed"
    CSV = "csv"
    PARQUET = "parquet"
    ECS = "ecs"
    FHIR = "fhir"
    ART30 = "art30"


@dataclass(frozen=True, slots=True)
class Period:
    """A span of days, both inclusive; None is without end."""

    since: date | None
    until: date | None

    @classmethod
    def read(cls, since: str, until: str) -> Self:
        """Read what was typed.

        Raises:
            ConfigurationError: not a day, or it ends before it begins.
        """
        period = cls(_day("--from", since), _day("--to", until))
        if period.since and period.until and period.until < period.since:
            raise ConfigurationError("it ends before it begins", place="--from and --to")
        return period

    def must_be_whole(self) -> None:
        """A signed log is whole or it proves nothing.

        Raises:
            ConfigurationError: the period is cut.
        """
        if self.since or self.until:
            raise ConfigurationError(
                "the signed log is exported whole", place="--from and --to", way_out="Leave them out"
            )

    @property
    def parameters(self) -> dict[str, str]:
        """As the API takes it."""
        days = {"from": self.since, "to": self.until}
        return {name: day.isoformat() for name, day in days.items() if day}


def convert(signed: Path, wanted: Format, period: Period, out_file: Path) -> int:
    """Write the entries of a period in a format; how many were written.

    Raises:
        VerificationError: the export is cut off or altered.
    """
    try:
        with signed.open("rb") as stream:
            council = fhir.council_of(entries_of(stream)) if wanted is Format.FHIR else ""
        with signed.open("rb") as stream:
            entries: Iterable[Numbered] = between(entries_of(stream), period.since, period.until)
            if wanted is Format.PARQUET:
                with out_file.open("wb") as binary:
                    return analysts.write_parquet(entries, binary)
            with out_file.open("w", encoding="utf-8", newline="") as text:
                if wanted is Format.CSV:
                    return analysts.write_csv(entries, text)
                if wanted is Format.ECS:
                    return ecs.write(entries, text)
                return fhir.write(entries, text, council=council)
    except AuditError as error:
        raise VerificationError(str(error), place="exported log") from None


def write_article_30(told: dict[str, Any], out_file: Path, *, as_json: bool) -> None:
    """The record of processing as JSON or Markdown."""
    made = json.dumps(told, ensure_ascii=False, indent=2) + "\n" if as_json else article30.markdown(told)
    out_file.write_text(made, encoding="utf-8")


def _day(place: str, typed: str) -> date | None:
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError:
        raise ConfigurationError("not a day", place=place, way_out="Write it as 2026-11-22") from None
