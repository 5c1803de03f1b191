"""Sessions of people: who is signed in, how strongly, and the end of it.

A session's secret is 256 random bits that the browser alone holds; here is its SHA-256. What ends a session
takes effect with the commit, since every request looks it up anew.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from audit.entry import Json
from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import NotAllowedError, NotSignedInError, SecondFactorError
from gateway.domain.exchange import Role
from gateway.domain.sessions import Ended, Session, Way
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service import access
from gateway.service.context import Context
from gateway.service.recording import actor_of, record, the_gateway
from gateway.service.signins import denied

NEED_SECOND_FACTOR: Final = frozenset({Role.REVIEWER, Role.OPERATOR})
SESSION_TOKEN: Final = "fss_"  # noqa: S105 - prefixes let secret scanners recognise a leaked token
BREAK_GLASS_TOKEN: Final = "fsb_"  # noqa: S105 - and the command line shout
_TOKEN: Final = re.compile(rf"(?:{SESSION_TOKEN}|{BREAK_GLASS_TOKEN})[A-Za-z0-9_-]{{43}}", re.ASCII)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SEEN_EVERY: Final = timedelta(minutes=1)
"""A request sooner after the last one writes nothing: idleness is told to the minute."""
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who calls. `session`: None for a token that the operator issued, which lasts until it is replaced."""

    user: User
    session: Session | None

    @property
    def strongly(self) -> bool:
        """With a second factor, or by the break-glass way, which stands for it and is reviewed."""
        return self.session is not None and (self.session.multi_factor or self.session.way is Way.BREAK_GLASS)


