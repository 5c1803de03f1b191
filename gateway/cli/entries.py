"""How entries of the log are shown to an IG officer: when, what, who, to whom, of what, why, by which law."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from textwrap import wrap
from typing import Any, Final

from rich.table import Table

from gateway.cli.output import table
from gateway.domain.legal_date import in_london

OUTCOMES: Final = {
    "exchange.permitted": "permitted; nothing has left yet",
    "exchange.refused": "refused",
    "exchange.request-authorised": "list authorised to the partner: counts as disclosed",
    "exchange.delivered": "the partner answered",
    "exchange.release-authorised": "flags released to the council",
    "exchange.declined": "the partner declined",
    "exchange.failed": "the partner's agent failed",
    "exchange.expired": "no answer in time",
    "exchange.cancelled": "cancelled",
}
_ID_WIDTH: Final = 36
_ABOUT: Final = ("exchange", "agreement", "user", "reason")


def entries_table(entries: Iterable[dict[str, Any]]) -> Table:
    """Three columns of several lines each, so that kinds and ids stay whole on 80 columns."""
    made = table(
        "Disclosure log", "No., when", "What, outcome, about", "Who, to whom, of what, why, law", lines=True
    )
    for column in made.columns[:2]:
        column.no_wrap = True
    for entry in entries:
        made.add_row(*_row(entry))
    return made


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    body = entry["body"]
    when = in_london(datetime.fromisoformat(entry["at"]))
    told = [entry["kind"], *wrap(_outcome(entry["kind"], body), _ID_WIDTH), *_about(body)]
    return (
        f"{entry['index']}\n{when:%Y-%m-%d}\n{when:%H:%M:%S}",
        "\n".join(told),
        "\n".join(f"{word} {value}" for word, value in _said(body) if value),
    )


def _about(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(body[name]) for name in _ABOUT if name in body)


def _outcome(kind: str, body: Mapping[str, Any]) -> str:
    reasons = [str(each["code"]) for each in _decision(body).get("unmet", ())]
    if kind in {"exchange.declined", "exchange.failed"} and "code" in body:
        reasons.append(str(body["code"]))
    if kind in {"exchange.cancelled", "exchange.expired"} and body.get("counts_as_disclosed"):
        reasons.append("counts as disclosed")
    outcome = OUTCOMES.get(kind, "")
    return f"{outcome}: {', '.join(reasons)}" if reasons else outcome


def _said(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    actor = body.get("actor", {})
    yield "by", " ".join(str(actor[key]) for key in ("role", "id", "organisation") if key in actor)
    yield "to", str(body.get("recipient") or body.get("partner") or "")
    yield "of", str(body.get("dataset", ""))
    yield "for", str(body.get("purpose") or _decision(body).get("purpose", ""))
    yield (
        "under",
        "; ".join(dict.fromkeys(str(each["citation"]) for each in _decision(body).get("basis", ()))),
    )


def _decision(body: Mapping[str, Any]) -> Mapping[str, Any]:
    decision: Mapping[str, Any] = body.get("decision", {})
    return decision
