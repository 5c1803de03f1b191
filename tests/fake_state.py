"""What the store in memory holds, and what must refer to what in it; see `fake_store`."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from gateway.domain.alerts import Alert, Caller, Denied
from gateway.domain.errors import ConflictError
from gateway.domain.exchange import Exchange, ExchangeId
from gateway.domain.proposals import Proposal
from gateway.domain.retention import Hold, Retention, RetentionClock
from gateway.domain.sessions import Link, Session
from gateway.machine_ports import Invitation, TlsCertificate
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord, User
from gateway.ports import Submission
from gateway.review_ports import IndexRow
from gateway.succession_ports import SuccessionRecord
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord


@dataclass
class State:
    """Everything committed. Values are immutable, so a copy of the containers is a snapshot."""

    partners: dict[str, Partner] = field(default_factory=dict)
    agreements: dict[str, AgreementRecord] = field(default_factory=dict)
    users: dict[UUID, User] = field(default_factory=dict)
    sessions: dict[UUID, Session] = field(default_factory=dict)
    session_tokens: dict[bytes, tuple[UUID, datetime]] = field(default_factory=dict)
    links: dict[bytes, Link] = field(default_factory=dict)
    proposals: dict[UUID, Proposal] = field(default_factory=dict)
    prekeys: dict[tuple[str, str], PrekeyRecord] = field(default_factory=dict)
    claims: dict[tuple[str, str], ExchangeId] = field(default_factory=dict)
    exchanges: dict[ExchangeId, Exchange] = field(default_factory=dict)
    vault: dict[tuple[ExchangeId, str], bytes] = field(default_factory=dict)
    mailbox: dict[ExchangeId, tuple[str, bytes]] = field(default_factory=dict)
    submissions: dict[tuple[UUID, bytes], Submission] = field(default_factory=dict)
    retentions: dict[tuple[ExchangeId, RetentionClock], Retention] = field(default_factory=dict)
    taken: dict[tuple[ExchangeId, RetentionClock], bool] = field(default_factory=dict)
    holds: dict[ExchangeId, Hold] = field(default_factory=dict)
    replays: dict[bytes, datetime] = field(default_factory=dict)
    tls_certificates: dict[bytes, TlsCertificate] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    policy_sets: dict[str, bytes] = field(default_factory=dict)
    witnesses: dict[str, WitnessRecord] = field(default_factory=dict)
    alarms: dict[str, AlarmRecord] = field(default_factory=dict)
    cosigned: dict[tuple[str, int, str], CosignedRecord] = field(default_factory=dict)
    deliveries: dict[ExchangeId, tuple[str, int]] = field(default_factory=dict)
    successions: dict[tuple[str, int], SuccessionRecord] = field(default_factory=dict)
    keys_taken: dict[tuple[str, str], str] = field(default_factory=dict)
    sign_ins: dict[tuple[datetime, Caller, Denied], int] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    alerts: dict[UUID, Alert] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    log_index: dict[int, IndexRow] = field(default_factory=dict)
    earlier: dict[int, tuple[list[bytes], dict[int, IndexRow]]] = field(default_factory=dict)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    checkpoints: list[bytes] = field(default_factory=list)

    def copy(self) -> "State":
        return State(*(getattr(self, each.name).copy() for each in fields(self)))


def check_references(state: State) -> None:
    """The foreign keys of the PostgreSQL tables, checked like there: when the unit commits."""
    missing = (
        {each.partner for each in state.agreements.values()} - state.partners.keys()
        or {partner for partner, _ in state.prekeys} - state.partners.keys()
        or {each.partner for each in state.exchanges.values()} - state.partners.keys()
        or {each.agreement for each in state.exchanges.values()} - state.agreements.keys()
        or {each.user for each in state.sessions.values()} - state.users.keys()
        or {each.user for each in state.links.values()} - state.users.keys()
        or {each.partner for each in state.users.values()} - {None, *state.partners}
        or {exchange for exchange, _ in state.vault} - state.exchanges.keys()
        or {exchange for exchange, _ in state.retentions} - state.exchanges.keys()
        or state.holds.keys() - state.exchanges.keys()
        or state.mailbox.keys() - state.exchanges.keys()
        or state.witnesses.keys() - state.partners.keys()
        or {each.partner for each in state.tls_certificates.values()} - state.partners.keys()
        or {each.partner for each in state.alarms.values()} - state.partners.keys()
        or {partner for partner, _ in state.successions} - state.partners.keys()
        or {partner for partner, _ in state.keys_taken} - state.partners.keys()
        or state.deliveries.keys() - state.exchanges.keys()
    )
    if missing:
        raise ConflictError("it refers to something that is not there", place="store")
