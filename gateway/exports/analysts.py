"""CSV and Parquet for analysts: one row an entry, the same flat columns in every release.

Nothing here derives from persons: a leaf holds commitments where it would, and those stay out.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Final, TextIO

import polars as pl

from gateway.exports.reading import Numbered, text, texts

_COLUMNS: Final[dict[str, Any]] = {
    "index": pl.Int64,
    "id": pl.String,
    "at": pl.Datetime("ms", "UTC"),
    "kind": pl.String,
    "actor": pl.String,
    "actor_role": pl.String,
    "organisation": pl.String,
    "exchange": pl.String,
    "recipient": pl.String,
    "dataset": pl.String,
    "purpose": pl.String,
    "framework": pl.String,
    "agreement": pl.String,
    "granularity": pl.String,
    "indicators_asked": pl.String,
    "permitted": pl.Boolean,
    "unmet": pl.String,
    "citations": pl.String,
    "regime": pl.String,
    "policy_set": pl.String,
    "engine": pl.String,
    "people": pl.Int64,
    "households": pl.Int64,
    "withheld": pl.Int64,
    "counts_as_disclosed": pl.Boolean,
    "code": pl.String,
    "partner": pl.String,
    "user": pl.String,
    "format": pl.String,
    "alert": pl.String,
    "caller": pl.String,
    "reason": pl.String,
    "count": pl.Int64,
}
SCHEMA: Final = pl.Schema(_COLUMNS)
"""Columns and their types. A count is null where it is under ten: the log itself only commits to it."""

_TEXTS: Final = (
    *("exchange", "recipient", "dataset", "granularity", "code", "partner", "user", "format"),
    *("alert", "caller", "reason"),
)
_COUNTS: Final = ("people", "households", "withheld")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_PART: Final = 50_000


def rows(entries: Iterable[Numbered]) -> Iterator[tuple[Any, ...]]:
    """A row for each entry, in the order of `SCHEMA`; None where the entry says nothing."""
    for each in entries:
        told = _told(each)
        yield tuple(told.get(name) for name in SCHEMA)


def write_csv(entries: Iterable[Numbered], out: TextIO) -> int:
    """RFC 4180, a header line first. How many rows there are.

    A cell that a spreadsheet would take for a formula is led by an apostrophe (OWASP, CSV injection).
    """
    writer, count = csv.writer(out), 0
    writer.writerow(SCHEMA.names())
    for row in rows(entries):
        writer.writerow([_cell(value) for value in row])
        count += 1
    return count


def write_parquet(entries: Iterable[Numbered], out: BinaryIO) -> int:
    """One file, Zstandard. How many rows there are."""
    told, parts = rows(entries), [pl.DataFrame(schema=SCHEMA)]
    while part := list(islice(told, _PART)):
        parts.append(pl.DataFrame(part, SCHEMA, orient="row"))
    table = pl.concat(parts)
    table.write_parquet(out, compression="zstd")
    return table.height


def _told(each: Numbered) -> dict[str, Any]:
    entry, actor = each.entry, each.part("actor")
    named = {name: each.text(name) or None for name in _TEXTS}
    return (
        named
        | _decided(each)
        | {name: _count(each.part("counts").get(name)) for name in _COUNTS}
        | {
            "index": each.index,
            "id": str(entry.id),
            "at": entry.at,
            "kind": entry.kind,
            "actor": text(actor, "id") or None,
            "actor_role": text(actor, "role") or None,
            "organisation": text(actor, "organisation") or None,
            "indicators_asked": _joined(each.listed("indicators_asked")),
            "count": _count(entry.body.get("count")),
            "counts_as_disclosed": _truth(entry.body.get("counts_as_disclosed")),
        }
    )


def _decided(each: Numbered) -> dict[str, Any]:
    """What the decision says, where there is one; a refusal has its purpose and agreement only there."""
    decision = each.part("decision")
    found: dict[str, Any] = {
        name: each.text(name) or text(decision, name) or None
        for name in ("purpose", "framework", "agreement")
    }
    return found | {
        "permitted": _truth(decision.get("permitted")),
        "unmet": _joined(texts([item.get("code") for item in _objects(decision.get("unmet"))])),
        "citations": _joined(texts([item.get("citation") for item in _objects(decision.get("basis"))])),
        "regime": text(decision, "regime") or None,
        "policy_set": text(decision, "policy_set") or each.text("policy_set") or None,
        "engine": text(decision, "engine") or each.text("engine") or None,
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _joined(values: tuple[str, ...]) -> str | None:
    return "; ".join(dict.fromkeys(values)) or None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    written = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{written}" if isinstance(value, str) and written.startswith(_FORMULA) else written
