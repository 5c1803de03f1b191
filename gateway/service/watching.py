"""The rules of the review queue: pure, one entry of the log after another.

What a rule remembers is a JSON object of its own, so that a sweep looks at new entries alone. A decision
table of the rules stands in tests/unit/test_watching.py, their words in docs/review.md.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final, Self, TypeAlias

from audit.entry import Entry
from gateway.domain.alerts import Rule
from gateway.domain.errors import BadInputError
from gateway.domain.exchange import Role
from gateway.domain.legal_date import in_london, legal_date
from gateway.service.recording import SMALL

Memory: TypeAlias = dict[str, Any]
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Monday to Friday, London. Bank holidays are working days here."""

    first: time = time(7)
    last: time = time(19)

    def __post_init__(self) -> None:
        if self.first >= self.last:
            raise BadInputError("they end before they begin", place="working hours")

    @classmethod
    def read(cls, text: str) -> Self:
        """From `07:00-19:00`.

        Raises:
            BadInputError: not of that form, or they end before they begin.
        """
        try:
            first, last = map(time.fromisoformat, text.split("-"))
        except ValueError:
            raise BadInputError(
                "not working hours", place="working hours", way_out="Write them as 07:00-19:00"
            ) from None
        return cls(first, last)

    def hold(self, at: datetime) -> bool:
        local = in_london(at)
        return local.weekday() < _SATURDAY and self.first <= local.time() < self.last


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the rules begin to speak."""

    hours: WorkingHours = field(default_factory=WorkingHours)
    exchanges_a_day: int = 10
    people_a_day: int = 2_000
    times_the_usual: int = 3
    history_days: int = 28
    least_history: int = 5
    refusals_in_a_row: int = 5
    sign_ins_a_day: int = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found; an alert when it is the first of its rule, `about` and day."""

    rule: Rule
    about: str
    at: datetime
    detail: Mapping[str, str | int]

    @property
    def day(self) -> date:
        return legal_date(self.at)


def look(entries: Iterable[Entry], memory: Memory, limits: Limits) -> list[Found]:
    """What all rules find in new entries. `memory` is theirs, {} at first, and is brought up to date."""
    return [
        found
        for entry in entries
        for rule, see in _RULES.items()
        for found in see(entry, memory.setdefault(rule.value, {}), limits)
    ]


def _unusual_volume(entry: Entry, days: Memory, limits: Limits) -> Iterator[Found]:
    """People or exchanges of a user's day, against the median of that user's last active days."""
    user = _user(entry)
    if entry.kind not in _ASKED or user is None:
        return
    mine, today = days.setdefault(user, {}), legal_date(entry.at).isoformat()
    history = [count for day, count in mine.items() if day != today]
    exchanges, people = mine.get(today, (0, 0))
    mine[today] = [exchanges + 1, people + _people(entry)]
    for old in sorted(mine)[: -limits.history_days - 1]:
        del mine[old]
    told = {"exchanges": limits.exchanges_a_day, "people": limits.people_a_day}
    for column, (name, least) in enumerate(told.items()):
        usual = [count[column] for count in history]
        median = statistics.median_high(usual) if len(usual) >= limits.least_history else 0
        if mine[today][column] > max(least, limits.times_the_usual * median):
            yield Found(Rule.UNUSUAL_VOLUME, user, entry.at, {name: mine[today][column], "usual": median})


def _repeat_probing(entry: Entry, refused: Memory, limits: Limits) -> Iterator[Found]:
    """Refusals in a row, or many rows that were asked about too short a time ago."""
    user = _user(entry)
    if entry.kind not in _ASKED or user is None:
        return
    in_a_row = refused[user] = refused.get(user, 0) + 1 if entry.kind == _REFUSED else 0
    if in_a_row >= limits.refusals_in_a_row:
        yield Found(Rule.REPEAT_PROBING, user, entry.at, {"refusals in a row": in_a_row})
    again = _part(entry, "counts").get("asked_too_soon", 0)  # the log shows ten and more
    if again:
        yield Found(Rule.REPEAT_PROBING, user, entry.at, {"people asked about too soon": again})


