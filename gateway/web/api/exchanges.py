"""Household lists and the exchanges that come of them: the programme team's routes."""

from typing import Any

from fastapi import APIRouter, Request, Response, status
from starlette.concurrency import run_in_threadpool

from gateway.domain.exchange import ExchangeId
from gateway.intake import RowError
from gateway.service import exchanges, results, submit
from gateway.web import models
from gateway.web.bodies import LISTS, body_of, read_body
from gateway.web.documented import BODY, USER, problems
from gateway.web.identity import Insider, Programme, ProgrammeForResults
from gateway.web.parameters import (
    AcceptValid,
    Dataset,
    Exchange,
    IdempotencyKey,
    OptionalDataset,
    OptionalFramework,
    OptionalPartner,
    Purpose,
)
from gateway.web.wiring import Wired

router = APIRouter(prefix="/v1", tags=["exchanges"])


@router.post(
    "/lists/check",
    response_model=models.CheckedList,
    responses=problems(*USER, *BODY),
    openapi_extra=body_of(LISTS),
)
async def check_list(
    request: Request, wired: Wired, user: Programme, dataset: OptionalDataset = None
) -> submit.Checked:
    """Validate a household list and forget it."""
    upload = await read_body(request, LISTS, wired.of_app.max_upload)
    return await run_in_threadpool(submit.check, wired.context, user, upload, dataset=dataset)


@router.post(
    "/exchanges",
    response_model=models.Submission,
    status_code=status.HTTP_201_CREATED,
    responses=problems(*USER, *BODY, 409, 502),
    openapi_extra=body_of(LISTS),
)
async def submit_list(
    request: Request,
    response: Response,
    wired: Wired,
    user: Programme,
    dataset: Dataset,
    purpose: Purpose,
    idempotency_key: IdempotencyKey,
    framework: OptionalFramework = None,
    partner: OptionalPartner = None,
    accept_valid: AcceptValid = False,
) -> dict[str, Any]:
    """Submit a household list for one dataset. A refusal is a 403 whose `decision` names what is unmet."""
    upload = await read_body(request, LISTS, wired.of_app.max_upload)

    def commit() -> submit.Submitted:
        submitted = submit.submit(
            wired.submitting,
            user,
            upload,
            dataset=dataset,
            purpose=purpose,
            framework=framework or "",
            idempotency_key=idempotency_key,
            accept_valid=accept_valid,
            partner=partner,
        )
        wired.of_app.on_submitted(submitted.exchange)
        return submitted

    submitted = await run_in_threadpool(commit)
    response.headers["Location"] = f"/v1/exchanges/{submitted.exchange}"
    return {
        "exchange": submitted.exchange,
        "decision": submitted.decision,
        "withheld": submitted.withheld,
        "rejected": [_row(row) for row in submitted.rejected],
        "repeated": submitted.repeated,
    }


@router.get("/exchanges", response_model=models.Exchanges, responses=problems(*USER))
def list_exchanges(wired: Wired, user: Insider) -> dict[str, Any]:
    """A programme user's own exchanges, those a custodian's organisation was asked, or all for a reviewer."""
    return {"exchanges": exchanges.listing(wired.context, user)}


@router.get("/exchanges/{exchange}", response_model=models.ExchangeShown, responses=problems(*USER, 404, 422))
def show_exchange(wired: Wired, user: Insider, exchange: Exchange) -> dict[str, Any]:
    """Where one exchange stands."""
    return exchanges.show(wired.context, user, ExchangeId(exchange))


@router.get(
    "/exchanges/{exchange}/results",
    response_model=models.Results,
    response_model_exclude_none=True,
    responses=problems(*USER, 404, 409, 410, 422),
)
def read_results(wired: Wired, user: ProgrammeForResults, exchange: Exchange) -> dict[str, Any]:
    """Flags and withheld rows of a released exchange. No flag returned is not evidence of absence."""
    return results.read(wired.context, user, ExchangeId(exchange))


@router.post(
    "/exchanges/{exchange}/cancel",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(*USER, 404, 409, 422),
)
def cancel_exchange(wired: Wired, user: Programme, exchange: Exchange) -> None:
    """Stop waiting for an answer. What was sent counts as disclosed."""
    exchanges.cancel(wired.context, user, ExchangeId(exchange))


def _row(row: RowError) -> dict[str, Any]:
    return {"line": row.line, "column": row.column, "reason": row.reason}
