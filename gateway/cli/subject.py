"""Searching the log for one person: details are typed, or read from a file; never arguments."""

import csv
import io
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import typer

from gateway.cli.client import api, call
from gateway.cli.files import small
from gateway.cli.output import count, out, say, table
from gateway.domain.errors import BadInputError
from gateway.domain.legal_date import in_london
from gateway.domain.people import IDENTIFYING
from gateway.intake.columns import column_of

PROMPTS: Final = {
    "forename": "Forename",
    "surname": "Surname",
    "dob": "Date of birth",
    "postcode": "Postcode",
    "nhs_number": "NHS number",
    "upn": "Unique pupil number",
    "nino": "National Insurance number",
}
_MAX_STDIN: Final = 1 << 16


def details(file: Path | None) -> dict[str, str]:
    """A person's details: of a CSV file of one row, of such a file on standard input, or as they are typed.

    Raises:
        BadInputError: not one row, or no column that is known.
    """
    if file is not None:
        return _of_csv(small(file), file.name)
    if sys.stdin.isatty():
        say("Type what is known; leave the rest empty. Nothing of it is stored.")
        return {name: typer.prompt(text, default="", show_default=False) for name, text in PROMPTS.items()}
    return _of_csv(sys.stdin.buffer.read(_MAX_STDIN), "standard input")


def _of_csv(data: bytes, place: str) -> dict[str, str]:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    rows = [row for row in rows if any(row)]
    if len(rows) != 2 or len(rows[0]) != len(rows[1]):  # noqa: PLR2004 - a header and a person
        raise BadInputError(
            "not a header and one row", place=place, way_out="Give one person as CSV, in UTF-8"
        )
    named = {column: cell for name, cell in zip(*rows, strict=True) if (column := column_of(name))}
    return {name: cell for name, cell in named.items() if name in IDENTIFYING}


def ask(path: str, person: Mapping[str, str], reason: str, **more: Any) -> Any:
    """Put a question about a person to the gateway, in the body of the request."""
    with api() as client:
        return call(client, "POST", path, json={"reason": reason, "person": dict(person)} | more)


def show_answer(answer: Mapping[str, Any]) -> None:
    """Who was told what about the person, a block an exchange, and what that does not mean."""
    made = table(
        "Asked about this person", "When, outcome, exchange", "To whom, of what, why, law", lines=True
    )
    made.columns[0].no_wrap = True
    for asked in answer["asked"]:
        made.add_row(*_row(asked))
    out.print(made)
    say(f"{count(len(answer['asked']), 'exchange')} of {answer['looked_at']} looked at")
    for exchange in answer["unreadable"]:
        say(f"Could not be looked at, its tags do not open: {exchange}")
    say(answer["note"])


def show_held_back(extract: Mapping[str, Any], *, checked: bool) -> None:
    """For the officer: what the data subject is not told, or is told because somebody has checked it."""
    for held in extract["held_back"]:
        stands = "It is in the extract" if checked else "Left out until somebody has checked it (--checked)"
        say(f"{stands}: exchange {held['exchange']}, {held['dataset']}: {'; '.join(held['reasons'])}")
    for exchange in extract["unreadable"]:
        say(f"Could not be looked at, its tags do not open: {exchange}")


def _row(asked: Mapping[str, Any]) -> tuple[str, str]:
    outcome = asked["outcome"] if asked["disclosed"] else f"{asked['outcome']}, nothing disclosed"
    law = "; ".join(dict.fromkeys(ground["citation"] for ground in asked["law"]))
    said = (
        ("to", f"{asked['recipient_name']} ({asked['recipient']})"),
        ("of", asked["dataset"]),
        ("for", asked["purpose"]),
        ("agreement", asked["agreement"]),
        ("under", law),
        ("entries", ", ".join(map(str, asked["entries"]))),
        *((f"log {number}", ", ".join(map(str, at))) for number, at in asked["earlier_entries"].items()),
        ("matched by", "; ".join(asked["matched_by"])),
    )
    when = in_london(datetime.fromisoformat(asked["asked_at"]))
    told = f"{when:%Y-%m-%d %H:%M}\n{outcome}\n{asked['exchange']}"
    return told, "\n".join(f"{word} {text}" for word, text in said)
