"""Enrolment of a partner's agent by a code that the operator read out. Open: the code is the credential."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from gateway.service import enrolment
from gateway.web import machine_models as models
from gateway.web.bodies import JWS, body_of, read_text
from gateway.web.documented import BODY, problems
from gateway.web.identity import take_by_address
from gateway.web.wiring import Wired

MAX_ENROLMENT: Final = 16 * 1024

router = APIRouter(prefix="/v1/enrolment", tags=["agent"])


@router.get("", response_model=models.IdentityDocument, responses=problems(429, 503))
def council_identity(request: Request, wired: Wired) -> dict[str, str]:
    """The council's public keys. Compare their fingerprint by telephone before you believe them."""
    take_by_address(request, wired)
    return wired.context.keys.identity.to_json()


@router.post(
    "",
    response_model=models.Enrolled,
    responses=problems(400, 401, 429, 503, *BODY),
    openapi_extra=body_of(JWS),
)
async def enrol(request: Request, wired: Wired) -> Any:
    """Bring a partner's public keys, proved by its private keys and the code. In force once confirmed."""
    await run_in_threadpool(take_by_address, request, wired)
    jws = await read_text(request, JWS, MAX_ENROLMENT)
    return {"answer": await run_in_threadpool(enrolment.enrol, wired.context, jws)}
