"""Users: added, given a new token, revoked by the operator's command line."""

from gateway.domain.errors import BadInputError, ConfigurationError
from gateway.domain.exchange import Role
from gateway.domain.sessions import Ended
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service import sessions
from gateway.service.access import new_user_token, token_hash
from gateway.service.context import Context
from gateway.service.recording import record, the_operator

_MAX_NAME = 200


def add(ctx: Context, name: str, role: Role, *, partner: str | None = None) -> str:
    """Add a user and return the token, which is shown once and kept as a hash.

    `partner`: the slug of a custodian's organisation.

    Raises:
        BadInputError: the name is empty, longer than 200 characters or not printable; a custodian without
            organisation, or another role with one.
        NotFoundError: no such partner.
        ConflictError: a user in force has this name.
    """
    if not 0 < len(name.strip()) <= _MAX_NAME or not name.isprintable():
        raise BadInputError("not a name of 1 to 200 printable characters", place="user name")
    if (role is Role.CUSTODIAN) != (partner is not None):
        raise BadInputError("a custodian has an organisation, and nobody else has", place="organisation")
    token = new_user_token(ctx.entropy(32))
    user = User(ctx.new_id(), name, role, token_hash(token), ctx.clock(), partner=partner)
    with ctx.store.begin() as uow:
        if partner is not None:
            uow.partners.get(partner)
        uow.users.add(user)
        _record(ctx, uow, "user.added", user)
        uow.commit()
    return token


def new_token(ctx: Context, name: str) -> str:
    """Replace a user's token; the old one stops at once.

    Raises:
        NotFoundError: no user in force has this name.
    """
    token = new_user_token(ctx.entropy(32))
    with ctx.store.begin() as uow:
        user = uow.users.replace_token(name, token_hash(token))
        _record(ctx, uow, "user.token-replaced", user)
        uow.commit()
    return token


def revoke(ctx: Context, name: str) -> None:
    """Revoke a user and end the user's sessions, effective on the next request.

    Raises:
        NotFoundError: no user in force has this name.
    """
    with ctx.store.begin() as uow:
        user = uow.users.revoke(name, ctx.clock())
        sessions.end_all(ctx, uow, user.id, Ended.REVOKED)
        _record(ctx, uow, "user.revoked", user)
        uow.commit()


def _record(ctx: Context, uow: UnitOfWork, kind: str, user: User) -> None:
    body = {"user": str(user.id), "user_role": user.role.value}
    record(ctx, uow, kind, actor=the_operator(ctx), body=body, at=ctx.clock())


def listing(ctx: Context) -> list[User]:
    with ctx.store.begin() as uow:
        return uow.users.all()


def require_their_provider(ctx: Context) -> None:
    """Refuse a process that knows no identity provider, where people in force sign in at one.

    It would ask nobody for a second factor, and take tokens that count for little beside the provider.

    Raises:
        ConfigurationError: there are such people, and no provider is configured.
    """
    if ctx.rules.provider:
        return
    if any(user.account is not None and user.revoked_at is None for user in listing(ctx)):
        raise ConfigurationError(
            "people sign in at an identity provider, and this process knows none",
            place="FLAGSTONE_OIDC",
            way_out="Name the provider's file, as the gateway's other processes do (docs/sign-in.md)",
        )
