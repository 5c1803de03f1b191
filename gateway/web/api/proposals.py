"""The two-person rule: what one person proposes, another approves or refuses."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, status

from gateway.domain.exchange import ExchangeId
from gateway.domain.proposals import Act, ActReason
from gateway.domain.retention import RetentionClock
from gateway.service import destruction, two_person
from gateway.web import proposal_models as models
from gateway.web.documented import USER, problems
from gateway.web.identity import CouncilUser, Reviewer
from gateway.web.parameters import Exchange
from gateway.web.wiring import Wired

router = APIRouter(prefix="/v1", tags=["proposals"])

_Proposal = Annotated[UUID, Path(description="The proposal's id")]


@router.get("/proposals", response_model=models.Proposals, responses=problems(*USER))
def list_proposals(wired: Wired, user: CouncilUser) -> dict[str, Any]:
    """One's own, and those that one's role has a part in; newest first."""
    return {"proposals": two_person.listing(wired.context, user)}


@router.post(
    "/proposals",
    response_model=models.Proposal,
    status_code=status.HTTP_201_CREATED,
    responses=problems(*USER, 404, 409, 422),
)
def make_proposal(
    wired: Wired,
    user: CouncilUser,
    act: Annotated[Act, Query(description="What needs a second person")],
    reason: Annotated[ActReason, Query(description="Why; free text is not taken")],
    exchange: Annotated[UUID | None, Query(description="For all but key-export")] = None,
    clock: Annotated[RetentionClock | None, Query(description="For destroy-early alone")] = None,
) -> dict[str, Any]:
    """Put an act before a second person, who has a day to decide."""
    return two_person.propose(wired.context, user, act, reason, exchange=exchange, clock=clock)


@router.post(
    "/proposals/{proposal}/approve", response_model=models.Proposal, responses=problems(*USER, 404, 409, 422)
)
def approve_proposal(wired: Wired, user: CouncilUser, proposal: _Proposal) -> dict[str, Any]:
    """Approve what another person proposed: it may be done once, until the proposal runs out."""
    return two_person.decide(wired.context, user, proposal, approve=True)


@router.post(
    "/proposals/{proposal}/refuse", response_model=models.Proposal, responses=problems(*USER, 404, 409, 422)
)
def refuse_proposal(wired: Wired, user: CouncilUser, proposal: _Proposal) -> dict[str, Any]:
    """Refuse what another person proposed."""
    return two_person.decide(wired.context, user, proposal, approve=False)


@router.post(
    "/exchanges/{exchange}/destroy",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(*USER, 404, 409, 422),
)
def destroy_early(
    wired: Wired,
    user: Reviewer,
    exchange: Exchange,
    clock: Annotated[RetentionClock, Query(description="Which of the exchange's two clocks")],
) -> None:
    """Destroy before its day what a clock protects; needs an approved proposal."""
    destruction.order(wired.context, user, ExchangeId(exchange), clock)
