"""What a reviewer looks into: alerts, why they were raised and how they were closed; failed sign-ins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class Rule(StrEnum):
    """Why an alert is raised (`gateway.service.watching`; docs/review.md says each in full)."""

    UNUSUAL_VOLUME = "unusual-volume"
    REPEAT_PROBING = "repeat-probing"
    OUT_OF_HOURS = "out-of-hours"
    FIRST_USE = "first-use"
    NEAR_OVERLAP = "near-overlap"
    NO_RECEIPT = "no-receipt"
    FAILED_SIGN_INS = "failed-sign-ins"
    BREAK_GLASS = "break-glass"


class Closing(StrEnum):
    """Reason codes for closing an alert; there is no free text, which could hold anything."""

    EXPECTED = "expected"  # ordinary work, and the reviewer knows which
    TEST = "test"
    MISTAKE = "mistake"  # looked into with the user, and put right
    MISUSE = "misuse"  # handed to the data protection officer
    RECEIPT_CONFIRMED = "receipt-confirmed"  # the partner says what became of the request
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look into. `about`: an opaque user id, a dataset, an exchange or a kind of caller.

    There is one for each rule, `about` and legal `day`, however often it is found. `entry` and `salt` are
    those of its `review.raised` entry, which holds commitments to rule and `about` alone.
    """

    id: UUID
    rule: Rule
    about: str
    day: date
    at: datetime
    detail: Mapping[str, str | int] = field(default_factory=dict)
    raised_at: datetime | None = None
    entry: UUID | None = None
    salt: bytes = b""
    looked_at: datetime | None = None
    looked_by: UUID | None = None
    closed_at: datetime | None = None
    closed_by: UUID | None = None
    reason: Closing | None = None


class Caller(StrEnum):
    """Who tried to sign in, as far as that is known: by the form of the credential."""

    USER = "user"
    AGENT = "agent"
    BROWSER = "browser"  # a session, a one-time link or a provider's word


class Denied(StrEnum):
    """Why a sign-in failed."""

    UNKNOWN_TOKEN = "unknown-token"  # noqa: S105 - a reason code
    REVOKED = "revoked"
    BAD_ASSERTION = "bad-assertion"
    STALE_ASSERTION = "stale-assertion"
    REPLAYED_ASSERTION = "replayed-assertion"
    BAD_ACCESS_TOKEN = "bad-access-token"  # noqa: S105 - a reason code
    BAD_PROOF = "bad-proof"  # of possession: missing, for another request or key, or malformed
    REPLAYED_PROOF = "replayed-proof"
    BAD_CODE = "bad-code"  # of an enrolment
    UNKNOWN_SESSION = "unknown-session"
    FORGED = "forged-request"
    BAD_SIGN_IN = "bad-sign-in"
    BAD_LOGOUT = "bad-logout"
    BAD_LINK = "bad-link"
    NO_ROLE = "no-role"
    SEVERAL_ROLES = "several-roles"
    NO_ORGANISATION = "no-organisation"
    ONE_FACTOR = "one-factor"


@dataclass(frozen=True, slots=True)
class Denials:
    """How many sign-ins failed for one reason in one minute (its first instant, UTC)."""

    caller: Caller
    reason: Denied
    minute: datetime
    count: int
