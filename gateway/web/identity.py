"""Who calls: a council user by the token that the operator issued, or a partner's agent by its access token,
which works only together with what it is bound to (`gateway.service.constraint`).

Routes name the roles that may call them; the use cases check again (defence in depth). There is no
unauthenticated mode.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.http import HTTPBase

from gateway.domain.allowances import Rate
from gateway.domain.errors import NotAllowedError, NotSignedInError
from gateway.domain.exchange import Role
from gateway.domain.principal import Principal
from gateway.domain.principal import partner as acting_as_partner
from gateway.ports import Partner, User
from gateway.service import access
from gateway.service.limiting import address_bucket, take
from gateway.web.presented import hand_out, presented
from gateway.web.wiring import Wired

_USER_SCHEME: Final = HTTPBearer(
    scheme_name="user", description="Token of a council user, issued by the operator", auto_error=False
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


def _user(request: Request, wired: Wired, credentials: _UserCredentials) -> User:
    user = _signed_in(request, wired, lambda: access.user_of(wired.context, _token(credentials)))
    take(wired.context, _RATES.get(request.scope["route"].name, Rate.READ), str(user.id))
    wired.principal = Principal(user.role.value, str(user.id))
    return user


def _agent(request: Request, wired: Wired, credentials: _AgentCredentials) -> Partner:
    shown = presented(request, wired.of_app.public_url)
    admitted = _signed_in(
        request, wired, lambda: access.partner_of(wired.context, _token(credentials), shown)
    )
    hand_out(request, admitted.nonce)
    partner = admitted.partner
    take(wired.context, Rate.POLL, partner.identity.slug)
    wired.principal = acting_as_partner(partner.identity.slug)
    return partner


def _anyone(request: Request, wired: Wired, user: _UserCredentials, agent: _AgentCredentials) -> None:
    shown = presented(request, wired.of_app.public_url)
    nonce = _signed_in(request, wired, lambda: access.somebody(wired.context, _token(user or agent), shown))
    hand_out(request, nonce)
    take(wired.context, Rate.READ, _address(request, wired))


def _signed_in(request: Request, wired: Wired, look: Callable[[], _Who]) -> _Who:
    try:
        return look()
    except NotSignedInError:
        take_by_address(request, wired)
        raise


def take_by_address(request: Request, wired: Wired) -> None:
    """Count a sign-in that was tried, by the address that it came from.

    Raises:
        TooManyError: too many came from there.
    """
    take(wired.context, Rate.SIGN_IN, _address(request, wired))


def _address(request: Request, wired: Wired) -> str:
    return address_bucket(wired.context, request.client.host if request.client else "")


def _only(*roles: Role) -> Callable[[User], Coroutine[Any, Any, User]]:
    async def check(user: Annotated[User, Depends(_user)]) -> User:
        if user.role not in roles:
            raise NotAllowedError("the role of this user may not do this", way_out="Ask the operator")
        return user

    return check


Programme = Annotated[User, Depends(_only(Role.PROGRAMME))]
Reviewer = Annotated[User, Depends(_only(Role.REVIEWER))]
Operator = Annotated[User, Depends(_only(Role.OPERATOR))]
ProgrammeOrReviewer = Annotated[User, Depends(_only(Role.PROGRAMME, Role.REVIEWER))]
Agent = Annotated[Partner, Depends(_agent)]
SIGNED_IN: Final = Depends(_anyone)
