"""The review queue, for reviewers alone."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, status

from gateway.domain.alerts import Closing
from gateway.service import review_queue
from gateway.web import models
from gateway.web.documented import USER, problems
from gateway.web.identity import Reviewer
from gateway.web.wiring import Wired

router = APIRouter(prefix="/v1/review", tags=["review"])

_Alert = Annotated[UUID, Path(description="The alert's id")]


@router.get("", response_model=models.Alerts, responses=problems(*USER, 422))
def list_alerts(
    wired: Wired,
    user: Reviewer,
    closed: Annotated[bool, Query(description="Closed ones too")] = False,
) -> dict[str, Any]:
    """What waits to be looked into, oldest first."""
    return {"alerts": review_queue.listing(wired.context, user, closed=closed)}


@router.post("/{alert}/look", response_model=models.Alert, responses=problems(*USER, 404, 422))
def look_at_alert(wired: Wired, user: Reviewer, alert: _Alert) -> dict[str, Any]:
    """One alert; who looked at it first is logged."""
    return review_queue.look_at(wired.context, user, alert)


@router.post(
    "/{alert}/close",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(*USER, 404, 409, 422),
)
def close_alert(
    wired: Wired, user: Reviewer, alert: _Alert, reason: Annotated[Closing, Query(description="Why")]
) -> None:
    """Close an alert that was looked at; who and why is logged."""
    review_queue.close(wired.context, user, alert, reason)
