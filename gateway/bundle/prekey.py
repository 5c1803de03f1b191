"""One-time prekeys that a partner's agent leaves, signed, at the gateway (DESIGN.md §4)."""

from datetime import datetime
from typing import Literal

from gateway.bundle.documents import Code, Document, Instant, Key32, Sign
from gateway.bundle.errors import ExpiredError, WrongKeyError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_PREKEY


class Prekey(Document):
    """`public`: X25519, 32 bytes; `partner`: the slug of who made it."""

    type: Literal["flagstone/prekey/v1"] = "flagstone/prekey/v1"
    id: Code
    partner: Code
    public: Key32
    expires_at: Instant


def make_prekey(prekey_id: str, public: bytes, partner: str, expires_at: datetime, sign: Sign) -> str:
    """The signed prekey, as compact JWS."""
    prekey = Prekey(id=prekey_id, public=public, partner=partner, expires_at=expires_at)
    return sign(prekey.payload, TYP_PREKEY)


def verify_prekey(token: str | bytes, partner: Identity, now: datetime) -> Prekey:
    """The prekey that the pinned `partner` signed.

    Raises:
        VerificationError: as `Document.verify`.
        WrongKeyError: it names another partner.
        ExpiredError: its time is over.
    """
    prekey = Prekey.verify(token, TYP_PREKEY, partner)
    if prekey.partner != partner.slug:
        raise WrongKeyError("it names another partner", place="prekey")
    if prekey.expires_at <= now:
        raise ExpiredError("its time is over", place="prekey", way_out="Check the clock; make new prekeys")
    return prekey
