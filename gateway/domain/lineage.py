"""One organisation's identities, oldest first: which stands in whose place, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Self

from gateway.domain.errors import BadInputError
from gateway.domain.identity import Identity


@dataclass(frozen=True, slots=True)
class Generation:
    """An identity in its time.

    `number`: of the succession that brought it, 0 for the enrolled one; `since`: from when, None for the
    enrolled one; `until`: the end of the overlap with its successor, None for the one that has none.
    """

    number: int
    identity: Identity
    since: datetime | None = None
    until: datetime | None = None

    @property
    def digest(self) -> str:
        """The identity's digest in hex, as manifests name it."""
        return self.identity.digest.hex()

    def accepted(self, at: datetime) -> bool:
        """Whether what it signs, or what is sealed to it, counts at a moment."""
        return self.until is None or at < self.until


@dataclass(frozen=True, slots=True)
class Lineage:
    """Never empty; all but the last have a successor, and no two are the same."""

    generations: tuple[Generation, ...]

    def __post_init__(self) -> None:
        if not self.generations or self.generations[-1].until is not None:
            raise BadInputError("a lineage ends with the identity that has no successor", place="lineage")
        if any(old.until is None or new.number <= old.number for old, new in pairwise(self.generations)):
            raise BadInputError("its generations are out of order", place="lineage")
        if len({each.digest for each in self.generations}) < len(self.generations):
            raise BadInputError("an identity stands twice", place="lineage")

    @classmethod
    def of(cls, identity: Identity) -> Self:
        """That of an identity which nothing has succeeded."""
        return cls((Generation(0, identity),))

    @property
    def current(self) -> Generation:
        return self.generations[-1]

    @property
    def identities(self) -> tuple[Identity, ...]:
        """All of them, the newest first: who may have signed what lies here for long."""
        return tuple(each.identity for each in reversed(self.generations))

    def accepted(self, at: datetime) -> tuple[Identity, ...]:
        """Those whose word counts at a moment, the newest first: the current one and, in overlap, older."""
        return tuple(each.identity for each in reversed(self.generations) if each.accepted(at))

    def named(self, digest: str) -> Generation | None:
        """The generation of an identity's hex digest."""
        return next((each for each in self.generations if each.digest == digest), None)

    def serving(self, digest: str, at: datetime) -> Generation:
        """The generation of this digest while it is accepted; else the current one."""
        found = self.named(digest)
        return found if found and found.accepted(at) else self.current

    @property
    def forebears(self) -> Mapping[str, frozenset[str]]:
        """For each identity's hex digest, those in whose place it stands, its own too."""
        digests = [each.digest for each in self.generations]
        return {digest: frozenset(digests[: place + 1]) for place, digest in enumerate(digests)}
