"""What the routes return. Only what stands here leaves: a key that a use case adds is dropped."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain.alerts import Closing, Rule
from gateway.domain.exchange import Granularity, Status
from gateway.web.problems import RowProblem


class Model(BaseModel):
    """Frozen; a validation error never shows what it choked on."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


Decision = Annotated[dict[str, Any], Field(description="The decision as the log holds it")]


class WithheldRow(Model):
    """A row that the policy keeps back. `reason` is a code of the policy's row rules."""

    line: int
    reason: str


class Submission(Model):
    """What became of a list. `repeated`: the idempotency key was used before, and this is that answer."""

    exchange: UUID
    decision: Decision
    withheld: list[WithheldRow]
    rejected: list[RowProblem]
    repeated: bool


class CheckedList(Model):
    """A list whose every row is good. `aliases`: headers as found, and the columns they stand for."""

    people: int
    households: int
    aliases: dict[str, str]


class Exchange(Model):
    """One exchange, without personal data."""

    exchange: UUID
    status: Status
    partner: str
    dataset: str
    purpose: str
    framework: str
    agreement: str
    granularity: Granularity
    indicators: list[str]
    submitted_at: datetime
    expires_at: datetime
    households: int
    people: int


class Exchanges(Model):
    """Newest first."""

    exchanges: list[Exchange]


class Unit(Model):
    """A household, or a person where the policy answers by person. No flag is no evidence of absence."""

    household_id: str
    person_id: str | None = None
    flags: list[str]


class WithheldPerson(Model):
    """A person who was not asked about, and why."""

    line: int
    household_id: str
    person_id: str
    reason: str


class Results(Model):
    """Flags of a released exchange. `register_complete`: permille of the register's rows by column."""

    exchange: UUID
    dataset: str
    granularity: Granularity
    indicators: list[str]
    units: list[Unit]
    register_date: date
    register_complete: dict[str, int]
    withheld: list[WithheldPerson]
    note: str


class LogEntry(Model):
    """One entry of the disclosure log. Whatever derives from persons is a salted commitment in `body`."""

    index: int
    id: UUID
    kind: str
    at: datetime
    body: dict[str, Any]


class Alert(Model):
    """Something to look into. `about`: an opaque user id, a dataset, an exchange or a kind of caller.

    `detail`: ids, codes and counts. `entry` is the id of its `review.raised` entry in the log.
    """

    alert: UUID
    rule: Rule
    about: str
    day: date
    at: datetime
    detail: dict[str, str | int]
    raised_at: datetime
    entry: UUID
    looked_at: datetime | None
    looked_by: UUID | None
    closed_at: datetime | None
    closed_by: UUID | None
    reason: Closing | None


class Alerts(Model):
    """Oldest first."""

    alerts: list[Alert]


class LogProof(Model):
    """RFC 9162 inclusion proof of the raw `leaf` in the tree of `size` entries; hashes in hex."""

    index: int
    size: int
    leaf: str
    proof: list[str]
    checkpoint: str


class AgreementState(Model):
    """`status`: proposed, in-force, revoked or expired."""

    number: str
    dataset: str
    status: str


class AgentState(Model):
    """Everything that one poll tells an agent. `waiting`: exchanges whose request may be fetched."""

    time: datetime
    prekeys: int
    waiting: list[UUID]
    agreements: list[AgreementState]


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


class AccessToken(Model):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: str
    expires_in: int


class TokenError(Model):
    """RFC 6749 §5.2."""

    error: str
    error_description: str | None = None


class Health(Model):
    """`ok` or `not ready`, and nothing else: this is open to everybody."""

    status: str
