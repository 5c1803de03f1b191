"""Request bodies: read as a stream, in memory only, and never beyond a stated limit.

Starlette's form parser is not used anywhere: it spools uploads over 1 MB to disk.
"""

import asyncio
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request

from gateway.domain.errors import BadInputError, TooLargeError

LISTS: Final = (
    "application/octet-stream",
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.apache.parquet",
)
"""What a household list may be declared as; its format is found from the bytes."""
BUNDLE: Final = ("application/octet-stream",)
JWS: Final = ("application/jose",)
NOTE: Final = ("text/plain",)
JSON: Final = ("application/json",)
GRACE_SECONDS: Final = 10.0
LEAST_RATE: Final = 128 * 1024
"""Bytes a second that a body must come at, on the whole, before its sender is given up."""
FORM: Final = ("application/x-www-form-urlencoded",)


class WrongMediaTypeError(BadInputError):
    """The body is declared as something that this route does not read."""

    code = "wrong-media-type"
    status = 415


class TooSlowError(BadInputError):
    """The body came too slowly to wait for."""

    code = "too-slow"
    status = 408


async def read_body(request: Request, types: Collection[str], limit: int) -> list[bytes]:
    """The body in chunks as they arrived.

    Raises:
        TooSlowError: it did not come in time: `GRACE_SECONDS` and a second for every `LEAST_RATE` of `limit`.
        WrongMediaTypeError: the declared type is not one of `types`, or the body is declared as compressed.
        TooLargeError: the body is over `limit` bytes; found from its declared length or while reading.
    """
    _check_type(request, types)
    if _declared_length(request) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(GRACE_SECONDS + limit / LEAST_RATE):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise TooSlowError("it did not come in time", place="body", way_out="Send it again") from None
    return chunks


async def read_text(request: Request, types: Collection[str], limit: int) -> str:
    """A small body of ASCII text, such as a compact JWS."""
    body = b"".join(await read_body(request, types, limit))
    if not body.isascii():
        raise BadInputError("not ASCII text", place="body")
    return body.decode("ascii")


def parse_form(body: str) -> dict[str, str]:
    """Fields of an urlencoded form.

    Raises:
        BadInputError: not a form, or a field came twice (RFC 6749 §3.2 forbids it).
    """
    try:
        pairs = parse_qsl(
            body, strict_parsing=True, keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except ValueError:
        raise BadInputError("not an urlencoded form", place="body") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadInputError("a field came twice", place="body")
    return dict(pairs)


def body_of(types: Collection[str], schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """The OpenAPI words for a body that `read_body` reads."""
    content = {each: {"schema": schema or {"type": "string", "format": "binary"}} for each in types}
    return {"requestBody": {"required": True, "content": content}}


def _check_type(request: Request, types: Collection[str]) -> None:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in types:
        raise WrongMediaTypeError(
            "not a content type that is read here", place="body", way_out=f"Send {' or '.join(types)}"
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise WrongMediaTypeError("compressed bodies are not read", place="body", way_out="Send it as it is")


def _declared_length(request: Request) -> int:
    declared = request.headers.get("content-length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"larger than {limit} bytes", place="body", way_out="Send it in smaller parts")
