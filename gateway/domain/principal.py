"""For whom a unit of work is done; the store shows each what its work needs (`gateway.ports.Store`)."""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from gateway.domain.errors import BadInputError

_WORD: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential was checked, or somebody who is still signing in.

    `kind`: the role of a council user, `partner`, or a phase of one (`sign-in`, `submission`); `id`: a user's
    opaque id or a partner's slug; `organisation`: that of a user who acts for one.
    """

    kind: str
    id: str = ""
    organisation: str = ""

    def __post_init__(self) -> None:
        for word in (self.kind, self.id or "x", self.organisation or "x"):
            if not _WORD.fullmatch(word):
                raise BadInputError("not a short name", place="principal")

    @property
    def tags(self) -> tuple[str, ...]:
        """What rows are shown by: `reviewer`; `partner:health`; `custodian@health`."""
        tags = [self.kind]
        if self.id:
            tags.append(f"{self.kind}:{self.id}")
        if self.organisation:
            tags.append(f"{self.kind}@{self.organisation}")
        return tuple(tags)

    def submitting(self) -> Self:
        """The same user while a list is taken in: what others asked of late counts against it."""
        return replace(self, kind="submission")


SIGNING_IN: Final = Principal("sign-in")
"""Nobody yet: enough to look a credential up, to use a one-time id, to count a failure."""


def partner(slug: str) -> Principal:
    return Principal("partner", slug)
