"""What the routes of partners' agents return and read; as in `models`, only what stands here leaves."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from gateway.domain.retention import RetentionClock
from gateway.web.models import Model


class LogSuccession(Model):
    """That a log's key took the place of another: the entry's JSON, and its C2SP tlog-proof."""

    leaf: str
    proof: str


class LogShown(Model):
    """The log as its witness sees it: key (JWS), checkpoint, proof in hex; the witness' own key and size.

    `successions`: how the key came after those before it, oldest first.
    """

    key: str
    successions: list[LogSuccession]
    checkpoint: str
    proof: list[str]
    witness: str
    witnessed: int


class AgreementState(Model):
    """`status`: proposed, in-force, revoked or expired."""

    number: str
    dataset: str
    status: str


class CertificateName(Model):
    """A certificate that the agent has not taken yet."""

    exchange: UUID
    clock: RetentionClock


class KeysShown(Model):
    """What the gateway says of keys.

    `successions`: the council's, signed, oldest first, from the one on that the agent does not know; `taken`:
    the digest of the council's identity that the agent has said it knows, null where there is but one;
    `own`: the digest of the partner's identity that is accepted here.
    """

    successions: list[str]
    taken: str | None
    own: str


class AgentState(Model):
    """Everything that one poll tells an agent. `waiting`: exchanges whose request may be fetched."""

    time: datetime
    prekeys: int
    waiting: list[UUID]
    log: LogShown
    keys: KeysShown
    agreements: list[AgreementState]
    certificates: list[CertificateName]


class Agreement(Model):
    """An agreement document as the council signed it, and the partner's signature when there is one."""

    number: str
    council_jws: str
    partner_jws: str | None
    revoked: bool


class Prekeys(Model):
    """Signed one-time keys (compact JWS)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    prekeys: list[Annotated[str, Field(max_length=4096)]] = Field(min_length=1, max_length=200)
