"""How a person signed in, how strongly and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from gateway.domain.exchange import Role


class Way(StrEnum):
    """How a session began."""

    PROVIDER = "provider"  # OpenID Connect
    LINK = "link"  # a one-time link, while there is no provider
    BREAK_GLASS = "break-glass"  # the operator's way in while the provider is down


class Ended(StrEnum):
    """Why a session ended."""

    SIGNED_OUT = "signed-out"
    BY_PROVIDER = "by-provider"  # OpenID Connect Back-Channel Logout 1.0
    REPLACED = "replaced"  # the same browser signed in anew
    IDLE = "idle"
    LIMIT = "limit"
    ROLE_WITHDRAWN = "role-withdrawn"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. Of its 256-bit secret the SHA-256 is kept; `id` is what the log calls it.

    `provider_session`: SHA-256 over the provider's issuer and its `sid`, for its logout.
    """

    id: UUID
    secret_hash: bytes
    user: UUID
    role: Role
    way: Way
    multi_factor: bool
    began_at: datetime
    seen_at: datetime
    ends_at: datetime
    provider_session: bytes | None = None

    def over(self, now: datetime, idle: timedelta) -> Ended | None:
        """Why it may not be used any more, if it may not. Break-glass has its hour, used or not."""
        if now >= self.ends_at:
            return Ended.LIMIT
        if self.way is Way.BREAK_GLASS:
            return None
        return Ended.IDLE if now - self.seen_at >= idle else None


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link: whoever opens it first is signed in as `user`. `session_ends_at`: at the latest."""

    code_hash: bytes
    user: UUID
    way: Way
    expires_at: datetime
    session_ends_at: datetime


@dataclass(frozen=True, slots=True)
class SignInRules:
    """What an installation demands of whoever signs in. `provider`: there is one, and it alone signs in."""

    provider: bool = False
    idle: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=10)
    token: timedelta = timedelta(hours=1)
    two_person_release: bool = False
    two_person_within: timedelta = timedelta(hours=24)
