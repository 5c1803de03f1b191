"""The partner's own limits, whatever an agreement allows. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.domain.errors import ConfigurationError, VerificationError

DAY: Final = timedelta(hours=24)
"""A rolling day: no midnight at which twice the number may pass."""


class OverLimitError(VerificationError):
    """A request is within the agreement and over what this partner answers."""

    code = "over-limit"


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_exchanges_per_day`: requests accepted in any 24 hours."""

    max_people_per_request: int = 50_000
    max_exchanges_per_day: int = 20

    def __post_init__(self) -> None:
        if self.max_people_per_request < 1 or self.max_exchanges_per_day < 1:
            raise ConfigurationError("a limit must be 1 or more", place="agent.toml, [limits]")

    def check(self, people: int, accepted_today: int) -> None:
        """Refuse a request of `people` when `accepted_today` came before it.

        Raises:
            OverLimitError: it is over a limit; the text names which.
        """
        if people > self.max_people_per_request:
            raise OverLimitError("more people than this partner answers at once", place="own limits")
        if accepted_today >= self.max_exchanges_per_day:
            raise OverLimitError("more requests in a day than this partner answers", place="own limits")