def _out_of_hours(entry: Entry, _: Memory, limits: Limits) -> Iterator[Found]:
    """Anything that a user of the programme or a reviewer does outside working hours."""
    user = _user(entry)
    if user is not None and not limits.hours.hold(entry.at):
        yield Found(Rule.OUT_OF_HOURS, user, entry.at, {"kind": entry.kind})


def _first_use(entry: Entry, known: Memory, _: Limits) -> Iterator[Found]:
    """The first permit of a dataset."""
    dataset = entry.body.get("dataset")
    if entry.kind == _PERMITTED and isinstance(dataset, str) and dataset not in known:
        known[dataset] = True
        yield Found(Rule.FIRST_USE, dataset, entry.at, {"exchange": str(entry.body.get("exchange", ""))})


def _no_receipt(entry: Entry, waiting: Memory, _: Limits) -> Iterator[Found]:
    """An exchange that was authorised and ended without the partner's signature: follow it up."""
    exchange = str(entry.body.get("exchange", ""))
    if entry.kind == "exchange.request-authorised":
        waiting[exchange] = True
    elif entry.kind in _SIGNED_BY_PARTNER:
        waiting.pop(exchange, None)
    elif entry.kind in _ENDED and waiting.pop(exchange, None):
        partner = str(entry.body.get("recipient", ""))
        yield Found(Rule.NO_RECEIPT, exchange, entry.at, {"partner": partner, "kind": entry.kind})


def _failed_sign_ins(entry: Entry, today: Memory, limits: Limits) -> Iterator[Found]:
    """Many failed sign-ins of one kind of caller for one reason in a day."""
    failed = entry.body.get("count")
    if entry.kind != "access.denied" or not isinstance(failed, int):
        return
    day = legal_date(entry.at).isoformat()
    if today.get("day") != day:
        today.clear()
        today["day"] = day
    about = f"{entry.body.get('caller')} {entry.body.get('reason')}"
    today[about] = today.get(about, 0) + failed
    if today[about] >= limits.sign_ins_a_day:
        yield Found(Rule.FAILED_SIGN_INS, about, entry.at, {"failed": today[about]})


def _break_glass(entry: Entry, _: Memory, __: Limits) -> Iterator[Found]:
    """The operator let somebody in past the identity provider."""
    if entry.kind == "access.break-glass":
        detail = {"reason": str(entry.body.get("reason", "")), "role": str(entry.body.get("user_role", ""))}
        yield Found(Rule.BREAK_GLASS, str(entry.body.get("user", "")), entry.at, detail)


def _user(entry: Entry) -> str | None:
    actor = _part(entry, "actor")
    return str(actor.get("id")) if actor.get("role") in _USERS else None


def _people(entry: Entry) -> int:
    """The most that it can have been: the log hides counts under ten."""
    people = _part(entry, "counts").get("people", SMALL - 1)
    return people if isinstance(people, int) else SMALL - 1


def _part(entry: Entry, name: str) -> Mapping[str, Any]:
    value = entry.body.get(name)
    return value if isinstance(value, Mapping) else {}


_PERMITTED: Final = "exchange.permitted"
_REFUSED: Final = "exchange.refused"
_ASKED: Final = frozenset({_PERMITTED, _REFUSED})
_SIGNED_BY_PARTNER: Final = frozenset({"exchange.delivered", "exchange.declined", "exchange.failed"})
_ENDED: Final = frozenset({"exchange.expired", "exchange.cancelled"})
_USERS: Final = frozenset({Role.PROGRAMME.value, Role.REVIEWER.value})

_RULES: Final[Mapping[Rule, Callable[[Entry, Memory, Limits], Iterator[Found]]]] = {
    Rule.UNUSUAL_VOLUME: _unusual_volume,
    Rule.REPEAT_PROBING: _repeat_probing,
    Rule.OUT_OF_HOURS: _out_of_hours,
    Rule.FIRST_USE: _first_use,
    Rule.NO_RECEIPT: _no_receipt,
    Rule.FAILED_SIGN_INS: _failed_sign_ins,
    Rule.BREAK_GLASS: _break_glass,
}
"""Every rule but the one that only the submission can judge (`gateway.service.probes`)."""
