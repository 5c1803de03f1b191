"""Asking the provider over HTTP: few requests, small answers, no redirects, never for long."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from adapters.identity.config import safe_url
from gateway.domain.errors import ProviderDownError, VerificationError
from gateway.domain.network import LOOPBACK

MAX_ANSWER: Final = 1 << 20
_TIMEOUT: Final = httpx.Timeout(5.0)


def fetch(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, content: str | None = None
) -> tuple[int, Any]:
    """Status and JSON of an answer.

    Raises:
        ProviderDownError: no answer, or one that says the provider is not well.
        VerificationError: the URL is not safe to ask, or the answer is no JSON or over 1 MiB.
    """
    if not safe_url(url):
        raise VerificationError("the provider names a URL that is not https", place="identity provider")
    outside = urlsplit(url).hostname not in LOOPBACK
    try:
        with (
            httpx.Client(timeout=_TIMEOUT, follow_redirects=False, trust_env=outside) as client,
            client.stream(method, url, headers=headers, content=content) as answer,
        ):
            body = _limited(answer)
            status = answer.status_code
    except httpx.HTTPError:
        raise down() from None
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise down()
    try:
        return status, json.loads(body)
    except (ValueError, RecursionError):
        raise VerificationError("the provider's answer is no JSON", place="identity provider") from None


def down() -> ProviderDownError:
    return ProviderDownError(
        "the identity provider can't be reached",
        place="identity provider",
        way_out="Try again; while it stays down, the operator's machine has flagstone user break-glass",
    )


def _limited(answer: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            raise VerificationError("the provider's answer is over 1 MiB", place="identity provider")
    return bytes(body)
