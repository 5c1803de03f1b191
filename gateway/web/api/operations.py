"""Health, metrics and the contract itself."""

from typing import Any

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import JSONResponse

from gateway.web import models
from gateway.web.documented import USER, bytes_of, problems
from gateway.web.identity import SIGNED_IN, Monitor
from gateway.web.wiring import Wired

router = APIRouter(prefix="/v1", tags=["operations"])

_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/health/live", response_model=models.Health, responses=problems())
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get(
    "/health/ready",
    response_model=models.Health,
    responses=problems() | {503: {"model": models.Health, "description": "Not ready"}},
)
def ready(wired: Wired) -> Any:
    """The store and the log can be read."""
    try:
        with wired.context.store.begin() as uow:
            uow.log.size()
    except Exception:  # noqa: BLE001 - whatever is wrong, the open answer is the same
        return JSONResponse({"status": "not ready"}, status.HTTP_503_SERVICE_UNAVAILABLE)
    return {"status": "ok"}


@router.get(
    "/metrics",
    response_class=Response,
    responses=bytes_of(_METRICS, "Prometheus text format") | problems(*USER),
)
def metrics(wired: Wired, user: Monitor) -> Response:  # noqa: ARG001 - the role is the point
    """Metrics without personal data."""
    return Response(wired.of_app.observer.exposition(), headers={"Content-Type": _METRICS})


@router.get("/openapi.json", dependencies=[SIGNED_IN], responses=problems(401, 429, 503))
def contract(request: Request) -> dict[str, Any]:
    """This document."""
    document: dict[str, Any] = request.app.openapi()
    return document
