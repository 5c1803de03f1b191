"""The mailbox of a partner's agent: it polls, leaves prekeys, fetches requests and brings answers back."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from gateway.bundle.succession import MAX_SUCCESSION
from gateway.bundle.witness import MAX_NOTE
from gateway.domain.errors import BadInputError
from gateway.domain.exchange import ExchangeId
from gateway.service import agents, agreements, answers, client_certificates, successions, witnessing
from gateway.web import agent_models as models
from gateway.web.bodies import BUNDLE, JSON, JWS, NOTE, SIGNED_JSON, body_of, read_body, read_text
from gateway.web.documented import AGENT, BODY, bytes_of, problems
from gateway.web.identity import Agent
from gateway.web.parameters import AgreementNumber, Exchange
from gateway.web.wiring import Wired

MAX_ANSWER: Final = 16 * 1024 * 1024
"""An answer is one bit for each unit and indicator: 16 MiB holds 100 indicators of a million people."""
MAX_PREKEYS: Final = 1024 * 1024  # 200 of them, 4 KiB each at most, and the JSON around them
MAX_JWS: Final = 64 * 1024
_MAX_SIZE: Final = 2**53 - 1  # what JSON readers hold without loss

router = APIRouter(prefix="/v1/agent", tags=["agent"])
_NO_CONTENT: Final = status.HTTP_204_NO_CONTENT


@router.get("/state", response_model=models.AgentState, responses=problems(*AGENT, 422))
def agent_state(
    wired: Wired,
    agent: Agent,
    seen: Annotated[int, Query(ge=0, le=_MAX_SIZE)] = 0,
    council: Annotated[str, Query(pattern=r"^([0-9a-f]{64})?$")] = "",
) -> dict[str, Any]:
    """Everything that one poll tells the agent.

    `seen`: how large the log was that it cosigned last; `council`: SHA-256, hex, of the council's identity as
    the agent knows it.
    """
    return agents.state(wired.context, agent, seen, council)


@router.post(
    "/prekeys",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400),
    openapi_extra=body_of(JSON, models.Prekeys.model_json_schema()),
)
async def publish_prekeys(request: Request, wired: Wired, agent: Agent) -> None:
    """Leave signed one-time keys at the gateway."""
    body = b"".join(await read_body(request, JSON, MAX_PREKEYS))
    try:
        prekeys = models.Prekeys.model_validate_json(body).prekeys
    except ValidationError:
        raise BadInputError(
            "not a list of prekeys", place="body", way_out='Send {"prekeys": [JWS, ...]}, 1 to 200 of them'
        ) from None
    await run_in_threadpool(agents.publish_prekeys, wired.context, agent, prekeys)


@router.get(
    "/exchanges/{exchange}/request",
    response_class=Response,
    responses=bytes_of(BUNDLE[0], "The request bundle") | problems(*AGENT, 404, 422),
)
def fetch_request(wired: Wired, agent: Agent, exchange: Exchange) -> Response:
    """The request bundle; it may be fetched again until it is answered."""
    bundle = answers.fetch_request(wired.context, agent, ExchangeId(exchange))
    return Response(bundle, media_type=BUNDLE[0])


@router.put(
    "/exchanges/{exchange}/answer",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 404, 409),
    openapi_extra=body_of(BUNDLE),
)
async def bring_answer(request: Request, wired: Wired, agent: Agent, exchange: Exchange) -> None:
    """Bring the answer bundle. The same bytes again are acknowledged again; other bytes are a conflict."""
    data = b"".join(await read_body(request, BUNDLE, MAX_ANSWER))

    def commit() -> None:
        answers.receive_answer(wired.context, agent, ExchangeId(exchange), data)
        wired.of_app.on_answered(ExchangeId(exchange))

    await run_in_threadpool(commit)


@router.put(
    "/exchanges/{exchange}/refusal",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 404, 409),
    openapi_extra=body_of(JWS),
)
async def bring_refusal(request: Request, wired: Wired, agent: Agent, exchange: Exchange) -> None:
    """Bring the signed notice that the partner declines, or that its agent can't answer."""
    jws = await read_text(request, JWS, MAX_JWS)

    def commit() -> None:
        answers.receive_refusal(wired.context, agent, ExchangeId(exchange), jws)
        wired.of_app.on_answered(ExchangeId(exchange))

    await run_in_threadpool(commit)


