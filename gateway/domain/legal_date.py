"""The legal day, and the wall clock, of a moment in Europe/London."""

import calendar
from datetime import UTC, date, datetime, timedelta

from gateway.domain.errors import BadInputError


def legal_date(at: datetime) -> date:
    """The day in London at an aware moment.

    Raises:
        BadInputError: the moment has no time zone.
    """
    return london(at).date()


def london(at: datetime) -> datetime:
    """What the clocks of London show at an aware moment, without a zone.

    Worked out from the rule (Summer Time Act 1972 as amended by SI 2002/262: 01:00 GMT on the last Sundays of
    March and October) and not from the machine's time-zone files, so that a decision replays the same on
    every machine. Exact for the years since 1996.

    Raises:
        BadInputError: the moment has no time zone.
    """
    if at.tzinfo is None:
        raise BadInputError("the moment has no time zone", place="at")
    utc = at.astimezone(UTC)
    summer = _change(utc.year, 3) <= utc < _change(utc.year, 10)
    return (utc + timedelta(hours=1 if summer else 0)).replace(tzinfo=None)


def _change(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)  # March and October both have 31 days
    return last - timedelta(days=(last.weekday() - calendar.SUNDAY) % 7)
