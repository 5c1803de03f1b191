"""What the use cases need from outside for partners' successions of keys (like `gateway.ports`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SuccessionRecord:
    """A partner's succession as it was signed. It counts once it is confirmed, which is at once by default.

    `fingerprint`: the new identity's.
    """

    partner: str
    sequence: int
    document: str
    fingerprint: str
    received_at: datetime
    confirmed_at: datetime | None


class Successions(Protocol):
    """Partners' successions, for ever; and by which of the council's identities each partner knows it."""

    def add(self, record: SuccessionRecord) -> None:
        """Raise ConflictError when the partner has one of this number."""

    def of(self, partner: str) -> list[SuccessionRecord]:
        """By number; those that wait for confirmation too."""

    def confirm(self, partner: str, sequence: int, at: datetime) -> None:
        """Idempotent. Raise NotFoundError when there is none."""

    def take(self, partner: str, council: str, jws: str, at: datetime) -> None:
        """Keep a partner's signed word that it knows the council by this digest (hex). Idempotent."""

    def taken(self, partner: str) -> str | None:
        """The digest of the newest such word."""
