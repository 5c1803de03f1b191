"""The end of an exchange: certificates of destruction, and the holds that keep one from it."""

from typing import Any, Final

from fastapi import APIRouter, Response, status

from gateway.domain.exchange import ExchangeId
from gateway.service import certificates, holds
from gateway.web import models
from gateway.web.bodies import JWS
from gateway.web.documented import AGENT, USER, bytes_of, problems
from gateway.web.identity import Agent, Insider, Reviewer
from gateway.web.parameters import Clock, Exchange, Reason, Until
from gateway.web.wiring import Wired

router = APIRouter(prefix="/v1", tags=["erasure"])
_NO_CONTENT: Final = status.HTTP_204_NO_CONTENT


@router.get(
    "/exchanges/{exchange}/certificates",
    response_model=models.Certificates,
    responses=problems(*USER, 404, 422),
)
def list_certificates(wired: Wired, user: Insider, exchange: Exchange) -> dict[str, Any]:
    """What the council has certified as destroyed of an exchange."""
    return {"certificates": certificates.of_exchange(wired.context, user, ExchangeId(exchange))}


@router.post(
    "/exchanges/{exchange}/hold",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*USER, 404, 409, 422),
)
def place_hold(wired: Wired, user: Reviewer, exchange: Exchange, until: Until, reason: Reason) -> None:
    """Keep everything of an exchange to the end of a day."""
    holds.place(wired.context, user, ExchangeId(exchange), until=until, reason=reason)


@router.post(
    "/exchanges/{exchange}/unhold",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*USER, 404, 422),
)
def lift_hold(wired: Wired, user: Reviewer, exchange: Exchange) -> None:
    """End a hold before its day, as another person approved; what came due meanwhile is destroyed."""
    holds.lift(wired.context, user, ExchangeId(exchange))


@router.get(
    "/agent/exchanges/{exchange}/certificates/{clock}",
    response_class=Response,
    responses=bytes_of(JWS[0], "The certificate, as compact JWS") | problems(*AGENT, 404, 422),
)
def fetch_certificate(wired: Wired, agent: Agent, exchange: Exchange, clock: Clock) -> Response:
    """A certificate of destruction for the partner that was asked."""
    jws = certificates.for_partner(wired.context, agent, ExchangeId(exchange), clock)
    return Response(jws, media_type=JWS[0])


@router.post(
    "/agent/exchanges/{exchange}/certificates/{clock}/taken",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, 404, 422),
)
def take_certificate(wired: Wired, agent: Agent, exchange: Exchange, clock: Clock) -> None:
    """The agent keeps it: it is not listed to it any more."""
    certificates.taken(wired.context, agent, ExchangeId(exchange), clock)
