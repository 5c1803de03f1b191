"""The OpenAPI words for what a route may answer."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from gateway.web.models import ExtractQuestion, SubjectQuestion
from gateway.web.problems import MEDIA_TYPE, Problem

_REFERENCE: Final = "#/components/schemas/{model}"
_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
_BODIES: Final[tuple[type[BaseModel], ...]] = (SubjectQuestion, ExtractQuestion)
_WORDS: Final = {
    400: "A signature, digest or format does not hold",
    401: "Not signed in",
    403: "Not allowed, or refused by policy",
    404: "There is no such thing, or the caller may not know of it",
    408: "The body came too slowly",
    409: "In a state that does not allow this",
    410: "It was there, and is destroyed",
    413: "The body is over the limit",
    415: "Not a content type that is read here",
    422: "A parameter or the body can't be used",
    429: "As often as is allowed for now",
    500: "The gateway failed",
    502: "The partner's agent can't be asked",
    503: "The disclosure log can't be written, so nothing moved; or too much is asked at once",
}

PASSING: Final = (429, 503)
"""These pass by themselves; `Retry-After` (RFC 9110 §10.2.3) says when to try again."""
_RETRY_AFTER: Final = {
    "description": "Seconds until it may go through",
    "schema": {"type": "integer", "minimum": 1},
}

Responses = dict[int | str, dict[str, Any]]


class Documented(FastAPI):
    """FastAPI whose document also defines what `problems` and `schema_of` refer to."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        models: tuple[type[BaseModel], ...] = (Problem, *_BODIES)
        for model in models:
            schema = model.model_json_schema(ref_template=_REFERENCE)
            document["components"]["schemas"] |= schema.pop("$defs", {}) | {model.__name__: schema}
        return document


def schema_of(body: type[BaseModel]) -> dict[str, Any]:
    """A reference to the schema of a body that the route reads itself; one of `_BODIES`."""
    return {"$ref": _REFERENCE.format(model=body.__name__)}


def problems(*statuses: int) -> Responses:
    """Problem responses by status; 500 is always among them."""
    return {status: _answer(status) for status in (*statuses, 500)}


def _answer(status: int) -> dict[str, Any]:
    headers = {"headers": {"Retry-After": _RETRY_AFTER}} if status in PASSING else {}
    return {"description": _WORDS[status], "content": _PROBLEM, **headers}


def bytes_of(media_type: str, description: str) -> Responses:
    """A 200 whose body is written by the route itself."""
    schema = (
        {"type": "object"} if media_type == "application/json" else {"type": "string", "format": "binary"}
    )
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


USER: Final = (401, 403, 429, 503)
"""What every route of a council user may answer."""
AGENT: Final = (401, 429, 503)
"""What every route of a partner's agent may answer."""
BODY: Final = (408, 413, 415, 422)
"""What every route that reads a body may answer."""
