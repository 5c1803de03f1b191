"""The legal day of a moment, Europe/London."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone

from gateway.domain.errors import BadInputError


def legal_date(at: datetime) -> date:
    """The day in London at an aware moment.

    Worked out from the rule (Summer Time Act 1972 as amended by SI 2002/262: 01:00 GMT on the last Sundays of
    March and October) and not from the machine's time-zone files, so that a decision replays the same on
    every machine. Exact for the years since 1996.

    Raises:
        BadInputError: the moment has no time zone.
    """
    return in_london(at).date()


def in_london(at: datetime) -> datetime:
    """An aware moment as the clocks in London show it, by the same rule.

    Raises:
        BadInputError: the moment has no time zone.
    """
    if at.tzinfo is None:
        raise BadInputError("the moment has no time zone", place="at")
    utc = at.astimezone(UTC)
    summer = _change(utc.year, 3) <= utc < _change(utc.year, 10)
    return utc.astimezone(timezone(timedelta(hours=1 if summer else 0)))


def start_of(day: date) -> datetime:
    """The moment, in UTC, at which a day begins in London. Clocks never change at midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    an_hour_before = midnight - timedelta(hours=1)
    return an_hour_before if legal_date(an_hour_before) == day else midnight


def _change(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)  # March and October both have 31 days
    return last - timedelta(days=(last.weekday() - calendar.SUNDAY) % 7)
