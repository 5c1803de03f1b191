"""What the use cases need from outside for partners' machines, as Protocols (like `gateway.ports`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TlsCertificate:
    """A TLS client certificate that a partner signed for. `thumbprint`: SHA-256 of the DER, 32 bytes."""

    partner: str
    thumbprint: bytes
    der: bytes
    expires_at: datetime
    announced_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """An enrolment that the operator opened for one short name.

    `key`: 32 bytes made slowly from the code, which is kept nowhere; `document`: the identity document that
    somebody who knew the code brought, as JSON; it is in force only once the operator confirmed it.
    """

    partner: str
    name: str
    key: bytes
    expires_at: datetime
    failed: int = 0
    document: str | None = None


class TlsCertificates(Protocol):
    """Client certificates by partner."""

    def announce(self, certificate: TlsCertificate, keep: int) -> bool:
        """Idempotent by thumbprint; whether it was new. The partner's newest `keep` stay, the others go.

        Raise ConflictError when it is another partner's.
        """

    def of(self, partner: str) -> list[TlsCertificate]:
        """Newest first."""

    def all(self) -> list[TlsCertificate]: ...


class Invitations(Protocol):
    """Open enrolments, one a short name."""

    def open(self, invitation: Invitation) -> None:
        """Takes the place of an earlier one of the same short name."""

    def get(self, partner: str) -> Invitation | None:
        """Holds the row until the unit of work ends, so that tries are counted one after the other."""

    def all(self) -> list[Invitation]:
        """By short name."""

    def failed(self, partner: str) -> None:
        """One more wrong try."""

    def take(self, partner: str, document: str, until: datetime) -> None:
        """Keep what was brought, for the operator to confirm until then."""

    def close(self, partner: str) -> None:
        """Idempotent."""
