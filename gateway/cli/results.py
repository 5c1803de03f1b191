"""Results and refusals as a person reads them."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from gateway.bundle.tables import ANY
from gateway.cli.output import err, out, table
from gateway.service.results import NO_FLAG
from policies.rows import REASONS

_PERMILLE: Final = 10


def show_results(told: dict[str, Any], *, limit: int | None = None) -> None:
    """Flags per unit, those with flags first, and withheld rows with reasons; `limit` rows of each."""
    units = sorted(told["units"], key=lambda unit: not unit["flags"])
    by_person = any(unit.get("person_id") for unit in units)
    _limited(
        f"Flags from {told['dataset']}",
        ("Household, person" if by_person else "Household", "Flags"),
        [(_name(unit), "\n".join(map(_flag, unit["flags"])) or NO_FLAG) for unit in units],
        limit,
    )
    complete = ", ".join(
        f"{column} {share // _PERMILLE}%" for column, share in told["register_complete"].items()
    )
    out.print(f"Register of {told['register_date']}, complete in: {complete}")
    if told["withheld"]:
        rows = [_withheld(row) for row in told["withheld"]]
        _limited("Withheld: these rows never left", ("Line", "Household", "Reason"), rows, limit)


def _flag(code: str) -> str:
    return "at least one of the indicators asked" if code == ANY else code


def basis(decision: dict[str, Any]) -> list[str]:
    """Each provision that a permit rests on, once; those whose text nobody has confirmed yet say so."""
    unconfirmed = decision["unconfirmed"]
    citations = dict.fromkeys(ground["citation"] for ground in decision["basis"])
    return [f"{citation} (unconfirmed)" if citation in unconfirmed else citation for citation in citations]


def show_refusal(decision: dict[str, Any], console: Console = err) -> None:
    """Every unmet requirement, its citation, and the smallest change that would meet it."""
    rows = ((f"{unmet['requirement']}\n{unmet['citation']}", unmet["remedy"]) for unmet in decision["unmet"])
    headers = ("Unmet requirement, and its citation", "What would meet it")
    title = f"Refused: {decision['dataset']} for {decision['purpose']}"
    console.print(table(title, *headers, rows=rows, lines=True))


def show_withheld(rows: Sequence[dict[str, Any]], console: Console = err) -> None:
    """Rows that the policy's row rules withhold, by line and reason."""
    if rows:
        reasons = ((str(row["line"]), REASONS.get(row["reason"], row["reason"])) for row in rows)
        console.print(table("Withheld by the row rules", "Line", "Reason", rows=reasons))


def _limited(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], limit: int | None) -> None:
    out.print(table(title, *headers, rows=rows[:limit]))
    if limit is not None and len(rows) > limit:
        out.print(f"and {len(rows) - limit} more")


def _name(unit: dict[str, Any]) -> str:
    return " ".join(unit[key] for key in ("household_id", "person_id") if unit.get(key))


def _withheld(row: dict[str, Any]) -> tuple[str, str, str]:
    return (str(row["line"]), row["household_id"], REASONS.get(row["reason"], row["reason"]))
