"""The disclosure log, for reviewers alone."""

from itertools import chain
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from gateway.domain.exchange import ExchangeId
from gateway.service import cosigned as cosigned_
from gateway.service import logs, receipts
from gateway.web import models
from gateway.web.documented import USER, bytes_of, problems
from gateway.web.identity import Reviewer
from gateway.web.parameters import Exchange
from gateway.web.wiring import Wired

_MAX: Final = 2**53 - 1  # what JSON readers hold without loss

router = APIRouter(prefix="/v1/log", tags=["log"])


@router.get(
    "/checkpoint",
    response_class=Response,
    responses=bytes_of("text/plain; charset=utf-8", "A signed note") | problems(*USER, 404, 422),
)
def read_checkpoint(
    wired: Wired,
    user: Reviewer,
    cosigned: Annotated[int, Query(ge=0, le=100)] = 0,
) -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint) with the cosignatures it has.

    With `cosigned`, the newest that so many witnesses cosigned.
    """
    note = cosigned_.checkpoint(wired.context, user, cosigned)
    return Response(note, media_type="text/plain")


@router.get("/witnesses", response_model=models.Witnesses, responses=problems(*USER))
def read_witnesses(wired: Wired, user: Reviewer) -> dict[str, Any]:
    """Who witnesses the log, up to where, and every alarm."""
    return cosigned_.witnesses(wired.context, user)


@router.get("/receipts/{exchange}", response_model=models.Receipts, responses=problems(*USER, 404, 422))
def read_receipts(wired: Wired, user: Reviewer, exchange: Exchange) -> dict[str, str | None]:
    """Digests of what travelled in an exchange, to compare with the partner's own log."""
    return receipts.digests(wired.context, user, ExchangeId(exchange))


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
