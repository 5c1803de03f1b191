"""The disclosure log, for reviewers alone."""

from datetime import date
from itertools import chain
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from gateway.exports import article30
from gateway.service import logs
from gateway.service.processing import processing
from gateway.web import models
from gateway.web.documented import USER, bytes_of, problems
from gateway.web.identity import Reviewer
from gateway.web.wiring import Wired

_MAX: Final = 2**53 - 1  # what JSON readers hold without loss

router = APIRouter(prefix="/v1/log", tags=["log"])


@router.get(
    "/checkpoint",
    response_class=Response,
    responses=bytes_of("text/plain; charset=utf-8", "A signed note") | problems(*USER),
)
def read_checkpoint(wired: Wired, user: Reviewer) -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    return Response(logs.checkpoint(wired.context, user), media_type="text/plain")


@router.get("/entries", response_model=list[models.LogEntry], responses=problems(*USER, 422))
def read_entries(
    wired: Wired,
    user: Reviewer,
    start: Annotated[int, Query(ge=0, le=_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """Entries from index `start` on."""
    return logs.entries(wired.context, user, start, limit)


@router.get("/proof/{index}", response_model=models.LogProof, responses=problems(*USER, 404, 422))
def read_proof(
    wired: Wired,
    user: Reviewer,
    index: Annotated[int, Path(ge=0, le=_MAX)],
) -> dict[str, Any]:
    """RFC 9162 inclusion proof of one entry in the newest tree."""
    return logs.proof(wired.context, user, index)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses=bytes_of("application/octet-stream", "The whole log, for `python -m audit verify`")
    | problems(*USER, 422),
)
def export_log(
    wired: Wired,
    user: Reviewer,
    wanted: Annotated[
        logs.ExportFormat,
        Query(alias="format", description="What the caller turns it into: for the log alone"),
    ] = logs.ExportFormat.SIGNED,
) -> StreamingResponse:
    """The whole log as one file that verifies offline."""
    stream = logs.export(wired.context, user, wanted)
    first = next(stream, b"")  # an error before the first byte is still a problem, not a broken file
    return StreamingResponse(chain((first,), stream), media_type="application/octet-stream")


@router.get("/article-30", responses=problems(*USER, 422))
def read_article_30(
    wired: Wired,
    user: Reviewer,
    since: Annotated[date | None, Query(alias="from", description="First day of the period")] = None,
    until: Annotated[date | None, Query(alias="to", description="Last day of the period")] = None,
) -> dict[str, Any]:
    """The record of processing (UK GDPR Article 30): policies, agreements, counts of the period."""
    return article30.record(processing(wired.context, user, since, until))
