"""Who calls: a person by a session's cookie or a token, or a partner's agent by its access token.

Routes name the roles that may call them; the use cases check again (defence in depth). There is no
unauthenticated mode.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import NotAllowedError, NotSignedInError
from gateway.domain.exchange import Role
from gateway.pages.browser import CSRF_HEADER, SAFE_METHODS, check_csrf
from gateway.ports import Partner, User
from gateway.service import access, sessions
from gateway.service.sessions import SignedIn
from gateway.service.signins import denied
from gateway.web.wiring import Wired, Wiring

_USER_SCHEME: Final = HTTPBearer(
    scheme_name="user",
    description="Token of a user: made on the session's page, or issued by the operator. "
    "A browser's session cookie counts too, with the header X-CSRF-Token where a method changes something",
    auto_error=False,
)
_AGENT_SCHEME: Final = HTTPBearer(
    scheme_name="agent",
    bearerFormat="JWT",
    description="Access token of a partner's agent, from /v1/token",
    auto_error=False,
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")  # b64token, RFC 6750 §2.1

_UserCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_USER_SCHEME)]
_AgentCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_AGENT_SCHEME)]


def _token(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None or not _TOKEN.fullmatch(credentials.credentials):
        raise NotSignedInError(
            "no bearer token came with the request", way_out="Send the header Authorization: Bearer TOKEN"
        )
    return credentials.credentials


def _signed_in(request: Request, wired: Wired, credentials: _UserCredentials) -> SignedIn:
    cookie = request.cookies.get(wired.browser.session_cookie)
    # whatever stands in Authorization counts first: no other site can make a browser send that
    if cookie is None or "authorization" in request.headers:
        return sessions.by_bearer(wired.context, _token(credentials))
    found = sessions.by_secret(wired.context, cookie)
    if request.method not in SAFE_METHODS:
        check_ours(request, wired, cookie, request.headers.get(CSRF_HEADER, ""))
    return found


def check_ours(request: Request, wired: Wiring, secret: str, token: str) -> None:
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


def _agent(wired: Wired, credentials: _AgentCredentials) -> Partner:
    return access.partner_of(wired.context, _token(credentials))


def _anyone(request: Request, wired: Wired, user: _UserCredentials, agent: _AgentCredentials) -> None:
    bearer = user or agent
    if bearer is None or sessions.is_of_session(bearer.credentials):
        _signed_in(request, wired, bearer)
    else:
        access.somebody(wired.context, _token(bearer))


def _only(*roles: Role, results: bool = False) -> Callable[..., Coroutine[Any, Any, User]]:
    async def check(wired: Wired, signed_in: Annotated[SignedIn, Depends(_signed_in)]) -> User:
        return sessions.require(wired.context, signed_in, *roles, results=results)

    return check


async def _monitor(signed_in: Annotated[SignedIn, Depends(_signed_in)]) -> User:
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
