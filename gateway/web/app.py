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
from gateway.web.api import agent, erasure, exchanges, log, operations, proposals, review, token
from gateway.web.documented import Documented
from gateway.web.envelope import Envelope
from gateway.web.observer import Observer
from gateway.web.wiring import Wiring

SERVER_OPTIONS: Final[dict[str, Any]] = {"access_log": False, "server_header": False, "log_config": None}
"""How uvicorn must be run: its own access log would show paths and queries, its header what we run."""

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
    modules = (exchanges, erasure, proposals, log, review, token, agent, operations)
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
    browser: Browser = Browser(),
    provider: IdentityProvider | None = None,
) -> FastAPI:
    """The application, wired. Run it with `SERVER_OPTIONS`.

    `on_submitted` and `on_answered` (an answer or a refusal came) run in a worker thread after the commit,
    also when a request is repeated. `max_upload` bounds a household list, in bytes.
    """
    app = bare_app()
    app.include_router(signin.router)
    wiring = Wiring(context, review, on_submitted, on_answered, max_upload, observer, browser, provider)
    return _wired(app, wiring)


def create_review_app(context: Context, *, review: SearchContext, observer: Observer) -> FastAPI:
    """The log and the operator's routes alone, for a process that serves reviewers apart from the gateway."""

    def never(_: ExchangeId) -> None:
        raise RuntimeError("no route of this process takes or answers an exchange")

    return _wired(bare_app(log.router, operations.router), Wiring(context, review, never, never, 0, observer))


def _wired(app: FastAPI, wiring: Wiring) -> FastAPI:
    app.state.wiring = wiring
    problems.install(app)
    app.add_middleware(Envelope, observer=wiring.observer)
    return app