@router.post(
    "/succession",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 409),
    openapi_extra=body_of(SIGNED_JSON),
)
async def succeed(request: Request, wired: Wired, agent: Agent) -> None:
    """Bring the partner's new keys, signed by its old ones (JWS JSON serialisation). Idempotent.

    The next poll tells whether they are accepted, or wait for the operator.
    """
    token = await read_text(request, SIGNED_JSON, MAX_SUCCESSION)
    await run_in_threadpool(successions.receive, wired.context, agent, token)


@router.put(
    "/council-keys",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400),
    openapi_extra=body_of(JWS),
)
async def take_council_keys(request: Request, wired: Wired, agent: Agent) -> None:
    """Say, signed, by which keys this agent knows the council from now on. Idempotent."""
    jws = await read_text(request, JWS, MAX_JWS)
    await run_in_threadpool(successions.take, wired.context, agent, jws)


@router.get("/agreements/{number}", response_model=models.Agreement, responses=problems(*AGENT, 404, 422))
def show_agreement(wired: Wired, agent: Agent, number: AgreementNumber) -> dict[str, Any]:
    """An agreement of this partner."""
    return agreements.of_partner(wired.context, agent, number)


@router.put(
    "/agreements/{number}/signature",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 404, 409),
    openapi_extra=body_of(JWS),
)
async def sign_agreement(request: Request, wired: Wired, agent: Agent, number: AgreementNumber) -> None:
    """Countersign: from here on the agreement is in force between its dates."""
    jws = await read_text(request, JWS, MAX_JWS)
    await run_in_threadpool(agreements.countersign, wired.context, agent, number, jws)


@router.put(
    "/agreements/{number}/revocation",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 404, 409),
    openapi_extra=body_of(JWS),
)
async def revoke_agreement(request: Request, wired: Wired, agent: Agent, number: AgreementNumber) -> None:
    """Revoke: effective at the next step of every exchange under the agreement."""
    jws = await read_text(request, JWS, MAX_JWS)
    await run_in_threadpool(agreements.revoke_by_partner, wired.context, agent, number, jws)


@router.put(
    "/witness",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 409),
    openapi_extra=body_of(JWS),
)
async def announce_witness(request: Request, wired: Wired, agent: Agent) -> None:
    """Announce the key that this partner's agent cosigns checkpoints with."""
    jws = await read_text(request, JWS, MAX_JWS)
    await run_in_threadpool(witnessing.announce, wired.context, agent, jws)


@router.put(
    "/certificate",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 409),
    openapi_extra=body_of(JWS),
)
async def announce_certificate(request: Request, wired: Wired, agent: Agent) -> None:
    """Announce a TLS client certificate that this partner's agent will use (RFC 8705). Idempotent."""
    jws = await read_text(request, JWS, MAX_JWS)
    await run_in_threadpool(client_certificates.announce, wired.context, agent, jws)


@router.put(
    "/cosignature",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400, 409),
    openapi_extra=body_of(NOTE),
)
async def bring_cosignature(request: Request, wired: Wired, agent: Agent) -> None:
    """Bring a checkpoint with this witness' cosignature (C2SP tlog-cosignature). Idempotent."""
    note = b"".join(await read_body(request, NOTE, MAX_NOTE))
    await run_in_threadpool(witnessing.receive_cosignature, wired.context, agent, note)


@router.put(
    "/alarm",
    status_code=_NO_CONTENT,
    response_class=Response,
    responses=problems(*AGENT, *BODY, 400),
    openapi_extra=body_of(JWS),
)
async def bring_alarm(request: Request, wired: Wired, agent: Agent) -> None:
    """Bring the signed notice that this witness was shown another log. Idempotent."""
    jws = await read_text(request, JWS, MAX_JWS)
    await run_in_threadpool(witnessing.receive_alarm, wired.context, agent, jws)
