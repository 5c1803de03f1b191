"""The token endpoint: a signed assertion for a short-lived access token (RFC 6749 §4.4, RFC 7523 §2.2).

The token is bound to the key of the proof that comes beside the assertion (RFC 9449 §5).
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from gateway.bundle.jws import ALGORITHM
from gateway.domain.errors import FlagstoneError
from gateway.service import access
from gateway.service.constraint import Presented, ProofError
from gateway.web import models
from gateway.web.bodies import FORM, body_of, parse_form, read_text
from gateway.web.documented import Responses, problems
from gateway.web.identity import take_by_address
from gateway.web.presented import hand_out, presented
from gateway.web.wiring import Wired

MAX_FORM: Final = 16 * 1024
GRANT: Final = "client_credentials"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_SERVER_ERROR: Final = 500
_FIELDS: Final = ("grant_type", "client_assertion_type", "client_assertion")
_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": list(_FIELDS),
    "properties": {
        "grant_type": {"const": GRANT},
        "client_assertion_type": {"const": ASSERTION},
        "client_assertion": {"type": "string"},
    },
}
_BAD_REQUEST: Final = "invalid_request, unsupported_grant_type, invalid_dpop_proof or use_dpop_nonce"
_ERRORS: Final[Responses] = {
    400: {"model": models.TokenError, "description": _BAD_REQUEST},
    401: {"model": models.TokenError, "description": "invalid_client"},
    408: {"model": models.TokenError, "description": "invalid_request: the form came too slowly"},
    413: {"model": models.TokenError, "description": "invalid_request: the form is over 16 KiB"},
    415: {"model": models.TokenError, "description": "invalid_request: not an urlencoded form"},
}

router = APIRouter(prefix="/v1", tags=["agent"])


class _OAuthError(Exception):
    """An error of RFC 6749 §5.2."""

    def __init__(
        self, error: str, status: int = 400, description: str | None = None, *, nonce: str = ""
    ) -> None:
        self.error, self.status, self.description, self.nonce = error, status, description, nonce
        super().__init__(error)


@router.post(
    "/token",
    response_model=models.AccessToken,
    responses=_ERRORS | problems(429, 503),
    openapi_extra=body_of(FORM, _FORM),
)
async def issue_token(request: Request, wired: Wired) -> Any:
    """Exchange a partner agent's signed assertion for an access token of five minutes, bound to its key."""
    await run_in_threadpool(take_by_address, request, wired)
    try:
        assertion = _assertion(await _form(request))
        issued = await run_in_threadpool(
            _issue, wired, assertion, presented(request, wired.of_app.public_url)
        )
    except _OAuthError as error:
        return _response(error)
    hand_out(request, issued.nonce)
    return JSONResponse(
        {
            "access_token": issued.token,
            "token_type": issued.token_type,
            "expires_in": access.ACCESS_SECONDS,
        },
        headers={"Pragma": "no-cache"},  # RFC 6749 §5.1
    )


async def _form(request: Request) -> dict[str, str]:
    try:
        return parse_form(await read_text(request, FORM, MAX_FORM))
    except FlagstoneError as error:
        # unusable forms are 400 in RFC 6749; too large and wrongly declared ones keep their own status
        status = 400 if error.status == 422 else error.status  # noqa: PLR2004
        raise _OAuthError("invalid_request", status, str(error)) from None


def _assertion(form: dict[str, str]) -> str:
    if any(not form.get(field) for field in _FIELDS):
        raise _OAuthError("invalid_request", description=f"Send {', '.join(_FIELDS)}")
    if "client_id" in form:
        # RFC 7521 §4.2 lets it stand if it names the assertion's subject; leaving it out can't contradict
        raise _OAuthError(
            "invalid_request", description="Leave client_id out: the assertion names the client"
        )
    if form["grant_type"] != GRANT:
        raise _OAuthError("unsupported_grant_type")
    if form["client_assertion_type"] != ASSERTION:
        raise _OAuthError("invalid_client", 401, "Only signed JWT assertions are read here")
    return form["client_assertion"]


def _issue(wired: Wired, assertion: str, shown: Presented) -> access.Issued:
    try:
        return access.issue_token(wired.context, assertion, shown)
    except ProofError as error:
        raise _OAuthError(error.error, description=str(error), nonce=error.nonce) from None
    except FlagstoneError as error:
        if error.status >= _SERVER_ERROR:
            raise
        raise _OAuthError("invalid_client", 401, str(error)) from None


def _response(error: _OAuthError) -> JSONResponse:
    body = {"error": error.error} | ({"error_description": error.description} if error.description else {})
    headers = {"Pragma": "no-cache"} | ({"DPoP-Nonce": error.nonce} if error.nonce else {})
    if error.status == 401:  # noqa: PLR2004
        headers["WWW-Authenticate"] = f'DPoP algs="{ALGORITHM}"'
    if error.status in {408, 413}:
        headers["Connection"] = "close"  # the rest of the body is never read
    return JSONResponse(body, error.status, headers)
