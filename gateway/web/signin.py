"""The pages of signing in and out, and of one's own session. They work without script."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from gateway.domain.allowances import Rate
from gateway.domain.errors import (
    BadInputError,
    ConflictError,
    FlagstoneError,
    NotSignedInError,
    VerificationError,
)
from gateway.domain.exchange import Role
from gateway.domain.sessions import Way
from gateway.pages.browser import PAGE_HEADERS, csrf_token
from gateway.pages.rendering import STYLE, page, style
from gateway.people_ports import IdentityProvider
from gateway.service import attempts, links, sessions, signing_in
from gateway.service.limiting import take
from gateway.service.sessions import SignedIn
from gateway.web.bodies import FORM, parse_form, read_text
from gateway.web.identity import check_ours, signed_in, take_by_address
from gateway.web.problems import correlation_of, told
from gateway.web.wiring import RequestWiring, Wired

MAX_FORM: Final = 4 * 1024
MAX_LOGOUT: Final = 16 * 1024
_SIGN_IN: Final = (("/signin", "Sign in"),)


class Page(APIRoute):
    """A route that answers with a page, errors too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with our errors as pages; what nobody foresaw is the envelope's."""
        handler = super().get_route_handler()

        async def paged(request: Request) -> Response:
            try:
                request.app.state.wiring.browser.check_host(request.headers)
                return await handler(request)
            except RequestValidationError:
                return _error(request, BadInputError("the address is not complete, or not of this page"))
            except FlagstoneError as error:
                return _error(request, error)

        return paged


router = APIRouter(route_class=Page, include_in_schema=False)


def _session(request: Request, wired: Wired) -> SignedIn:
    secret = request.cookies.get(wired.browser.session_cookie)
    if secret is None:
        raise NotSignedInError("you are not signed in")
    found = signed_in(request, wired, lambda: sessions.by_secret(wired.context, secret))
    take(wired.context, Rate.READ, str(found.user.id))
    return found


_Session = Annotated[SignedIn, Depends(_session)]


async def _form(request: Request, limit: int = MAX_FORM) -> dict[str, str]:
    return parse_form(await read_text(request, FORM, limit))


async def _own_form(request: Request, wired: Wired, _: _Session) -> dict[str, str]:
    """The form that a page of this session sent."""
    form = await _form(request)
    secret = request.cookies[wired.browser.session_cookie]
    await run_in_threadpool(check_ours, request, wired, secret, form.get("csrf", ""))
    return form


_OwnForm = Annotated[dict[str, str], Depends(_own_form)]


@router.get(STYLE)
async def read_style() -> Response:
    """The style sheet of every page."""
    return Response(style(), media_type="text/css")


@router.get("/signin")
async def show_sign_in(wired: Wired) -> Response:
    """How to sign in here."""
    return _page(wired, "signin")


@router.get("/signin/start")
def start(wired: Wired) -> Response:
    """On to the provider."""
    return _to_provider(wired, _provider(wired), step_up=False)


@router.get("/session/step-up")
def step_up(wired: Wired, _: _Session) -> Response:
    """On to the provider for a second factor."""
    return _to_provider(wired, _provider(wired), step_up=True)


