"""So many requests at once and no more: the next is told to come again, so that those inside finish."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.web.observer import Observer
from gateway.web.problems import SOON, problem

LIMIT: Final = "at-once"
_OPEN: Final = "/v1/health/"


class Gate:
    """ASGI middleware. Health endpoints are let past it: who watches must not take a crowd for a crash."""

    def __init__(self, app: ASGIApp, most: int, observer: Observer) -> None:
        self._app = app
        self._most = most
        self._observer = observer
        self._inside = 0  # the event loop's thread alone touches it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            await self._turn_away(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._observer.limited(LIMIT)
        headers = {"Retry-After": str(SOON)}
        if any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"]):
            headers["Connection"] = "close"  # the body is never read
        text = "Too much is asked at once. Go on when Retry-After is over"
        answer = problem("overloaded", 503, text, scope["state"]["correlation"], headers=headers)
        await answer(scope, receive, send)
