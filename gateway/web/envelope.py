"""The outermost layer: correlation id, headers, the last catch for errors, and word to the observer."""

import time
import uuid
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.observer import Observer
from gateway.web.problems import unforeseen

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, whatever a route says."""
CONTENT_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
UNLESS_STATED: Final = {"Content-Security-Policy": CONTENT_POLICY, "Referrer-Policy": "no-referrer"}
"""Of every answer that is no page: a page states its own."""
_ONLY_TLS: Final = "max-age=31536000; includeSubDomains"  # a year (RFC 6797 §6.1)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_LEFT: Final = 499  # nothing is sent; the number is for the metrics alone


def protection(correlation: str, *, tls: bool) -> dict[str, str]:
    """The headers of an answer to a caller who came by TLS or not."""
    only_tls = {"Strict-Transport-Security": _ONLY_TLS} if tls else {}
    return HEADERS | only_tls | {"X-Correlation-Id": correlation}


class Envelope:
    """ASGI middleware around everything of ours.

    An error that gets here is answered and swallowed: raised further, the server would write its text, which
    may quote data, to its own log. When the answer has begun already, returning makes the server cut the
    connection, so that a broken stream can't pass for a whole one.
    """

    def __init__(self, app: ASGIApp, observer: Observer, *, behind_tls: bool = False) -> None:
        """`behind_tls`: callers reach us by TLS that a proxy terminates, so that we don't see it."""
        self._app = app
        self._observer = observer
        self._behind_tls = behind_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation, began, status = str(uuid.uuid4()), time.perf_counter(), 0
        scope.setdefault("state", {})["correlation"] = correlation

        async def sealed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(protection(correlation, tls=self._behind_tls or scope["scheme"] == "https"))
                headers.update(scope["state"].get("headers", {}))
                for name, value in UNLESS_STATED.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sealed)
        except ClientDisconnect:
            status = status or _CLIENT_LEFT
        except Exception as error:  # noqa: BLE001 - the last catch
            self._observer.failed(correlation, error)
            if not status:
                await unforeseen(correlation)(scope, receive, sealed)
        seconds = time.perf_counter() - began
        self._observer.answered(correlation, _method(scope), route_template(scope), status, seconds)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def route_template(scope: Scope) -> str:
    """The matched route's path as it was declared, so that no id becomes a label."""
    return getattr(scope.get("route"), "path", "unmatched")