def text_of(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def hash_of(text: str) -> bytes:
    """Of 256 random bits, which need no slow hash."""
    return hashlib.sha256(text.encode()).digest()


def begin(
    ctx: Context,
    uow: UnitOfWork,
    user: User,
    way: Way,
    *,
    multi_factor: bool,
    ends_at: datetime | None = None,
    provider_session: bytes | None = None,
    replacing: str = "",
) -> tuple[str, Session]:
    """A new session and the secret of it, always a new one. `replacing`: the browser's secret until now."""
    now = ctx.clock()
    before = uow.sessions.by_secret(hash_of(replacing)) if _SECRET.fullmatch(replacing) else None
    if before is not None:
        end(ctx, uow, [before], Ended.REPLACED)
    secret = text_of(ctx.entropy(32))
    session = Session(
        id=ctx.new_id(),
        secret_hash=hash_of(secret),
        user=user.id,
        role=user.role,
        way=way,
        multi_factor=multi_factor,
        began_at=now,
        seen_at=now,
        ends_at=min(ends_at or now + ctx.rules.longest, now + ctx.rules.longest),
        provider_session=provider_session,
    )
    uow.sessions.add(session)
    body: dict[str, Json] = {"session": str(session.id), "way": way.value, "multi_factor": multi_factor}
    record(ctx, uow, "access.signed-in", actor=actor_of(ctx, user), body=body, at=now)
    return secret, session


def by_secret(ctx: Context, secret: str) -> SignedIn:
    """Whoever holds a session's secret.

    Raises:
        NotSignedInError: nobody does, or the session is over.
    """
    if not _SECRET.fullmatch(secret):
        raise denied(ctx, Caller.BROWSER, Denied.UNKNOWN_SESSION, "the session is not known")
    with ctx.store.begin() as uow:
        session = uow.sessions.by_secret(hash_of(secret))
        if session is not None:
            return _current(ctx, uow, session)
    raise denied(
        ctx,
        Caller.BROWSER,
        Denied.UNKNOWN_SESSION,
        "the session is not known, or has ended",
        way_out=_SIGN_IN,
    )


def by_bearer(ctx: Context, bearer: str) -> SignedIn:
    """Whoever holds a token: the operator's, or one of a session.

    Raises:
        NotSignedInError: nobody does, or it has ended.
    """
    if not is_of_session(bearer):
        return SignedIn(access.user_of(ctx, bearer), None)
    if not _TOKEN.fullmatch(bearer):
        raise denied(ctx, Caller.USER, Denied.UNKNOWN_TOKEN, "the token is not known")
    with ctx.store.begin() as uow:
        session = uow.sessions.by_token(hash_of(bearer), ctx.clock())
        if session is not None:
            return _current(ctx, uow, session)
    text = "the token is not known, or has run out"
    raise denied(ctx, Caller.USER, Denied.UNKNOWN_TOKEN, text, way_out="Make another on the gateway's page")


def is_of_session(bearer: str) -> bool:
    return bearer.startswith((SESSION_TOKEN, BREAK_GLASS_TOKEN))


def require(ctx: Context, signed_in: SignedIn, *roles: Role, results: bool = False) -> User:
    """The user, if a role is one of `roles` and the sign-in is as strong as role and `results` demand.

    Raises:
        NotAllowedError: another role.
        SecondFactorError: a provider is there, and no second factor was shown to it.
    """
    if signed_in.user.role not in roles:
        raise NotAllowedError("the role of this user may not do this", way_out="Ask the operator")
    if results or signed_in.user.role in NEED_SECOND_FACTOR:
        require_second_factor(ctx, signed_in)
    return signed_in.user


def require_second_factor(ctx: Context, signed_in: SignedIn) -> None:
    """Raise SecondFactorError unless one was shown; without a provider there is none to show."""
    if ctx.rules.provider and not signed_in.strongly:
        raise SecondFactorError(
            "this needs a sign-in with a second factor",
            way_out="Sign in at the gateway's page; for the command line, make a token there",
        )


def mint(ctx: Context, signed_in: SignedIn) -> tuple[str, datetime]:
    """A token for the command line and until when it lasts; it dies with the session.

    Raises:
        NotAllowedError: the caller has no session of the browser.
    """
    if signed_in.session is None:
        raise NotAllowedError("only a signed-in browser makes one", place="token")
    with ctx.store.begin() as uow:
        token, until = add_token(ctx, uow, signed_in.session)
        body: dict[str, Json] = {"session": str(signed_in.session.id), "until": until.isoformat()}
        actor = actor_of(ctx, signed_in.user)
        record(ctx, uow, "access.token-made", actor=actor, body=body, at=ctx.clock())
        uow.commit()
    return token, until


def add_token(ctx: Context, uow: UnitOfWork, session: Session) -> tuple[str, datetime]:
    broken = session.way is Way.BREAK_GLASS
    token = (BREAK_GLASS_TOKEN if broken else SESSION_TOKEN) + text_of(ctx.entropy(32))
    until = session.ends_at if broken else min(ctx.clock() + ctx.rules.token, session.ends_at)
    uow.sessions.add_token(session.id, hash_of(token), until)
    return token, until


def sign_out(ctx: Context, signed_in: SignedIn) -> None:
    """End the caller's session and its tokens. Idempotent."""
    if signed_in.session is None:
        return
    with ctx.store.begin() as uow:
        end(ctx, uow, [signed_in.session], Ended.SIGNED_OUT, actor=actor_of(ctx, signed_in.user))
        uow.commit()


def end(
    ctx: Context,
    uow: UnitOfWork,
    found: Iterable[Session],
    why: Ended,
    *,
    actor: dict[str, Json] | None = None,
) -> None:
    """End sessions, and record each unless another was first. The caller commits."""
    # in one order, and all before the first entry: two that end the same ones never wait for each other
    ended = [each for each in sorted(found, key=lambda each: each.id) if uow.sessions.end(each.id)]
    for each in ended:
        body: dict[str, Json] = {"session": str(each.id), "user": str(each.user), "reason": why.value}
        made_by = actor or the_gateway(ctx)
        record(ctx, uow, "access.session-ended", actor=made_by, body=body, at=ctx.clock())


def end_all(ctx: Context, uow: UnitOfWork, user: UUID, why: Ended) -> None:
    """End every session of a user. The caller commits."""
    end(ctx, uow, uow.sessions.of_user(user), why)


def clear_up(ctx: Context) -> None:
    """End the sessions that ran out unseen, so that the log tells of each; before each new one begins."""
    now = ctx.clock()
    with ctx.store.begin() as uow:
        overdue = uow.sessions.overdue(now, now - ctx.rules.idle, _AT_ONCE)
        for why in (Ended.LIMIT, Ended.IDLE):
            end(ctx, uow, [each for each in overdue if each.over(now, ctx.rules.idle) is why], why)
        if overdue:
            uow.commit()


def _current(ctx: Context, uow: UnitOfWork, session: Session) -> SignedIn:
    now, user = ctx.clock(), uow.users.get(session.user)
    if why := _why_over(ctx, uow, session, user, now):
        end(ctx, uow, [session], why)
        uow.commit()
        raise NotSignedInError(f"the session has ended: {why}", way_out=_SIGN_IN)
    if now - session.seen_at >= _SEEN_EVERY:
        uow.sessions.seen(session.id, now)
        uow.commit()
    return SignedIn(user, session)


def _why_over(ctx: Context, uow: UnitOfWork, session: Session, user: User, now: datetime) -> Ended | None:
    if access.out_of_force(uow, user) or (ctx.rules.provider and session.way is Way.LINK):
        return Ended.REVOKED  # a one-time link counts for nothing once there is a provider
    if user.role is not session.role:
        return Ended.ROLE_WITHDRAWN
    return session.over(now, ctx.rules.idle)


_SIGN_IN: Final = "Sign in again"
