"""One-time links: how a browser signs in without a provider, and the break-glass way while it is down.

Only the operator's command line makes one: the database role of the web process may not.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from audit.entry import Json
from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.sessions import Link, Way
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service import access, sessions
from gateway.service.context import Context
from gateway.service.recording import record, the_operator
from gateway.service.signins import denied

OPENS_FOR: Final = timedelta(minutes=10)
BREAK_GLASS: Final = timedelta(hours=1)


class BreakGlassReason(StrEnum):
    """Why the provider is passed by. Free text could carry a name, so there is none."""

    PROVIDER_DOWN = "provider-down"
    PROVIDER_WRONG = "provider-wrong"  # it signs in, and gives wrong claims
    LOCKED_OUT = "locked-out"
    INCIDENT = "incident"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """What break-glass hands out, each good for an hour: a link's code and a token."""

    code: str
    token: str


def make(ctx: Context, name: str) -> str:
    """The code of a link that signs one browser in, once, within ten minutes.

    Raises:
        ConflictError: there is a provider, which signs in.
        NotFoundError: no user in force has this name.
    """
    if ctx.rules.provider:
        raise ConflictError(
            "people sign in at the identity provider",
            place="link",
            way_out="While it is down: flagstone user break-glass",
        )
    with ctx.store.begin() as uow:
        user, now = _named(uow, name), ctx.clock()
        code = _add(ctx, uow, user, Way.LINK, opens=OPENS_FOR, lasts=ctx.rules.longest)
        body: dict[str, Json] = {"user": str(user.id), "user_role": user.role.value}
        record(ctx, uow, "access.link-made", actor=the_operator(ctx), body=body, at=now)
        uow.commit()
    return code


def break_glass(ctx: Context, name: str, reason: BreakGlassReason) -> BrokenGlass:
    """A way in past the provider, for one hour, under an entry of its own and an alert for the reviewers.

    Raises:
        NotFoundError: no user in force has this name.
    """
    sessions.clear_up(ctx)
    with ctx.store.begin() as uow:
        user, now = _named(uow, name), ctx.clock()
        until = now + BREAK_GLASS
        code = _add(ctx, uow, user, Way.BREAK_GLASS, opens=BREAK_GLASS, lasts=BREAK_GLASS)
        body: dict[str, Json] = {
            "user": str(user.id),
            "user_role": user.role.value,
            "reason": reason.value,
            "until": until.isoformat(),
        }
        record(ctx, uow, "access.break-glass", actor=the_operator(ctx), body=body, at=now)
        # the secret of this session is thrown away: its token alone is handed out
        _, session = sessions.begin(ctx, uow, user, Way.BREAK_GLASS, multi_factor=False, ends_at=until)
        token, _ = sessions.add_token(ctx, uow, session)
        uow.commit()
    return BrokenGlass(code, token)


def use(ctx: Context, code: str, *, replacing: str = "") -> str:
    """The secret of the session that a link opens; the link is gone.

    Raises:
        NotSignedInError: not a link, used before, or too late; counted.
    """
    sessions.clear_up(ctx)
    with ctx.store.begin() as uow:
        link, now = uow.links.take(sessions.hash_of(code)), ctx.clock()
        user = uow.users.get(link.user) if link else None
        good = link and now < link.expires_at and user and not access.out_of_force(uow, user)
        if link and user and good and not (ctx.rules.provider and link.way is Way.LINK):
            secret, _ = sessions.begin(
                ctx,
                uow,
                user,
                link.way,
                multi_factor=False,
                ends_at=link.session_ends_at,
                replacing=replacing,
            )
            uow.commit()
            return secret
        uow.commit()  # what was too late is gone too
    text = "the link is not known, was used, or is too old"
    raise denied(ctx, Caller.BROWSER, Denied.BAD_LINK, text, way_out="Ask the operator for another")


def _add(ctx: Context, uow: UnitOfWork, user: User, way: Way, *, opens: timedelta, lasts: timedelta) -> str:
    code, now = sessions.text_of(ctx.entropy(32)), ctx.clock()
    uow.links.add(Link(sessions.hash_of(code), user.id, way, now + opens, now + lasts), now)
    return code


def _named(uow: UnitOfWork, name: str) -> User:
    user = uow.users.named(name)
    if user is None or access.out_of_force(uow, user):
        raise NotFoundError("there is none in force of this name", place="user")
    return user