@router.get("/signin/callback")
def come_back(
    request: Request,
    wired: Wired,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    iss: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Back from the provider: a new session, or why there is none. The page that follows has a plain URL."""
    take_by_address(request, wired)
    provider = _provider(wired)
    answer = signing_in.Answer(request.cookies.get(wired.browser.attempt_cookie, ""), state, code, iss)
    try:
        secret = signing_in.sign_in(wired.context, provider, answer, replacing=_cookie(request, wired))
    except signing_in.StepUpNeededError:
        return _to_provider(wired, provider, step_up=True)
    response = _begun(wired, secret)
    response.headers.append("Set-Cookie", wired.browser.cookie(wired.browser.attempt_cookie, "", 0))
    return response


@router.post("/signin/backchannel-logout")
async def log_out(request: Request, wired: Wired) -> Response:
    """The provider ends sessions (OpenID Connect Back-Channel Logout 1.0 §2.5)."""
    provider = _provider(wired)
    try:
        form = await _form(request, MAX_LOGOUT)
        token = form.get("logout_token", "")
        await run_in_threadpool(signing_in.logged_out, wired.context, provider, token)
    except (BadInputError, NotSignedInError) as error:
        await run_in_threadpool(take_by_address, request, wired)
        raise VerificationError(error.reason, place="logout token") from None  # 400, as §2.8 wants
    return Response(status_code=status.HTTP_200_OK)


@router.get("/signin/link")
async def show_link(wired: Wired, code: Annotated[str, Query(max_length=100)]) -> Response:
    """What a one-time link opens: a button, so that a program that looks at links does not use it up."""
    return _page(wired, "link", link=code)


@router.post("/signin/link")
async def use_link(request: Request, wired: Wired) -> Response:
    """A new session for whoever holds the code of a link."""
    await run_in_threadpool(take_by_address, request, wired)
    wired.browser.check_same_site(request.headers)
    form = await _form(request)
    replacing = _cookie(request, wired)
    code = form.get("code", "")
    secret = await run_in_threadpool(links.use, wired.context, code, replacing=replacing)
    return _begun(wired, secret)


@router.get("/session")
def show_session(request: Request, wired: Wired, found: _Session) -> Response:
    """Who is signed in, as what, and until when."""
    session, user = found.session, found.user
    if session is None:
        raise NotSignedInError("you are not signed in")
    return _page(
        wired,
        "home",
        signed_in=found,
        name=user.name,
        role=user.role.value,
        organisation=user.partner or wired.context.keys.identity.name,
        multi_factor=session.multi_factor,
        may_step_up=wired.provider is not None and user.role is Role.PROGRAMME and not found.strongly,
        ends_at=f"{session.ends_at:%d %B %Y, %H:%M} UTC",
        idle=int(wired.context.rules.idle.total_seconds() // 60),
        lasts=int(wired.context.rules.token.total_seconds() // 60),
        csrf=csrf_token(_cookie(request, wired)),
    )


@router.post("/session/token")
async def make_token(wired: Wired, found: _Session, _: _OwnForm) -> Response:
    """A token for the command line, shown once."""
    token, until = await run_in_threadpool(sessions.mint, wired.context, found)
    return _page(wired, "token", signed_in=found, token=token, until=f"{until:%H:%M} UTC")


@router.post("/signout")
async def sign_out(wired: Wired, found: _Session, _: _OwnForm) -> Response:
    """The end of the session and its tokens."""
    await run_in_threadpool(sessions.sign_out, wired.context, found)
    response = _to("/signedout")
    response.headers.append("Set-Cookie", wired.browser.cookie(wired.browser.session_cookie, "", 0))
    return response


@router.get("/signedout")
def show_signed_out(wired: Wired) -> Response:
    """That it has ended, and where to leave the provider as well."""
    elsewhere = wired.provider.sign_out_url() if wired.provider else None
    also = ((elsewhere, "Sign out of your organisation's account too"),) if elsewhere else ()
    text = "Your session here has ended, and its tokens with it."
    return _page(
        wired, "message", heading="You are signed out", text=text, reference="", links=(*also, *_SIGN_IN)
    )


def _provider(wired: RequestWiring) -> IdentityProvider:
    if wired.provider is None:
        raise ConflictError(
            "no identity provider is configured", place="sign-in", way_out="Open a one-time link instead"
        )
    return wired.provider


def _cookie(request: Request, wired: RequestWiring) -> str:
    return request.cookies.get(wired.browser.session_cookie, "")


def _to_provider(wired: RequestWiring, provider: IdentityProvider, *, step_up: bool) -> Response:
    attempt = attempts.new(wired.context, step_up=step_up)
    response = _to(provider.authorization_url(attempts.attempt_of(attempt)))
    seconds = int(attempts.LONGEST.total_seconds())
    response.headers.append(
        "Set-Cookie", wired.browser.cookie(wired.browser.attempt_cookie, attempt, seconds)
    )
    return response


def _begun(wired: RequestWiring, secret: str) -> Response:
    response = _to("/session")
    response.headers.append("Set-Cookie", wired.browser.cookie(wired.browser.session_cookie, secret))
    return response


def _to(address: str) -> Response:
    return RedirectResponse(address, status.HTTP_303_SEE_OTHER, headers=PAGE_HEADERS)


def _page(
    wired: RequestWiring,
    template: str,
    code: int = 200,
    *,
    signed_in: SignedIn | None = None,
    **values: object,
) -> Response:
    session = signed_in.session if signed_in else None
    html = page(
        template,
        broken=session is not None and session.way is Way.BREAK_GLASS,
        no_provider=not wired.context.rules.provider,
        **values,
    )
    return HTMLResponse(html, code, headers=PAGE_HEADERS)


def _error(request: Request, error: FlagstoneError) -> Response:
    """The error in words; one that nobody can act on says where to ask, and nothing else."""
    wired = RequestWiring(request.app.state.wiring)
    reference = f"urn:uuid:{correlation_of(request)}"
    text = f"{str(error)[:1].upper()}{str(error)[1:]}."
    if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        text = "The gateway failed."
    heading = _HEADINGS.get(error.status, "This did not work")
    response = _page(
        wired, "message", error.status, heading=heading, text=text, reference=reference, links=_SIGN_IN
    )
    response.headers.update(told(request, error))
    if isinstance(error, NotSignedInError):  # a cookie that counts for nothing is not sent again
        response.headers.append("Set-Cookie", wired.browser.cookie(wired.browser.session_cookie, "", 0))
    return response


_HEADINGS: Final = {
    401: "You are not signed in",
    403: "This is not allowed",
    422: "This address is not complete",
    503: "Signing in does not work just now",
}
