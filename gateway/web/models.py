"""What the routes return. Only what stands here leaves: a key that a use case adds is dropped."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain.alerts import Closing, Rule
from gateway.domain.exchange import Granularity, Status
from gateway.domain.retention import RetentionClock
from gateway.service.subjects import Outcome, Reason
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
    """One exchange, without personal data. `waits_for`: whose cosignatures a delivered one waits for."""

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
    waits_for: list[str] = []


class ExchangeShown(Exchange):
    """One exchange, and what is kept of it. A day that is due is the first on which nothing is left."""

    results_due: date | None = None
    results_destroyed_at: datetime | None = None
    accounting_due: date | None = None
    accounting_destroyed_at: datetime | None = None
    held_until: date | None = None


class Certificate(Model):
    """A certificate of destruction, as compact JWS, and the clock that it is about."""

    clock: RetentionClock
    jws: str


class Certificates(Model):
    """Results first; empty as long as nothing is destroyed."""

    certificates: list[Certificate]


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


class LogPage(Model):
    """Entries, newest first. `before`: what to ask with for the next page; null when there is no more."""

    entries: list[LogEntry]
    before: int | None


_Detail = Annotated[str, Field(max_length=200)]


class Details(Model):
    """A person as typed: any columns of a person file. Never stored, never logged."""

    model_config = ConfigDict(extra="forbid", strict=True)

    forename: _Detail = ""
    surname: _Detail = ""
    dob: _Detail = ""
    sex: _Detail = ""
    postcode: _Detail = ""
    nhs_number: _Detail = ""
    upn: _Detail = ""
    nino: _Detail = ""
    pnc_id: _Detail = ""
    uprn: _Detail = ""


class SubjectQuestion(Model):
    """Whom a reviewer looks for, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Reason
    person: Details


class Ground(Model):
    """A law entry that a permit rests on, and for which requirement."""

    role: str
    id: str
    title: str
    citation: str


class Asked(Model):
    """One exchange that asked about the person. `entries`: numbers of the log's entries about it."""

    exchange: UUID
    matched_by: list[str]
    asked_at: datetime
    dataset: str
    recipient: str
    recipient_name: str
    purpose: str
    framework: str
    agreement: str
    law: list[Ground]
    indicators_asked: list[str]
    outcome: Outcome
    outcome_at: datetime
    disclosed: bool
    released_at: str = Field(description="Empty while nothing is released")
    retention_days: dict[str, int] = Field(description="Of the results, and of this account")
    entries: list[int]


class SubjectAnswer(Model):
    """Newest first. `unreadable`: exchanges that should have been looked at and could not be."""

    looked_at: int
    asked: list[Asked]
    unreadable: list[UUID]
    note: str


class ExtractQuestion(SubjectQuestion):
    """`checked`: somebody has looked at what is otherwise held back, and it may be told."""

    checked: bool = False


class HeldBack(Model):
    """An exchange left out of an extract until somebody has checked that it is safe to tell, and why."""

    exchange: UUID
    dataset: str
    reasons: list[str]


class SubjectExtract(Model):
    """`document` and `markdown` say the same, to the data subject; the rest is for the officer alone."""

    document: dict[str, Any]
    markdown: str
    held_back: list[HeldBack]
    unreadable: list[UUID]


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


class EvidenceRequest(Model):
    """`person`: a person_id or household_id of the list, to be proved alone. `openings`: open what is kept.

    `seen`: a checkpoint of this log (a signed note) that the evidence shall lead on from.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    person: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    openings: bool = False
    seen: Annotated[str, Field(max_length=1 << 17)] | None = None


class Witness(Model):
    """A partner's witness: its key (C2SP vkey), and the largest tree that it has cosigned."""

    partner: str
    key: str
    size: int | None
    at: datetime | None


class WitnessAlarm(Model):
    """A witness was shown another log. `seen`, `shown`: C2SP checkpoints; `notice`: the partner's JWS."""

    partner: str
    reason: str
    raised_at: datetime
    received_at: datetime
    seen: str
    shown: str
    shown_key: str
    notice: str


class Witnesses(Model):
    """Witnesses by partner; alarms, the newest first."""

    witnesses: list[Witness]
    alarms: list[WitnessAlarm]


class Succession(Model):
    """That a log's key took the place of another: the entry's JSON, and its C2SP tlog-proof."""

    leaf: str
    proof: str


class LogShown(Model):
    """The log as its witness sees it: key (JWS), checkpoint, proof in hex; the witness' own key and size.

    `successions`: how the key came after those before it, oldest first.
    """

    key: str
    successions: list[Succession]
    checkpoint: str
    proof: list[str]
    witness: str
    witnessed: int


class Receipts(Model):
    """SHA-256, hex, of what was sent and of what came back; null where there is none, or not any more."""

    request: str
    answer: str | None


class AgreementState(Model):
    """`status`: proposed, in-force, revoked or expired."""

    number: str
    dataset: str
    status: str


class CertificateName(Model):
    """A certificate that the agent has not taken yet."""

    exchange: UUID
    clock: RetentionClock


class AgentState(Model):
    """Everything that one poll tells an agent. `waiting`: exchanges whose request may be fetched."""

    time: datetime
    prekeys: int
    waiting: list[UUID]
    log: LogShown
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
