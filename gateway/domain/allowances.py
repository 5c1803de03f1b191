"""How often each caller may do what, and how much may be asked about in a day: rates and quotas."""

from dataclasses import dataclass, fields
from enum import StrEnum

from gateway.domain.errors import BadInputError


class Rate(StrEnum):
    """What is counted by the minute; docs/limits.md says of whom."""

    SIGN_IN = "sign-in"  # by network address: sign-ins tried at the token endpoint, and those that failed
    READ = "read"  # by user
    SUBMIT = "submit"  # by user: lists checked or submitted
    SEARCH = "search"  # by user: the log searched
    POLL = "poll"  # by partner: everything that its agent asks for or brings


@dataclass(frozen=True, slots=True)
class Allowances:
    """So many a minute of each `Rate`, and so many on a day in London."""

    sign_in: int = 300
    read: int = 1_200
    submit: int = 60
    search: int = 120
    poll: int = 6_000
    submissions_a_day: int = 1_000
    """Exchanges that one user may start."""
    lists_a_day: int = 1_000
    """Exchanges that may be started under one agreement."""
    people_a_day: int = 1_000_000
    """People who may be asked about under one agreement."""

    def __post_init__(self) -> None:
        if any(getattr(self, each.name) < 1 for each in fields(self)):
            raise BadInputError("less than one", place="allowances")

    def a_minute(self, rate: Rate) -> int:
        number: int = getattr(self, rate.value.replace("-", "_"))
        return number
