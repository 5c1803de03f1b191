"""What the routes are wired to; set once by `create_app`, read through a dependency."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from gateway.domain.exchange import ExchangeId
from gateway.pages.browser import Browser
from gateway.people_ports import IdentityProvider
from gateway.service.context import Context
from gateway.service.search_context import SearchContext
from gateway.web.observer import Observer


@dataclass(frozen=True, slots=True)
class Wiring:
    """`on_submitted` and `on_answered` run after the commit, also for a repeated request: idempotent."""

    context: Context
    review: SearchContext
    on_submitted: Callable[[ExchangeId], None]
    on_answered: Callable[[ExchangeId], None]
    max_upload: int  # bytes of one household list
    observer: Observer
    browser: Browser = Browser()  # noqa: RUF009 - frozen
    provider: IdentityProvider | None = None


async def _wiring(request: Request) -> Wiring:
    wired: Wiring = request.app.state.wiring
    return wired


Wired = Annotated[Wiring, Depends(_wiring)]
