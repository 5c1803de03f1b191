"""What the routes are wired to; set once by `create_app`, read through a dependency."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from gateway.domain.exchange import ExchangeId
from gateway.domain.principal import SIGNING_IN, Principal
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
    public_url: str | None = None
    """Under which agents reach the gateway; None: on this machine alone."""
    browser: Browser = Browser()  # noqa: RUF009 - frozen
    provider: IdentityProvider | None = None


@dataclass(slots=True)
class RequestWiring:
    """The wiring of one request: whose it is, `gateway.web.identity` says once it knows.

    Until then the store shows what signing in needs and nothing else.
    """

    of_app: Wiring
    principal: Principal = SIGNING_IN

    @property
    def browser(self) -> Browser:
        return self.of_app.browser

    @property
    def provider(self) -> IdentityProvider | None:
        return self.of_app.provider

    @property
    def context(self) -> Context:
        """For use cases of this request: the store shows what its caller may see."""
        return self.of_app.context.acting_for(self.principal)

    @property
    def submitting(self) -> Context:
        """The same while a household list is taken in."""
        return self.of_app.context.acting_for(self.principal.submitting())


async def _wiring(request: Request) -> RequestWiring:
    return RequestWiring(request.app.state.wiring)


Wired = Annotated[RequestWiring, Depends(_wiring)]
