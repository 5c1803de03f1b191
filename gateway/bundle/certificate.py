"""A council's signed word that what it kept of an exchange is destroyed."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from gateway.bundle.documents import Digest, Document, ExchangeField, Instant, Sign
from gateway.bundle.errors import WrongExchangeError, WrongKeyError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_CERTIFICATE
from gateway.domain.retention import RetentionClock

MAX_CERTIFICATE = 4096
"""Characters of a certificate at most."""

_ClockField = Annotated[
    RetentionClock, BeforeValidator(lambda text: RetentionClock(text) if isinstance(text, str) else text)
]


class Certificate(Document):
    """Not a word about a person: ids, digests of keys and of an encrypted bundle, times and numbers.

    `issuer`, `recipient`: hex SHA-256 of the two identities; `request_digest`: that of the request bundle;
    `log_entry`: the number of the destruction's entry in the council's log, from 0; `key_backup_days`: how
    long after `destroyed_at` a backup of the council's keys may still exist.
    """

    type: Literal["flagstone/destruction/v1"] = "flagstone/destruction/v1"
    issuer: Digest
    recipient: Digest
    exchange: ExchangeField
    request_digest: Digest
    clock: _ClockField
    destroyed_at: Instant
    log_entry: Annotated[int, Field(ge=0)]
    key_backup_days: Annotated[int, Field(ge=0, le=3650)]


def make_certificate(
    issuer: Identity,
    recipient: Identity,
    sign: Sign,
    *,
    exchange: UUID,
    request_digest: str,
    clock: RetentionClock,
    destroyed_at: datetime,
    log_entry: int,
    key_backup_days: int,
) -> str:
    """The signed certificate, as compact JWS."""
    certificate = Certificate(
        issuer=issuer.digest.hex(),
        recipient=recipient.digest.hex(),
        exchange=exchange,
        request_digest=request_digest,
        clock=clock,
        destroyed_at=destroyed_at,
        log_entry=log_entry,
        key_backup_days=key_backup_days,
    )
    return sign(certificate.payload, TYP_CERTIFICATE)


def verify_certificate(
    token: str | bytes, council: Identity, recipient: Identity, *, exchange: UUID, clock: RetentionClock
) -> Certificate:
    """What the pinned `council` certified to `recipient` of this very exchange and clock.

    Raises:
        VerificationError: as `Document.verify`.
        WrongKeyError: it is between other identities.
        WrongExchangeError: it is about another exchange, or another of its clocks.
    """
    certificate = Certificate.verify(token, TYP_CERTIFICATE, council)
    if (certificate.issuer, certificate.recipient) != (council.digest.hex(), recipient.digest.hex()):
        raise WrongKeyError("it is between other identities", place="certificate")
    if (certificate.exchange, certificate.clock) != (exchange, clock):
        raise WrongExchangeError("it is about another exchange or clock", place="certificate")
    return certificate
