"""The gateway's HTTP application."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from gateway.domain.exchange import ExchangeId
from gateway.pages.browser import Browser
from gateway.people_ports import IdentityProvider
from gateway.service.context import Context
from gateway.service.search_context import SearchContext
from gateway.web import problems, signin
from gateway.web.api import (
    agent,
    enrolment,
    erasure,
    exchanges,
    log,
    operations,
    proposals,
    review,
    token,
)
from gateway.web.documented import Documented
from gateway.web.envelope import Envelope
from gateway.web.gate import Gate
from gateway.web.observer import Observer
from gateway.web.protocol import GuardedProtocol
from gateway.web.wiring import Wiring

SERVER_OPTIONS: Final[dict[str, Any]] = {
    "access_log": False,  # it would show paths and queries
    "server_header": False,  # it would show what we run
    "log_config": None,
    "http": GuardedProtocol,
    "ws": "none",
    "proxy_headers": False,  # nobody's word about who else is calling is taken
    "timeout_keep_alive": 30,
    "h11_max_incomplete_event_size": 1 << 16,  # bytes of a request's head
}
"""How uvicorn must be run."""

MAX_CONCURRENT: Final = 100
_DESCRIPTION: Final = "One narrow question about families: is any of these indicators met?"


def bare_app(*routers: APIRouter) -> FastAPI:
    """The routes, all if none is named, wired to nothing yet: enough for the OpenAPI document."""
    app = Documented(
        title="Flagstone gateway",
        version="1",
        description=_DESCRIPTION,
        openapi_url=None,  # served to signed-in callers only, by a route of ours
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the caller's URL
        generate_unique_id_function=lambda route: route.name,
        # FastAPI's own tracing records request bodies and error texts when it finds a provider
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    modules = (exchanges, erasure, proposals, log, review, token, enrolment, agent, operations)
    for router in routers or [module.router for module in modules]:
        app.include_router(router)
    return app


def create_app(
    context: Context,
    *,
    review: SearchContext,
    on_submitted: Callable[[ExchangeId], None],
    on_answered: Callable[[ExchangeId], None],
    max_upload: int,
    observer: Observer,
    behind_tls: bool = False,
    public_url: str | None = None,
    max_concurrent: int = MAX_CONCURRENT,
    browser: Browser = Browser(),
    provider: IdentityProvider | None = None,
) -> FastAPI:
    """The application, wired. Run it with `SERVER_OPTIONS`.

    `on_submitted` and `on_answered` (an answer or a refusal came) run in a worker thread after the commit,
    also when a request is repeated. `max_upload` bounds a household list, in bytes; `max_concurrent` the
    requests that are answered at once. `behind_tls`: a proxy ends TLS before us. `public_url`: `Wiring`.
    """
    app = bare_app()
    app.include_router(signin.router)
    wiring = Wiring(
        context, review, on_submitted, on_answered, max_upload, observer, public_url, browser, provider
    )
    return _wired(app, wiring, behind_tls=behind_tls, max_concurrent=max_concurrent)


def create_review_app(
    context: Context,
    *,
    review: SearchContext,
    observer: Observer,
    behind_tls: bool = False,
    public_url: str | None = None,
    max_concurrent: int = MAX_CONCURRENT,
    browser: Browser = Browser(),
) -> FastAPI:
    """The log and the operator's routes alone, for a process that serves reviewers apart from the gateway.

    The parameters are those of `create_app`.
    """

    def never(_: ExchangeId) -> None:
        raise RuntimeError("no route of this process takes or answers an exchange")

    wiring = Wiring(context, review, never, never, 0, observer, public_url, browser)
    app = bare_app(log.router, operations.router)
    return _wired(app, wiring, behind_tls=behind_tls, max_concurrent=max_concurrent)


def _wired(app: FastAPI, wiring: Wiring, *, behind_tls: bool, max_concurrent: int) -> FastAPI:
    app.state.wiring = wiring
    problems.install(app)
    app.add_middleware(Gate, most=max_concurrent, observer=wiring.observer)
    app.add_middleware(Envelope, observer=wiring.observer, behind_tls=behind_tls)
    return app
