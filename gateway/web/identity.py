"""Who calls: a person by a session's cookie or a token, or a partner's agent by its access token, which works
only together with what it is bound to (`gateway.service.constraint`).

Routes name the roles that may call them; the use cases check again (defence in depth). There is no
unauthenticated mode.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.http import HTTPBase

from gateway.domain.alerts import Caller, Denied
from gateway.domain.allowances import Rate
from gateway.domain.errors import NotAllowedError, NotSignedInError
from gateway.domain.exchange import Role
from gateway.domain.principal import Principal
from gateway.domain.principal import partner as acting_as_partner
from gateway.pages.browser import CSRF_HEADER, SAFE_METHODS, check_csrf
from gateway.party_ports import Partner, User
from gateway.service import access, sessions
from gateway.service.limiting import address_bucket, take
from gateway.service.sessions import SignedIn
from gateway.service.signins import denied
from gateway.web.presented import hand_out, presented
from gateway.web.wiring import RequestWiring, Wired

_USER_SCHEME: Final = HTTPBearer(
    scheme_name="user",
    description="Token of a user: made on the session's page, or issued by the operator. "
    "A browser's session cookie counts too, with the header X-CSRF-Token where a method changes something",
    auto_error=False,
)
_AGENT_SCHEME: Final = HTTPBase(
    scheme="DPoP",
    scheme_name="agent",
    description="Access token of a partner's agent, from /v1/token, with a proof in header DPoP (RFC 9449); "
    "as a bearer token over mutual TLS (RFC 8705) where it is bound to a client certificate",
    auto_error=False,
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")  # b64token, RFC 6750 §2.1

_RATES: Final = {
    "check_list": Rate.SUBMIT,
    "submit_list": Rate.SUBMIT,
    "find_entries": Rate.SEARCH,
    "search_subject": Rate.SEARCH,
    "make_extract": Rate.SEARCH,
}
"""What a route counts as, by its name; every other is a read."""

_Who = TypeVar("_Who")
_UserCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_USER_SCHEME)]
_AgentCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_AGENT_SCHEME)]


def _token(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None or not _TOKEN.fullmatch(credentials.credentials):
        raise NotSignedInError(
            "no token came with the request",
            way_out="Send the header Authorization: Bearer TOKEN, or as an agent Authorization: DPoP TOKEN",
        )
    return credentials.credentials


def _person(request: Request, wired: Wired, credentials: _UserCredentials) -> SignedIn:
    found = signed_in(request, wired, lambda: _by_cookie_or_token(request, wired, credentials))
    user = found.user
    take(wired.context, _RATES.get(request.scope["route"].name, Rate.READ), str(user.id))
    wired.principal = Principal(user.role.value, str(user.id), user.partner or "")
    return found


def _by_cookie_or_token(
    request: Request, wired: RequestWiring, credentials: HTTPAuthorizationCredentials | None
) -> SignedIn:
    cookie = request.cookies.get(wired.browser.session_cookie)
    # whatever stands in Authorization counts first: no other site can make a browser send that
    if cookie is None or "authorization" in request.headers:
        return sessions.by_bearer(wired.context, _token(credentials))
    found = sessions.by_secret(wired.context, cookie)
    if request.method not in SAFE_METHODS:
        check_ours(request, wired, cookie, request.headers.get(CSRF_HEADER, ""))
    return found


def check_ours(request: Request, wired: RequestWiring, secret: str, token: str) -> None:
    """That a page of ours, of this very session, made a request.

    Raises:
        NotAllowedError: it did not; counted as a failed sign-in.
    """
    try:
        wired.browser.check_same_site(request.headers)
        check_csrf(secret, token)
    except NotAllowedError:
        denied(wired.context, Caller.BROWSER, Denied.FORGED, "")
        raise


def _agent(request: Request, wired: Wired, credentials: _AgentCredentials) -> Partner:
    shown = presented(request, wired.of_app.public_url)
    admitted = signed_in(request, wired, lambda: access.partner_of(wired.context, _token(credentials), shown))
    hand_out(request, admitted.nonce)
    partner = admitted.partner
    take(wired.context, Rate.POLL, partner.identity.slug)
    wired.principal = acting_as_partner(partner.identity.slug)
    return partner


def _anyone(request: Request, wired: Wired, user: _UserCredentials, agent: _AgentCredentials) -> None:
    bearer = user or agent
    if bearer is None or sessions.is_of_session(bearer.credentials):
        signed_in(request, wired, lambda: _by_cookie_or_token(request, wired, bearer))
    else:
        shown = presented(request, wired.of_app.public_url)
        nonce = signed_in(request, wired, lambda: access.somebody(wired.context, _token(bearer), shown))
        hand_out(request, nonce)
    take(wired.context, Rate.READ, _address(request, wired))


def signed_in(request: Request, wired: RequestWiring, look: Callable[[], _Who]) -> _Who:
    """Whoever `look` finds; where it finds nobody, the try counts for the address that it came from.

    Raises:
        NotSignedInError: `look` did.
        TooManyError: too many such tries came from there.
    """
    try:
        return look()
    except NotSignedInError:
        take_by_address(request, wired)
        raise


def take_by_address(request: Request, wired: RequestWiring) -> None:
    """Count a sign-in that was tried, by the address that it came from.

    Raises:
        TooManyError: too many came from there.
    """
    take(wired.context, Rate.SIGN_IN, _address(request, wired))


def _address(request: Request, wired: RequestWiring) -> str:
    return address_bucket(wired.context, request.client.host if request.client else "")


def _only(*roles: Role, results: bool = False) -> Callable[..., Coroutine[Any, Any, User]]:
    async def check(wired: Wired, signed_in: Annotated[SignedIn, Depends(_person)]) -> User:
        return sessions.require(wired.context, signed_in, *roles, results=results)

    return check


async def _monitor(signed_in: Annotated[SignedIn, Depends(_person)]) -> User:
    """Metrics hold counts alone, and a machine that fetches them has no second factor."""
    access.require_role(signed_in.user, Role.OPERATOR)
    return signed_in.user


Programme = Annotated[User, Depends(_only(Role.PROGRAMME))]
ProgrammeForResults = Annotated[User, Depends(_only(Role.PROGRAMME, results=True))]
Reviewer = Annotated[User, Depends(_only(Role.REVIEWER))]
Monitor = Annotated[User, Depends(_monitor)]
CustodianOrReviewer = Annotated[User, Depends(_only(Role.CUSTODIAN, Role.REVIEWER))]
Insider = Annotated[User, Depends(_only(Role.PROGRAMME, Role.CUSTODIAN, Role.REVIEWER))]
CouncilUser = Annotated[User, Depends(_only(Role.PROGRAMME, Role.REVIEWER, Role.OPERATOR))]
Agent = Annotated[Partner, Depends(_agent)]
SIGNED_IN: Final = Depends(_anyone)
