"""Generations of keys in memory, and the successions between them, for tests of chains."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fakes import FakePartyKeys

from gateway.bundle.succession import (
    LEAST_SCHEDULED,
    RotationReason,
    follow_up,
    lineage_of,
    make_succession,
)
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.lineage import Lineage

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Keys(FakePartyKeys):
    """The keys of one generation of a party: real ones, the same for the same number."""

    def __init__(self, slug="council", number=0):
        super().__init__(slug)
        if number:
            other = FakePartyKeys(hashlib.sha256(f"{slug}/{number}".encode()).hexdigest()[:20])
            self._signing, self._auth, self._exchange = other._signing, other._auth, other._exchange


@dataclass
class FakeOwnKeys:
    """`gateway.key_ports.NextKeys` in memory."""

    slug: str = "council"
    successions: tuple[str, ...] = ()
    there: set[int] = field(default_factory=lambda: {0})
    announced: str | None = None

    @property
    def lineage(self) -> Lineage:
        return lineage_of(Keys(self.slug).identity, self.successions)

    @property
    def identity(self):
        return self.lineage.current.identity

    def sign(self, payload, typ):
        return self._current.sign(payload, typ)

    def sign_in(self, payload, typ):
        return self._current.sign_in(payload, typ)

    def agree(self, peer):
        return self._current.agree(peer)

    @property
    def _current(self):
        return Keys(self.slug, self.lineage.current.number)

    def generation(self, number):
        if number not in self.there or number > self.lineage.current.number:
            raise NotFoundError("never in use, or destroyed", place="keys")
        return Keys(self.slug, number)

    def held(self):
        return tuple(sorted(self.there))

    def destroy(self, number):
        if number == self.lineage.current.number:
            raise ConflictError("in use", place="keys")
        self.there.discard(number)

    def prepare(self):
        return Keys(self.slug, self.lineage.current.number + 1)

    def pending(self):
        return self.announced

    def announce(self, succession):
        self.announced = succession

    def use(self):
        self.successions = (*self.successions, self.announced)
        self.announced = None
        self.there.add(self.lineage.current.number)


def succession(lineage, new, *, old=None, now=START, days=None, reason=RotationReason.SCHEDULED, **changes):
    """A signed succession from the end of a lineage to `new`; `changes`: other fields of the document."""
    overlap = LEAST_SCHEDULED if days is None else timedelta(days=days)
    document = follow_up(lineage.current, new.identity, reason, now, now + overlap)
    if changes:
        document = type(document)(**(document.fields | changes))
    signer = old or Keys(lineage.current.identity.slug, len(lineage.generations) - 1)
    return make_succession(document, signer.sign, new.sign, new.sign_in)


def chain(length, slug="council"):
    """So many successions, a hundred days apart, oldest first."""
    tokens = []
    for number in range(length):
        lineage = lineage_of(Keys(slug).identity, tuple(tokens))
        tokens.append(succession(lineage, Keys(slug, number + 1), now=START + timedelta(days=100 * number)))
    return tokens
