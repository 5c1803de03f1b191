"""A partner's signed notice that a request will not be answered."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from gateway.bundle.documents import Digest, Document, ExchangeField, Instant, Sign
from gateway.bundle.errors import WrongExchangeError, WrongRequestError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_REFUSAL


class RefusalCode(StrEnum):
    """Why there is no answer. Nothing finer leaves the partner."""

    DECLINED = "declined"
    SELF_TEST_FAILED = "self-test-failed"
    UNKNOWN_SCHEME = "unknown-scheme"
    NO_PREKEY = "no-prekey"
    EXPIRED = "expired"
    LIMITS = "limits"
    REJECTED = "rejected"
    REGISTER_ERROR = "register-error"


class Refusal(Document):
    """`request_digest`: hex SHA-256 of the request bundle as it was received."""

    type: Literal["flagstone/refusal/v1"] = "flagstone/refusal/v1"
    exchange: ExchangeField
    request_digest: Digest
    code: RefusalCode
    issued_at: Instant


def make_refusal(exchange: UUID, request_digest: str, code: RefusalCode, now: datetime, sign: Sign) -> str:
    """The signed notice, as compact JWS."""
    refusal = Refusal(exchange=exchange, request_digest=request_digest, code=code, issued_at=now)
    return sign(refusal.payload, TYP_REFUSAL)


def verify_refusal(token: str | bytes, partner: Identity, *, exchange: UUID, request_digest: str) -> Refusal:
    """The notice that the pinned `partner` signed about this very request.

    Raises:
        VerificationError: as `Document.verify`.
        WrongExchangeError: it is about another exchange.
        WrongRequestError: it is about another request of this exchange.
    """
    refusal = Refusal.verify(token, TYP_REFUSAL, partner)
    if refusal.exchange != exchange:
        raise WrongExchangeError("it is about another exchange", place="refusal")
    if refusal.request_digest != request_digest:
        raise WrongRequestError("it is about another request", place="refusal")
    return refusal
