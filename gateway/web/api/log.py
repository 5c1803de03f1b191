"""The disclosure log, for reviewers alone."""

from itertools import chain
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from gateway.domain.errors import BadInputError
from gateway.domain.exchange import ExchangeId
from gateway.service import logs
from gateway.service.proving import prove
from gateway.web import models
from gateway.web.bodies import JSON, body_of, read_body
from gateway.web.documented import BODY, USER, bytes_of, problems
from gateway.web.identity import Reviewer
from gateway.web.parameters import Exchange
from gateway.web.wiring import Wired

MAX_REQUEST: Final = 256 * 1024  # a checkpoint of 128 KiB at most, escaped, and the JSON around it
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
    | problems(*USER),
)
def export_log(wired: Wired, user: Reviewer) -> StreamingResponse:
    """The whole log as one file that verifies offline."""
    stream = logs.export(wired.context, user)
    first = next(stream, b"")  # an error before the first byte is still a problem, not a broken file
    return StreamingResponse(chain((first,), stream), media_type="application/octet-stream")


@router.post(
    "/evidence/{exchange}",
    response_class=Response,
    responses=bytes_of("application/json", "Evidence, for `python -m audit verify`")
    | problems(*USER, *BODY, 404),
    openapi_extra=body_of(JSON, models.EvidenceRequest.model_json_schema()),
)
async def prove_exchange(request: Request, wired: Wired, user: Reviewer, exchange: Exchange) -> Response:
    """Evidence of one exchange in one file that verifies offline. That it was asked for is recorded."""
    body = b"".join(await read_body(request, JSON, MAX_REQUEST))
    try:
        asked = models.EvidenceRequest.model_validate_json(body)
    except ValidationError:
        raise BadInputError(
            "not a request for evidence",
            place="body",
            way_out='Send {"person": REF, "openings": BOOL, "seen": CHECKPOINT}, or some of it',
        ) from None
    data = await run_in_threadpool(
        prove,
        wired.context,
        user,
        ExchangeId(exchange),
        person=asked.person,
        openings=asked.openings,
        seen=asked.seen.encode() if asked.seen is not None else None,
    )
    return Response(data, media_type="application/json")
