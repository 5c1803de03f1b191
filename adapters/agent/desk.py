"""What the partner's staff do at a terminal: see and decide requests, sign and revoke agreements."""

from dataclasses import dataclass, replace
from uuid import UUID

from adapters.agent.admission import digest_of, read_manifest
from adapters.agent.agreements import approvals_needed
from adapters.agent.approvals import CUSTODIAN, Approval, decided
from adapters.agent.context import Agent, exchanges_in, name_of
from adapters.agent.journal import RECEIVED
from adapters.agent.loop import top_up
from audit.entry import Json
from gateway.bundle.agreement import AgreementDocument
from gateway.bundle.manifest import RequestManifest
from gateway.domain.errors import BadInputError, ConflictError, NotFoundError, VerificationError


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for the custodian. `digest`: hex SHA-256 of the bundle that was shown.

    `needed`: how many people approve it; `approved_by`: those who have.
    """

    manifest: RequestManifest
    digest: str
    needed: int
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """An agreement as the council signed it, verified."""

    document: AgreementDocument
    council_jws: str


def pending(agent: Agent) -> list[Pending]:
    """Requests that are not decided, or by too few, in no particular order. Nothing is decrypted."""
    agent.journal.refresh()
    found = [_pending(agent, exchange) for exchange in exchanges_in(agent.inbox)]
    return [each for each in found if each is not None]


def decide(
    agent: Agent, exchange: UUID, *, approved: bool, reason: str = "", by: str | None = None
) -> Pending:
    """Keep one custodian's decision; the running agent acts on it at its next look, once nobody is missing.

    `by`: the custodian's short name, which an agreement that asks for two can't do without. Returns the
    request with this approval counted in.

    Raises:
        NotFoundError: no such request waits for a decision.
        ConflictError: this person has approved it before.
        BadInputError: a refusal without a reason, or not one line; a name missing or not of its form.
    """
    agent.journal.refresh()
    with agent.approvals.alone():
        request = _pending(agent, exchange)
        if request is None:
            raise NotFoundError(
                "no such request waits for a decision",
                place="exchange",
                way_out="See `flagstone agent pending`",
            )
        decision = Approval(request.digest, approved, reason, _person(request, by))
        if approved:
            request = _counted(request, decision.by)
        agent.approvals.add(exchange, decision)
        return request


def proposal(agent: Agent, number: str) -> Proposal:
    """Fetch an agreement from the gateway and verify the pinned council's signature on it.

    Raises:
        VerificationError: it is not the council's, or names others than the two of us.
        PartnerError: the gateway has none of this number, or can't be reached.
    """
    papers = agent.gateway.agreement(number)
    return Proposal(agent.agreements.verified(number, papers.council_jws, agent.clock()), papers.council_jws)


def sign(agent: Agent, proposed: Proposal) -> None:
    """Countersign: copy, then log, then gateway. Repeating it after a failure does no harm.

    Raises:
        ConflictError: it was revoked here before; an agreement does not come back.
    """
    document = proposed.document
    if document.number in agent.agreements.numbers() and agent.agreements.get(document.number).revoked:
        raise ConflictError(
            "it was revoked here", place="agreement", way_out="Ask the council to propose a new one"
        )
    jws = agent.agreements.sign(proposed.council_jws, document)
    agent.journal.record("agreement.signed", _about(document), by=CUSTODIAN)
    agent.gateway.put_signature(document.number, jws)
    top_up(agent, agent.gateway.state().prekeys)  # so that the council can ask at once


def revoke(agent: Agent, number: str) -> None:
    """Answer nothing under it from now on, also if the gateway can't be told.

    Raises:
        NotFoundError: it was never signed here.
        PartnerError: the gateway could not be told; repeat it.
    """
    notice = agent.agreements.revoke(number, agent.clock())
    body = _about(agent.agreements.get(number).document)
    agent.journal.record("agreement.revoked", body, by=CUSTODIAN)
    agent.gateway.put_revocation(number, notice)


def _pending(agent: Agent, exchange: UUID) -> Pending | None:
    bundle = agent.inbox.get(name_of(exchange))
    if bundle is None or RECEIVED not in agent.journal.kinds(exchange) or agent.outbox.get(name_of(exchange)):
        return None
    try:
        manifest = read_manifest(agent, bundle)
    except VerificationError:
        return None  # by keys of the council that are accepted no more: the next round refuses it
    document = agent.agreements.in_force().get(manifest.agreement)
    if document is None:
        return None
    digest, needed = digest_of(bundle), approvals_needed(document)
    kept = agent.approvals.about(exchange, digest) if needed else ()
    if decided(kept, needed):
        return None
    return Pending(manifest, digest, needed, tuple(each.by for each in kept))


def _person(request: Pending, by: str | None) -> str:
    if by is None and request.needed > 1:
        raise BadInputError(
            "missing",
            place="--by",
            way_out="This agreement asks for two custodians: each gives a name, such as --by a.shah",
        )
    return CUSTODIAN if by is None else by


def _counted(request: Pending, by: str) -> Pending:
    if by in request.approved_by:
        raise ConflictError(
            "this person has approved it already", place="exchange", way_out="Another custodian approves it"
        )
    return replace(request, approved_by=(*request.approved_by, by))


def _about(document: AgreementDocument) -> dict[str, Json]:
    return {
        "agreement": document.number,
        "agreement_digest": document.digest,
        "council": document.council.digest.hex(),
        "dataset": document.dataset,
        "policy": document.policy_digest,
        "valid_from": document.valid_from.isoformat(),
        "valid_to": document.valid_to.isoformat(),
    }
