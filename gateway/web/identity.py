"""Who calls: a council user by the token that the operator issued, or a partner's agent by its access token,
which works only together with what it is bound to (`gateway.service.constraint`).

Routes name the roles that may call them; the use cases check again (defence in depth). There is no
unauthenticated mode.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.http import HTTPBase

from gateway.domain.errors import NotAllowedError, NotSignedInError
from gateway.domain.exchange import Role
from gateway.ports import Partner, User
from gateway.service import access
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

_UserCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_USER_SCHEME)]
_AgentCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_AGENT_SCHEME)]


def _token(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None or not _TOKEN.fullmatch(credentials.credentials):
        raise NotSignedInError(
            "no token came with the request",
            way_out="Send the header Authorization: Bearer TOKEN, or as an agent Authorization: DPoP TOKEN",
        )
    return credentials.credentials


def _user(wired: Wired, credentials: _UserCredentials) -> User:
    return access.user_of(wired.context, _token(credentials))


def _agent(wired: Wired, request: Request, credentials: _AgentCredentials) -> Partner:
    shown = presented(request, wired.public_url)
    admitted = access.partner_of(wired.context, _token(credentials), shown)
    hand_out(request, admitted.nonce)
    return admitted.partner


def _anyone(wired: Wired, request: Request, user: _UserCredentials, agent: _AgentCredentials) -> None:
    shown = presented(request, wired.public_url)
    hand_out(request, access.somebody(wired.context, _token(user or agent), shown))


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
