"""Who the provider says has signed in becomes a user with one role and a session, or is turned away.

The steps, all but the last without trust in anything that came with the browser:

1. The answer belongs to a try that this browser began, minutes ago and once (`gateway.service.attempts`).
2. The provider gives an ID token for the code; the adapter verifies it, nonce and PKCE included.
3. Exactly one role follows from the claims, and for a custodian one enrolled organisation.
4. Reviewers, operators and whoever was asked for it have shown a second factor.
5. User, session and the entry that tells of them become durable in one transaction.
"""

from dataclasses import dataclass, replace

from audit.entry import Json
from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import ConflictError, NotFoundError, VerificationError
from gateway.domain.exchange import Role
from gateway.domain.sessions import Ended, Session, Way
from gateway.party_ports import User
from gateway.people_ports import IdentityProvider, Person, ProviderLogout
from gateway.ports import UnitOfWork
from gateway.service import attempts, sessions
from gateway.service.context import Context
from gateway.service.recording import record, the_gateway
from gateway.service.signins import denied

_MAX_NAME = 150


class StepUpNeededError(Exception):
    """Known, and to be sent back to the provider for a second factor."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser brought back: the try's cookie, and what the provider added to the URL."""

    cookie: str
    state: str
    code: str
    issuer: str | None


def sign_in(ctx: Context, provider: IdentityProvider, answer: Answer, *, replacing: str = "") -> str:
    """The secret of the new session. `replacing`: the browser's session until now, if there is one.

    Raises:
        NotSignedInError: turned away; counted by reason.
        StepUpNeededError: a second factor is needed and was not asked for yet.
        ProviderDownError: the provider can't be asked.
    """
    try:
        attempt = attempts.finish(ctx, answer.cookie, answer.state)
        person = provider.person(attempt, answer.code, answer.issuer)
    except VerificationError as error:
        raise _turned_away(ctx, Denied.BAD_SIGN_IN, str(error)) from None
    with ctx.store.begin() as uow:
        known = uow.users.by_account(person.account)
        refusal = _refusal(uow, person, known)
        if refusal and known:
            _withdraw(ctx, uow, known)
    if refusal:
        raise _turned_away(ctx, refusal, _WORDS[refusal])
    (role,) = person.roles
    if not person.multi_factor and (attempt.step_up or role in sessions.NEED_SECOND_FACTOR):
        if attempt.step_up:
            raise _turned_away(ctx, Denied.ONE_FACTOR, _WORDS[Denied.ONE_FACTOR])
        raise StepUpNeededError
    sessions.clear_up(ctx)
    with ctx.store.begin() as uow:
        user = _user(ctx, uow, person, role)
        secret, _ = sessions.begin(
            ctx,
            uow,
            user,
            Way.PROVIDER,
            multi_factor=person.multi_factor,
            provider_session=person.session,
            replacing=replacing,
        )
        uow.commit()
    return secret


def logged_out(ctx: Context, provider: IdentityProvider, token: str) -> None:
    """End what a logout token names (Back-Channel Logout 1.0 §2.6). A token works once.

    Raises:
        NotSignedInError: not a logout token of our provider for us, or used before; counted.
        ProviderDownError: the provider's keys can't be had.
    """
    try:
        logout = provider.logout(token)
        with ctx.store.begin() as uow:
            now = ctx.clock()
            uow.replays.use(logout.id, now + 2 * attempts.LONGEST, now)
            sessions.end(ctx, uow, _named(uow, logout), Ended.BY_PROVIDER)
            uow.commit()
    except (VerificationError, ConflictError) as error:
        raise _turned_away(ctx, Denied.BAD_LOGOUT, str(error)) from None


def _named(uow: UnitOfWork, logout: ProviderLogout) -> list[Session]:
    """The session that a logout names, and those of its account that can't be told from it."""
    found = uow.sessions.of_provider(logout.session) if logout.session else []
    user = uow.users.by_account(logout.account) if logout.account else None
    for each in uow.sessions.of_user(user.id) if user else ():
        if logout.session is None or each.provider_session is None:
            found.append(each)
    return found


def _refusal(uow: UnitOfWork, person: Person, known: User | None) -> Denied | None:
    if known and known.revoked_at is not None:
        return Denied.REVOKED
    if not person.roles:
        return Denied.NO_ROLE
    if len(person.roles) > 1:
        return Denied.SEVERAL_ROLES
    if person.roles == {Role.CUSTODIAN} and not _enrolled(uow, person):
        return Denied.NO_ORGANISATION
    return None


def _enrolled(uow: UnitOfWork, person: Person) -> bool:
    try:
        (slug,) = person.organisations
        return uow.partners.get(slug).revoked_at is None
    except (ValueError, NotFoundError):
        return False


def _withdraw(ctx: Context, uow: UnitOfWork, user: User) -> None:
    """The provider gives this user no role, or no single one, any more: sessions under the old one end."""
    if uow.sessions.of_user(user.id):
        sessions.end_all(ctx, uow, user.id, Ended.ROLE_WITHDRAWN)
        body: dict[str, Json] = {"user": str(user.id), "user_role": user.role.value}
        record(ctx, uow, "user.role-withdrawn", actor=the_gateway(ctx), body=body, at=ctx.clock())
        uow.commit()


def _user(ctx: Context, uow: UnitOfWork, person: Person, role: Role) -> User:
    partner = next(iter(person.organisations)) if role is Role.CUSTODIAN else None
    user = uow.users.by_account(person.account)
    if user is None:
        return _enrol(ctx, uow, person, role, partner)
    if (user.role, user.partner) != (role, partner):
        sessions.end_all(ctx, uow, user.id, Ended.ROLE_WITHDRAWN)
        uow.users.assign(user.id, role, partner)
        body: dict[str, Json] = {
            "user": str(user.id),
            "user_role": role.value,
            "before": user.role.value,
        }
        record(ctx, uow, "user.role-changed", actor=the_gateway(ctx), body=body, at=ctx.clock())
        user = replace(user, role=role, partner=partner)
    return user


def _enrol(ctx: Context, uow: UnitOfWork, person: Person, role: Role, partner: str | None) -> User:
    user_id = ctx.new_id()
    name = person.name.strip()[:_MAX_NAME] if person.name.isprintable() else ""
    if not name or uow.users.named(name):
        name = f"{name or 'unnamed'} ({str(user_id)[:8]})"
    user = User(user_id, name, role, None, created_at=ctx.clock(), partner=partner, account=person.account)
    uow.users.enrol(user)
    body: dict[str, Json] = {"user": str(user.id), "user_role": role.value}
    record(ctx, uow, "user.added", actor=the_gateway(ctx), body=body, at=ctx.clock())
    return user


def _turned_away(ctx: Context, reason: Denied, text: str) -> Exception:
    return denied(ctx, Caller.BROWSER, reason, text, way_out="Start again, or ask the operator")


_WORDS = {
    Denied.REVOKED: "this account was revoked here",
    Denied.NO_ROLE: "the provider gives this account no role here",
    Denied.SEVERAL_ROLES: "the provider gives this account several roles, and nobody may have two",
    Denied.NO_ORGANISATION: "the provider names no enrolled partner for this custodian",
    Denied.ONE_FACTOR: "the provider did not ask for a second factor",
}
