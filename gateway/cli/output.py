"""What every command prints with: results to standard output, messages to standard error."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(text: str) -> None:
    """An error, in plain text: markup in it stays as it is."""
    err.print("error:", style="bold red", end=" ")
    err.print(text, markup=False)


def say(text: str) -> None:
    """A message to the person at the terminal, beside the result."""
    err.print(text, markup=False)


def emit(value: Any) -> None:
    """A machine-readable result."""
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201


def table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", title_style="bold")
