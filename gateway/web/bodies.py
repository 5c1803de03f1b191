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
SIGNED_JSON: Final = ("application/jose+json",)  # RFC 7515 §9.2.2
NOTE: Final = ("text/plain",)
JSON: Final = ("application/json",)
FORM: Final = ("application/x-www-form-urlencoded",)


GRACE_SECONDS: Final = 30.0
SLOWEST: Final = 16 * 1024
"""Bytes a second, beyond the grace, that a body must come at: 64 MiB may take an hour."""


class TooSlowError(BadInputError):
    """The body comes so slowly that the connection is better used for another."""

    code = "too-slow"
    status = 408


class WrongMediaTypeError(BadInputError):
    """The body is declared as something that this route does not read."""

    code = "wrong-media-type"
    status = 415


async def read_body(request: Request, types: Collection[str], limit: int) -> list[bytes]:
    """The body in chunks as they arrived.

    Raises:
        WrongMediaTypeError: the declared type is not one of `types`, or the body is declared as compressed.
        TooLargeError: the body is over `limit` bytes; found from its declared length or while reading.
        TooSlowError: it takes longer than `GRACE_SECONDS` and a second for each `SLOWEST` bytes that came.
    """
    _check_type(request, types)
    if _declared_length(request) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(began + GRACE_SECONDS) as patience:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
                patience.reschedule(began + GRACE_SECONDS + size / SLOWEST)
    except TimeoutError:
        raise TooSlowError("the body came too slowly", place="body", way_out="Send it again") from None
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
