"""Every error as a problem document (RFC 9457). Nothing that came in goes out again in one."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from gateway.bundle.jws import ALGORITHM
from gateway.domain.errors import FlagstoneError, TooManyError
from gateway.service.constraint import ProofError

MEDIA_TYPE: Final = "application/problem+json"
_INTERNAL: Final = 500
_UNREAD: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
SOON: Final = 5
"""Seconds after which to try again what failed for want of the database or of room."""
_REASONS: Final = {
    "missing": "is missing",
    "uuid_parsing": "is not a UUID",
    "uuid_type": "is not a UUID",
    "int_parsing": "is not a whole number",
    "bool_parsing": "is neither true nor false",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
}
"""Our words for pydantic's error types: its own messages may quote the input."""


class RowProblem(BaseModel):
    """A bad row of an upload: by line, column and reason, never by value."""

    line: int
    column: str
    reason: str


class WithheldRow(BaseModel):
    """A row that would stay out of the request, and the code of the reason."""

    line: int
    reason: str


class ParameterProblem(BaseModel):
    """A parameter that is missing or malformed. `place`: path, query or header."""

    place: str
    name: str
    reason: str


class Problem(BaseModel):
    """A problem document (RFC 9457). `instance` is the correlation id: quote it when you ask for help."""

    model_config = ConfigDict(hide_input_in_errors=True)

    type: str = Field(examples=["urn:flagstone:problem:not-found"])
    title: str
    status: int
    detail: str
    instance: str = Field(examples=["urn:uuid:6f9619ff-8b86-4d01-b42d-00c04fc964ff"])
    rows: list[RowProblem] | None = Field(None, description="Bad rows of an upload")
    decision: dict[str, Any] | None = Field(None, description="The refusal, every unmet requirement named")
    withheld: list[WithheldRow] | None = Field(None, description="Rows that the row rules withhold")
    parameters: list[ParameterProblem] | None = Field(None, description="Parameters to correct")


def problem(
    code: str,
    status: int,
    detail: str,
    correlation: str,
    *,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem response; the title follows from the code, as RFC 9457 §3.1.4 wants."""
    document = {
        "type": f"urn:flagstone:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{correlation}",
    }
    return JSONResponse(document | dict(extra or {}), status, headers, media_type=MEDIA_TYPE)


def unforeseen(correlation: str) -> JSONResponse:
    """What is said of an error that nobody foresaw: where to ask, and nothing else."""
    return problem("error", _INTERNAL, "The gateway failed. Quote the instance to its operator", correlation)


def challenge(request: Request, error: FlagstoneError | None = None) -> dict[str, str]:
    """RFC 6750 §3, RFC 9449 §7.1: say what was wrong only to a caller who sent something."""
    if isinstance(error, ProofError):
        asked = f'DPoP error="{error.error}", algs="{ALGORITHM}"'
        return {"WWW-Authenticate": asked} | ({"DPoP-Nonce": error.nonce} if error.nonce else {})
    sent = request.headers.get("authorization")
    if sent is None:
        return {"WWW-Authenticate": f'Bearer, DPoP algs="{ALGORITHM}"'}
    if sent.partition(" ")[0].lower() == "dpop":
        return {"WWW-Authenticate": f'DPoP error="invalid_token", algs="{ALGORITHM}"'}
    return {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def correlation_of(request: Request) -> str:
    correlation: str = request.state.correlation
    return correlation


async def _ours(request: Request, error: FlagstoneError) -> JSONResponse:
    correlation, headers = correlation_of(request), told(request, error)
    if error.status == _INTERNAL:
        return unforeseen(correlation)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers |= challenge(request, error)
    return problem(error.code, error.status, str(error), correlation, extra=_details(error), headers=headers)


def told(request: Request, error: FlagstoneError) -> dict[str, str]:
    """Tell the observer of an error; the headers that its answer needs, as a problem or as a page."""
    observer, headers = request.app.state.wiring.observer, {}
    if error.status == _INTERNAL:
        observer.failed(correlation_of(request), error)
    if isinstance(error, TooManyError):
        headers["Retry-After"] = str(error.retry_after)
        observer.limited(error.limit)
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(SOON)
    if error.status in _UNREAD:
        headers["Connection"] = "close"  # the rest of the body is never read
    return headers


def _details(error: FlagstoneError) -> dict[str, object]:
    """What some errors carry beside their text: bad rows, the decision that refused, withheld rows."""
    details: dict[str, object] = {}
    if rows := getattr(error, "rows", None):
        details["rows"] = [{"line": row.line, "column": row.column, "reason": row.reason} for row in rows]
    if decision := getattr(error, "decision", None):
        details["decision"] = decision
    if withheld := getattr(error, "withheld", None):
        details["withheld"] = list(withheld)
    return details


async def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
    return problem(
        "malformed-request",
        422,
        "A parameter is missing or malformed. See parameters",
        correlation_of(request),
        extra={"parameters": [_parameter(each) for each in _unique(error.errors())]},
    )


def _unique(errors: Sequence[Any]) -> list[Any]:
    return list({tuple(each["loc"][:2]): each for each in errors}.values())


def _parameter(error: Mapping[str, Any]) -> dict[str, str]:
    # no route declares a model for path, query, header or body, so `loc` holds declared names alone
    place, name = error["loc"][:2]
    return {
        "place": place,
        "name": name,
        "reason": _REASONS.get(error["type"], "is not of the documented form"),
    }


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    phrase = HTTPStatus(error.status_code).phrase
    return problem(
        phrase.lower().replace(" ", "-"),
        error.status_code,
        "See the OpenAPI document for the paths and methods that exist",
        correlation_of(request),
        headers=error.headers,
    )


def install(app: FastAPI) -> None:
    """Make every handled error of `app` a problem; the rest is the envelope's."""
    app.exception_handler(FlagstoneError)(_ours)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_http)
