"""The disclosure log, for reviewers alone."""

from dataclasses import asdict
from itertools import chain
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from gateway.domain.errors import BadInputError
from gateway.domain.exchange import ExchangeId
from gateway.exports import article30
from gateway.review_ports import Wanted
from gateway.service import cosigned as cosigned_
from gateway.service import extracts, finding, logs, partners, receipts, subjects
from gateway.service.processing import processing
from gateway.service.proving import prove
from gateway.web import models, parameters
from gateway.web.bodies import JSON, body_of, read_body
from gateway.web.documented import BODY, USER, bytes_of, problems, schema_of
from gateway.web.identity import CustodianOrReviewer, Reviewer
from gateway.web.parameters import Exchange
from gateway.web.wiring import Wired

MAX_REQUEST: Final = 256 * 1024  # a checkpoint of 128 KiB at most, escaped, and the JSON around it
_MAX: Final = 2**53 - 1  # what JSON readers hold without loss
MAX_QUESTION: Final = 16 * 1024

_Question = TypeVar("_Question", bound=models.SubjectQuestion)

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
def read_receipts(wired: Wired, user: CustodianOrReviewer, exchange: Exchange) -> dict[str, str | None]:
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


@router.get("/find", response_model=models.LogPage, responses=problems(*USER, 404, 422))
def find_entries(
    wired: Wired,
    user: Reviewer,
    wanted: Annotated[Wanted, Depends(parameters.wanted)],
    first: parameters.FirstDay = None,
    last: parameters.LastDay = None,
    before: Annotated[
        int | None, Query(ge=0, le=_MAX, description="Only entries older than this one")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    log: Annotated[
        int | None, Query(ge=1, le=_MAX, description="Number of an earlier log, which a relink set aside")
    ] = None,
) -> finding.Page:
    """Entries in which all that is asked holds, newest first. Each use is logged."""
    return finding.find(
        wired.of_app.review.context, user, wanted, first=first, last=last, before=before, limit=limit, log=log
    )


@router.post(
    "/subject",
    response_model=models.SubjectAnswer,
    responses=problems(*USER, *BODY, 409, 429),
    openapi_extra=body_of(JSON, schema_of(models.SubjectQuestion)),
)
async def search_subject(request: Request, wired: Wired, user: Reviewer) -> dict[str, Any]:
    """Which exchanges asked about a person (UK GDPR Articles 15 and 19). Each use is logged and limited."""
    asked = await _question(request, models.SubjectQuestion)

    def search() -> dict[str, Any]:
        names = partners.names(wired.context)
        found = asdict(subjects.search(wired.of_app.review, user, asked.person.model_dump(), asked.reason))
        told = [each | {"recipient_name": names.get(each["recipient"], "")} for each in found["asked"]]
        return found | {"asked": told}

    return await run_in_threadpool(search)


@router.post(
    "/subject/extract",
    response_model=models.SubjectExtract,
    responses=problems(*USER, *BODY, 409, 429),
    openapi_extra=body_of(JSON, schema_of(models.ExtractQuestion)),
)
async def make_extract(request: Request, wired: Wired, user: Reviewer) -> extracts.Extract:
    """A search by subject as a document for the data subject. Search and making are logged, and limited."""
    asked = await _question(request, models.ExtractQuestion)

    def make() -> extracts.Extract:
        return extracts.make(
            wired.of_app.review,
            user,
            asked.person.model_dump(),
            asked.reason,
            organisations=partners.names(wired.context),
            checked=asked.checked,
        )

    return await run_in_threadpool(make)


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
    | problems(*USER, 404, 422),
)
def export_log(
    wired: Wired,
    user: Reviewer,
    wanted: Annotated[
        logs.ExportFormat,
        Query(alias="format", description="What the caller turns it into: for the log alone"),
    ] = logs.ExportFormat.SIGNED,
    cosigned: Annotated[int, Query(ge=0, le=100, description="Up to what so many witnesses cosigned")] = 0,
) -> StreamingResponse:
    """The whole log as one file that verifies offline."""
    stream = logs.export(wired.context, user, wanted, cosigned)
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


async def _question(request: Request, model: type[_Question]) -> _Question:
    """What a reviewer asks about a person: in the body, because a URL ends up in logs."""
    body = b"".join(await read_body(request, JSON, MAX_QUESTION))
    try:
        return model.model_validate_json(body)
    except ValidationError:
        raise BadInputError(
            "not a question about a person",
            place="body",
            way_out=f'Send {{"reason": R, "person": {{...}}}}, R one of {", ".join(subjects.Reason)}',
        ) from None


@router.get("/article-30", responses=problems(*USER, 422))
def read_article_30(
    wired: Wired,
    user: Reviewer,
    since: parameters.FirstDay = None,
    until: parameters.LastDay = None,
) -> dict[str, Any]:
    """The record of processing (UK GDPR Article 30): policies, agreements, counts of the period."""
    return article30.record(processing(wired.context, user, since, until))
