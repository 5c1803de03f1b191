"""One exchange, as far as it can go now. Any step may be cut short by a kill and is then repeated.

Each leaves a durable mark, and the next turn goes on from the last one: inbox file (fetched),
`request.received` in the log (accepted, once ever), approval file (decided), outbox file (replied), the
reply's entry in the log (counts as sent), acknowledged, no files.
"""

from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from adapters.agent.admission import (
    addressed,
    digest_of,
    forebears,
    open_again,
    open_first,
    read_manifest,
    refusal_code,
)
from adapters.agent.agreements import approvals_needed
from adapters.agent.approvals import Decided, decided
from adapters.agent.context import Agent, name_of
from adapters.agent.journal import RECEIVED
from adapters.agent.replies import CLOSED, REPLAYED, SEALED, WITHDRAWN, Reply, deliver, forget, refuse
from adapters.agent.sealing import check_in_time, seal
from adapters.registers.register import RegisterError
from adapters.transports.wire import GatewayRefusedError
from audit.entry import Json
from gateway.bundle.errors import ReplayError, WrongAgreementError
from gateway.bundle.manifest import RequestManifest
from gateway.bundle.open import OpenedRequest
from gateway.bundle.refusal import RefusalCode
from gateway.bundle.terms import check_terms
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import ExchangeId


class Outcome(StrEnum):
    """Where a turn left its exchange."""

    REPLIED = "replied"
    PENDING = "pending"  # waits for the custodian
    WITHDRAWN = "withdrawn"
    GONE = "gone"  # listed, but the gateway no longer hands it out
    IGNORED = "ignored"  # sent again, after that was refused once already


def take_turn(agent: Agent, exchange: UUID, *, waiting: bool) -> Outcome:
    """Move one exchange on. `waiting`: the gateway still lists it.

    Raises:
        LogUnavailableError: nothing moved.
        PartnerError: the gateway can't be reached, or turned the caller away.
    """
    if agent.outbox.get(name_of(exchange)):
        _hold_back(agent, exchange)
        return _deliver(agent, exchange)
    if not waiting:
        return _withdraw(agent, exchange)
    kinds = agent.journal.kinds(exchange)
    bundle = agent.inbox.get(name_of(exchange))
    if kinds & CLOSED or (RECEIVED in kinds and bundle is None):
        return _refuse_replay(agent, exchange)
    if bundle is None:
        bundle = _fetch(agent, exchange)
        if bundle is None:
            return Outcome.GONE
        agent.inbox.put(name_of(exchange), bundle)
    return _reply(agent, exchange, bundle)


def _reply(agent: Agent, exchange: UUID, bundle: bytes) -> Outcome:
    try:
        opened = _accept(agent, exchange, bundle)
        manifest = read_manifest(agent, bundle)
        check_in_time(agent, manifest)
        decision = _decision(agent, manifest, bundle)
        if decision is None:
            return Outcome.PENDING
        if decision.approved:
            seal(agent, opened or open_again(agent, exchange, bundle), approved_by=decision.by)
        else:
            _decline(agent, exchange, bundle, decision)
    except (VerificationError, RegisterError) as error:
        agent.events.warning("request-refused", exchange=str(exchange), why=error.code, detail=str(error))
        refuse(agent, exchange, bundle, refusal_code(error), why=error.code)
    _hold_back(agent, exchange)  # matching takes its time
    return _deliver(agent, exchange)


def _accept(agent: Agent, exchange: UUID, bundle: bytes) -> OpenedRequest | None:
    """Open and record a request that is here for the first time; None when it was accepted before."""
    if RECEIVED in agent.journal.kinds(exchange):
        return None
    opened = open_first(agent, exchange, bundle)
    manifest = opened.manifest
    entry = agent.journal.entry(
        RECEIVED, _about(manifest), {"people": manifest.slots, "request": digest_of(bundle)}
    )
    agent.journal.append(entry)  # commit point: this exchange id is never accepted again
    agent.events.info("request-accepted", exchange=str(exchange), agreement=manifest.agreement)
    return opened


def _decision(agent: Agent, manifest: RequestManifest, bundle: bytes) -> Decided | None:
    """What the custodians decided, or the agreement's standing approval; None while one is missing."""
    document = agent.agreements.in_force().get(manifest.agreement)
    if document is None:
        raise WrongAgreementError("its agreement was revoked since", place="request")
    needed = approvals_needed(document)
    kept = agent.approvals.about(manifest.exchange, digest_of(bundle)) if needed else ()
    return decided(kept, needed)


def _decline(agent: Agent, exchange: UUID, bundle: bytes, decision: Decided) -> None:
    private: dict[str, Json] = {"reason": decision.reason, "declined_by": list(decision.by)}
    refuse(agent, exchange, bundle, RefusalCode.DECLINED, why="custodian-declined", private=private)


def _hold_back(agent: Agent, exchange: UUID) -> None:
    """Put a refusal in the place of an answer whose agreement or time ended before it was sent."""
    bundle = agent.inbox.get(name_of(exchange))
    if bundle is None or _in_outbox(agent, exchange).entry.kind != SEALED:
        return
    try:
        manifest = read_manifest(agent, bundle)
        check_in_time(agent, manifest)
        addressed(agent, manifest)
        check_terms(manifest, agent.agreements.in_force(), agent.clock(), forebears(agent))
    except VerificationError as error:
        agent.events.warning("answer-held-back", exchange=str(exchange), why=error.code)
        refuse(agent, exchange, bundle, refusal_code(error), why=error.code)


def _in_outbox(agent: Agent, exchange: UUID) -> Reply:
    return Reply.from_bytes(agent.outbox.get(name_of(exchange)) or b"")


def _deliver(agent: Agent, exchange: UUID) -> Outcome:
    deliver(agent, exchange, _in_outbox(agent, exchange))
    return Outcome.REPLIED


def _withdraw(agent: Agent, exchange: UUID) -> Outcome:
    """The gateway no longer asks: cancelled or expired there."""
    if not agent.journal.kinds(exchange) & CLOSED:
        agent.journal.record(WITHDRAWN, {"exchange": str(exchange)})
        agent.events.info("request-withdrawn", exchange=str(exchange))
    forget(agent, exchange)
    return Outcome.WITHDRAWN


def _refuse_replay(agent: Agent, exchange: UUID) -> Outcome:
    """An exchange id comes back after it was settled: refused and logged once, then left alone."""
    forget(agent, exchange)
    agent.events.warning("request-replayed", exchange=str(exchange))
    if REPLAYED in agent.journal.kinds(exchange):
        return Outcome.IGNORED
    bundle = _fetch(agent, exchange)
    if bundle is None:
        return Outcome.GONE
    refuse(agent, exchange, bundle, RefusalCode.REJECTED, why=ReplayError.code, kind=REPLAYED)
    return _deliver(agent, exchange)


def _fetch(agent: Agent, exchange: UUID) -> bytes | None:
    try:
        return agent.gateway.fetch_request(ExchangeId(exchange))
    except GatewayRefusedError as error:
        if error.answered == HTTPStatus.NOT_FOUND:
            return None
        raise


def _about(manifest: RequestManifest) -> dict[str, Json]:
    return {
        "exchange": str(manifest.exchange),
        "council": manifest.sender,
        "addressed_to": manifest.recipient,
        "agreement": manifest.agreement,
        "agreement_digest": manifest.agreement_digest,
        "dataset": manifest.dataset,
        "purpose": manifest.purpose,
        "framework": manifest.framework,
        "basis": list(manifest.basis),
        "granularity": manifest.granularity.value,
        "indicators_asked": list(manifest.indicators),
    }
