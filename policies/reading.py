"""Strict reading of one TOML table: every key must be known, present and of its type."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from gateway.domain.errors import BadInputError
from policies.model import Span

_ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LONGEST_TEXT = 2_000

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a policy folder can't be used."""

    file: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.reason}"


class PolicyFileError(BadInputError):
    """A policy folder is refused whole. `problems` names file, key and reason of each fault found."""

    code = "bad-policy"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems), place="policies")


@dataclass(slots=True)
class Table:
    """A TOML table being read. Leaving a key unread is an error: see `done`."""

    file: str
    path: str
    values: Mapping[str, Any]
    read: set[str] = field(default_factory=set)

    def fault(self, key: str, reason: str) -> PolicyFileError:
        return PolicyFileError((Problem(self.file, f"{self.path}{key}", reason),))

    def _take(self, key: str, kind: type, called: str, default: Any = None) -> Any:
        self.read.add(key)
        value = self.values.get(key, default)
        if value is None:
            raise self.fault(key, "is missing")
        # bool is an int and datetime is a date for isinstance, never for us
        if type(value) is not kind:
            raise self.fault(key, f"must be {called}")
        return value

    def text(self, key: str) -> str:
        value: str = self._take(key, str, "text")
        if not value.strip() or not value.isprintable() or len(value) > _LONGEST_TEXT:
            raise self.fault(key, f"must be 1 to {_LONGEST_TEXT} printable characters")
        return value

    def id(self, key: str = "id") -> str:
        return self._as_id(key, self.text(key))

    def ids(self, key: str, *, default: list[str] | None = None) -> tuple[str, ...]:
        return tuple(self._as_id(key, item) for item in self.texts(key, default=default))

    def _as_id(self, key: str, value: str) -> str:
        if not _ID.fullmatch(value):
            raise self.fault(key, "must be a-z, 0-9 and single . _ - between them")
        return value

    def texts(self, key: str, *, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of text without duplicates; pass `default=[]` where it may be left out."""
        items = self._take(key, list, "a list", default)
        if not all(isinstance(item, str) and item.strip() and item.isprintable() for item in items):
            raise self.fault(key, "must hold printable text only")
        if len(set(items)) != len(items):
            raise self.fault(key, "names something twice")
        if not items and default is None:
            raise self.fault(key, "must not be empty")
        return tuple(items)

    def among(self, key: str, known: Collection[str], *, default: list[str] | None = None) -> tuple[str, ...]:
        """A list whose items all stand in a closed vocabulary."""
        items = self.texts(key, default=default)
        for place, item in enumerate(items, start=1):
            if item not in known:
                raise self.fault(key, f"item {place} must be one of {', '.join(sorted(known))}")
        return items

    def integer(self, key: str, low: int, high: int) -> int:
        value: int = self._take(key, int, "a whole number")
        if not low <= value <= high:
            raise self.fault(key, f"must lie between {low} and {high}")
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        value: bool = self._take(key, bool, "true or false", default)
        return value

    def choice(self, key: str, kind: type[E]) -> E:
        return self._member(key, kind, self.text(key))

    def choices(self, key: str, kind: type[E], *, default: list[str] | None = None) -> tuple[E, ...]:
        return tuple(self._member(key, kind, item) for item in self.texts(key, default=default))

    def _member(self, key: str, kind: type[E], value: str) -> E:
        try:
            return kind(value)
        except ValueError:
            raise self.fault(key, f"must be one of {', '.join(kind)}") from None

    def day(self, key: str) -> date:
        value: date = self._take(key, date, "a date without quotes")
        return value

    def span(self) -> Span:
        """`valid_from`, and `valid_to` where it is known."""
        start = self.day("valid_from")
        end = self.day("valid_to") if "valid_to" in self.values else None
        if end is not None and end < start:
            raise self.fault("valid_to", "lies before valid_from")
        return Span(start, end)

    def table(self, key: str) -> "Table":
        return Table(self.file, f"{self.path}{key}.", self._take(key, dict, "a table"))

    def tables(self, key: str, *, default: list[Any] | None = None) -> Iterator["Table"]:
        """Each table of an array of tables; its path carries its id, or its place in the array."""
        for place, item in enumerate(self._take(key, list, "an array of tables", default), start=1):
            name = item.get("id", item.get("code", place)) if isinstance(item, dict) else place
            if not isinstance(item, dict):
                raise self.fault(f"{key}[{place}]", "must be a table")
            yield Table(self.file, f"{self.path}{key}[{name}].", item)

    def done(self) -> None:
        """Refuse keys that nobody read: a misspelt limit must not be a limit left out."""
        unknown = sorted(set(self.values) - self.read)
        if unknown:
            raise self.fault(unknown[0], "is an unknown key")


def whole(table: Table, parse: Callable[[Table], T]) -> T:
    """Parse a table and refuse what the parser left unread."""
    value = parse(table)
    table.done()
    return value
