"""Requests of the gateway: one for each route that lacks nothing, and how they are sent."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from functools import cache
from urllib.parse import urlencode
from uuid import UUID

import httpx
from proofs import URL
from starlette.applications import Starlette
from starlette.routing import Mount
from web.webworld import FORM, LIST, QUERY, QUESTION, World

from gateway.web.openapi import document


@dataclass
class RawCall:
    """What an ASGI call gave back, and how much of the body the application took."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    finished: bool = False
    chunks_read: int = 0


@dataclass(frozen=True)
class Call:
    """One request to one route."""

    method: str
    path: str
    params: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    type: str | None = None
    content: bytes = b""

    def send(self, world: World, caller: str | None, shown: dict[str, str] | None = None) -> httpx.Response:
        """`caller`: by bearer token; `shown`: other headers of a credential."""
        headers = self.headers | ({"Content-Type": self.type} if self.type else {}) | (shown or {})
        return world.call(
            caller, self.method, self.path, params=self.params, headers=headers, content=self.content
        )

    def send_raw(
        self, world: World, caller: str | None, chunks: list[bytes], scheme: str = "http"
    ) -> RawCall:
        """Send the body in chunks of our own, without a declared length, and see how many were taken."""
        headers = {"host": "gateway"} | {name.lower(): value for name, value in self.headers.items()}
        headers |= {"content-type": self.type} if self.type else {}
        signed = world.credentials(caller, self.method, self.path)
        headers |= {name.lower(): value for name, value in signed.items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": scheme,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": urlencode(self.params).encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("gateway", 80),
        }
        return asyncio.run(raw_call(world.app, scope, chunks))


async def raw_call(app, scope: dict, chunks: list[bytes | None]) -> RawCall:
    """One ASGI call; a chunk of None is a client that hangs up."""
    call, waiting = RawCall(), list(chunks)

    async def receive() -> dict:
        if not waiting:
            await asyncio.Event().wait()  # the client is still there and has nothing more to say
        if waiting[0] is None:
            return {"type": "http.disconnect"}
        call.chunks_read += 1
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            call.status = message["status"]
            call.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            call.body += message.get("body", b"")
            call.finished = not message.get("more_body", False)

    await app(scope, receive, send)
    return call


FORM_TYPE = "application/x-www-form-urlencoded"
_JWS = {"type": "application/jose", "content": b"not.signed.at-all"}
_BODIES = {
    "POST /v1/exchanges/{exchange}/hold": {"params": {"until": "2026-12-31", "reason": "complaint"}},
    "POST /v1/token": {"type": "application/x-www-form-urlencoded", "content": urlencode(FORM).encode()},
    "POST /v1/lists/check": {"type": "text/csv", "content": LIST},
    "POST /v1/exchanges": {
        "type": "text/csv",
        "content": LIST
        + b"4,h1,Danquill,Marchquill,2018-09-10,m,LS1 4AP,crime.asb_intervention_12m,yes,yes\n",
        "params": QUERY,
        "headers": {"Idempotency-Key": "key-00000002"},
    },
    "POST /v1/log/subject": {"type": "application/json", "content": json.dumps(QUESTION).encode()},
    "POST /v1/log/subject/extract": {"type": "application/json", "content": json.dumps(QUESTION).encode()},
    "POST /v1/exchanges/{exchange}/destroy": {"params": {"clock": "results"}},
    "POST /v1/proposals": {
        "params": {"act": "lift-hold", "reason": "routine", "exchange": str(UUID(int=0))},
    },
    "POST /v1/review/{alert}/close": {"params": {"reason": "expected"}},
    "POST /v1/agent/prekeys": {"type": "application/json", "content": b'{"prekeys": ["not.signed.at-all"]}'},
    "POST /v1/log/evidence/{exchange}": {"type": "application/json", "content": b'{"openings": true}'},
    "PUT /v1/agent/exchanges/{exchange}/answer": {
        "type": "application/octet-stream",
        "content": b"no bundle",
    },
    "PUT /v1/agent/exchanges/{exchange}/refusal": _JWS,
    "PUT /v1/agent/agreements/{number}/signature": _JWS,
    "PUT /v1/agent/agreements/{number}/revocation": _JWS,
    "PUT /v1/agent/witness": _JWS,
    "PUT /v1/agent/certificate": _JWS,
    "POST /v1/enrolment": _JWS,
    "PUT /v1/agent/cosignature": {"type": "text/plain", "content": b"no note"},
    "PUT /v1/agent/alarm": _JWS,
    "PUT /v1/agent/council-keys": _JWS,
    "GET /signin/link": {"params": {"code": "none"}},
    "POST /signin/link": {"type": FORM_TYPE, "content": b"code=none", "headers": {"Origin": URL}},
    "POST /signin/backchannel-logout": {"type": FORM_TYPE, "content": b"logout_token=none"},
    "POST /session/token": {"type": FORM_TYPE, "content": b""},
    "POST /signout": {"type": FORM_TYPE, "content": b""},
    "POST /v1/agent/succession": {"type": "application/jose+json", "content": b"{}"},
}


@cache
def operations() -> dict[str, dict]:
    """Every operation of the contract by `METHOD /path`."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def routes(app: Starlette) -> set[str]:
    """Every `METHOD /path` that the application itself would answer, whether its document says so or not."""
    return set(_routes(app.routes, ""))


def _routes(table, before: str):
    for route in table:
        if isinstance(route, Mount) and not route.routes:
            yield f"MOUNT {before}{route.path}"  # whatever lies beneath
        elif isinstance(route, Mount):
            yield from _routes(route.routes, before + route.path)
        elif hasattr(route, "original_router"):  # FastAPI's, of what was included
            yield from _routes(route.original_router.routes, before + route.include_context.prefix)
        else:
            methods = getattr(route, "methods", None) or {"ANY"}
            yield from (f"{method} {before}{route.path}" for method in methods - {"HEAD"})


def well_formed(route: str, exchange: UUID) -> Call:
    """A request that lacks nothing but the right caller (and, for an agent's documents, a true signature)."""
    method, _, path = route.partition(" ")
    filled = path.format(
        exchange=exchange, number="health-1", index=0, clock="results", alert=exchange, proposal=exchange
    )
    call = Call(method, filled, **_BODIES.get(route, {}))
    return (
        replace(call, params=call.params | {"exchange": str(exchange)}) if "exchange" in call.params else call
    )
