"""What every command prints with: results to standard output, messages to standard error."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

# no markup and no emoji: what stands in square brackets or between colons may be somebody's identifier
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def fail(text: str) -> None:
    """An error, after the word that says so."""
    err.print("error:", style="bold red", end=" ")
    err.print(text)


def say(text: str) -> None:
    """A message to the person at the terminal, beside the result."""
    err.print(text)


def emit(value: Any) -> None:
    """A machine-readable result."""
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201


def table(title: str, *columns: str, rows: Iterable[Sequence[str]] = (), lines: bool = False) -> Table:
    """A table whose cells are never cut short: fingerprints and ids must be readable at any width."""
    headers = (Column(name, overflow="fold") for name in columns)
    made = Table(*headers, title=title, title_justify="left", title_style="bold", show_lines=lines)
    for row in rows:
        made.add_row(*row)
    return made


def count(number: int, noun: str) -> str:
    """`1 household`, `2 households`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
