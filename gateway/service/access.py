"""Who is calling: users by a token that the operator issued, agents by a signed assertion.

Sessions and their tokens are the business of `gateway.service.sessions`.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from gateway.bundle.jws import signer_of, verify_any
from gateway.domain import labels
from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import (
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    VerificationError,
)
from gateway.domain.exchange import Role
from gateway.party_ports import Partner, User
from gateway.ports import UnitOfWork
from gateway.service import constraint
from gateway.service.constraint import OneTime, Presented, ReplayError
from gateway.service.context import Context
from gateway.service.signins import denied

ACCESS_SECONDS = 300
ASSERTION_SECONDS = 60
LEEWAY_SECONDS = 30
_MAX_TOKEN_CHARS = 4096
_TOKEN_PREFIX = "fst_"  # noqa: S105 - lets secret scanners recognise a leaked token


def new_user_token(entropy: bytes) -> str:
    """The bearer token for 32 random bytes. Only its SHA-256 is stored: 256 random bits need no slow hash."""
    return _TOKEN_PREFIX + base64.urlsafe_b64encode(entropy).decode().rstrip("=")


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def user_of(ctx: Context, bearer: str) -> User:
    """The user whose token this is.

    Raises:
        NotSignedInError: nobody's, or revoked.
    """
    if len(bearer) > _MAX_TOKEN_CHARS or not bearer.startswith(_TOKEN_PREFIX):
        raise denied(ctx, Caller.USER, Denied.UNKNOWN_TOKEN, "the token is not known")
    with ctx.store.begin() as uow:
        user = uow.users.by_token(token_hash(bearer))
        gone = user is None or out_of_force(uow, user)
    if user is None or gone:
        reason = Denied.REVOKED if user else Denied.UNKNOWN_TOKEN
        raise denied(ctx, Caller.USER, reason, "the token is not known, or was revoked")
    return user


def out_of_force(uow: UnitOfWork, user: User) -> bool:
    """Whether the user was revoked, or is the custodian of a partner that was."""
    left = user.partner is not None and uow.partners.get(user.partner).revoked_at is not None
    return user.revoked_at is not None or left


def somebody(ctx: Context, token: str, presented: Presented) -> str:
    """Whoever is signed in, user or agent; the nonce to hand out, as in `Admitted`.

    Raises:
        NotSignedInError: nobody is.
    """
    if token.startswith(_TOKEN_PREFIX):
        user_of(ctx, token)
        return ""
    return partner_of(ctx, token, presented).nonce


def require_role(user: User, *roles: Role) -> None:
    """Raise NotAllowedError unless the user has one of the roles."""
    if user.role not in roles:
        raise NotAllowedError(f"this needs the role {' or '.join(roles)}")


def issuer(ctx: Context) -> str:
    """The gateway's issuer identifier: the audience of assertions, the issuer of access tokens."""
    return f"urn:flagstone:{ctx.keys.identity.slug}"


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token. `nonce`: what proofs must hold from now on; "" where the last one still does."""

    token: str
    token_type: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """The partner of a request. `nonce` as in `Issued`."""

    partner: Partner
    nonce: str


def issue_token(ctx: Context, assertion: str, presented: Presented) -> Issued:
    """Exchange a signed assertion (RFC 7523 §3) for an access token (RFC 9068) of five minutes.

    The token is bound to what the request proved to have (`gateway.service.constraint`).

    Raises:
        NotSignedInError: the assertion is not the partner's, not for us, stale, or was used before.
        ProofError: the request proves nothing to bind the token to.
    """
    try:
        slug = str(_unverified_claims(assertion)["sub"])
        with ctx.store.begin() as uow:
            partner = _partner_in_force(uow, slug)
        auth = [each.auth for each in partner.lineage.accepted(ctx.clock())]
        claims = _verified_claims(ctx, assertion, labels.TYP_ASSERTION, auth, slug)
        signer = signer_of(assertion, labels.TYP_ASSERTION, auth)
    except (VerificationError, NotFoundError, KeyError):
        text = "the assertion is not signed by a registered partner's key"
        raise denied(ctx, Caller.AGENT, Denied.BAD_ASSERTION, text) from None
    except _StaleError as stale:
        raise denied(ctx, Caller.AGENT, Denied.STALE_ASSERTION, stale.reason, way_out=stale.way_out) from None
    bound = constraint.prove(ctx, presented, None)
    try:
        with ctx.store.begin() as uow:
            bound.require_in_force(uow, slug, ctx.clock())
            for each in filter(None, (_one_time(slug, claims), bound.one_time)):
                each.use(uow, ctx.clock())
            uow.commit()
    except ReplayError as replay:
        raise replay.answer(ctx) from None
    except NotFoundError:
        text = "the connection's client certificate is not one that the partner's agent announced"
        raise denied(ctx, Caller.AGENT, Denied.BAD_PROOF, text) from None
    return Issued(_access_token(ctx, slug, signer, bound.cnf), bound.token_type, bound.nonce)


def _access_token(ctx: Context, slug: str, signer: bytes, cnf: Mapping[str, str]) -> str:
    issued = int(ctx.clock().timestamp())
    access = {
        "iss": issuer(ctx),
        "sub": slug,
        "aud": issuer(ctx),
        "iat": issued,
        "exp": issued + ACCESS_SECONDS,
        "jti": str(ctx.new_id()),
        "cnf": dict(cnf),
        "key": _key_id(signer),
    }
    return ctx.keys.sign_in(json.dumps(access).encode(), labels.TYP_ACCESS)


def _key_id(auth: bytes) -> str:
    """Names the key that signed in, so that a token ends with it."""
    return hashlib.sha256(auth).hexdigest()


def partner_of(ctx: Context, access_token: str, presented: Presented) -> Admitted:
    """The partner whose agent holds this access token, and what the token is bound to.

    Partner and key are looked up at each request: a revocation holds from the next one on.

    Raises:
        NotSignedInError: not ours, expired, or the partner or its key was revoked since.
        ProofError: whoever presents it does not have what it is bound to.
    """
    try:
        claims = _verified_claims(ctx, access_token, labels.TYP_ACCESS, _issuing_keys(ctx), None)
        bound = constraint.check(ctx, claims.get("cnf"), presented, access_token)
        with ctx.store.begin() as uow:
            partner = _partner_in_force(uow, str(claims["sub"]))
            _require_key(partner, claims.get("key"), ctx.clock())
            bound.require_in_force(uow, partner.identity.slug, ctx.clock())
            if bound.one_time:
                bound.one_time.use(uow, ctx.clock())
                uow.commit()
    except ReplayError as replay:
        raise replay.answer(ctx) from None
    except (VerificationError, NotFoundError):
        raise denied(ctx, Caller.AGENT, Denied.BAD_ACCESS_TOKEN, "the access token is not valid") from None
    return Admitted(partner, bound.nonce)


def _issuing_keys(ctx: Context) -> list[bytes]:
    """The council's sign-in key, and one of before for as long as a token of its may live: no overlap."""
    lineage = ctx.keys.lineage
    living = ctx.clock() - timedelta(seconds=ACCESS_SECONDS + LEEWAY_SECONDS)
    replaced = pairwise(lineage.generations)
    before = [old.identity.auth for old, new in replaced if new.since and new.since > living]
    return [lineage.current.identity.auth, *before]


def _require_key(partner: Partner, key: object, at: datetime) -> None:
    if key not in [_key_id(each.auth) for each in partner.lineage.accepted(at)]:
        raise NotFoundError("the key that signed in is in force no more")


def _partner_in_force(uow: UnitOfWork, slug: str) -> Partner:
    partner = uow.partners.get(slug)
    if partner.revoked_at is not None:
        raise NotFoundError("the partner was revoked")
    return partner


def _unverified_claims(token: str) -> dict[str, Any]:
    # only to learn whose key must verify it; nothing else is believed before that
    if len(token) > _MAX_TOKEN_CHARS:
        raise VerificationError("the token is too long")
    try:
        segment = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (IndexError, ValueError, RecursionError):
        raise VerificationError("the token is malformed") from None
    if not isinstance(claims, dict):
        raise VerificationError("the token is malformed")
    return claims


def _verified_claims(
    ctx: Context, token: str, typ: str, keys: Sequence[bytes], subject: str | None
) -> dict[str, Any]:
    """Signature first, by one of `keys`, then every claim: issuer and subject, audience, lifetime."""
    verify_any(token, typ, keys)
    claims = _unverified_claims(token)
    own = issuer(ctx)
    registry = JWTClaimsRegistry(
        now=int(ctx.clock().timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": subject or own},
        sub={"essential": True, "value": subject} if subject else {"essential": True},
        aud={"essential": True, "value": own},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        stale = _stale(ctx, claims) if subject else None  # an access token merely runs out
        raise stale or VerificationError("a claim does not hold", place=error.error) from None
    if subject and claims["exp"] - claims["iat"] > ASSERTION_SECONDS:
        raise _StaleError("the assertion's lifetime exceeds 60 seconds")
    return claims


class _StaleError(NotSignedInError):
    """Signed by the right key, for another time."""


def _stale(ctx: Context, claims: dict[str, Any]) -> _StaleError | None:
    """A wrong clock is the commonest cause of a refused assertion: say by how much."""
    issued = claims.get("iat")
    if not isinstance(issued, int) or isinstance(issued, bool):
        return None
    offset = issued - int(ctx.clock().timestamp())
    if abs(offset) <= ASSERTION_SECONDS + LEEWAY_SECONDS:
        return None
    behind = "ahead of" if offset > 0 else "behind"
    return _StaleError(
        f"the caller's clock is {min(abs(offset), 10**9)} s {behind} the gateway's",
        way_out="Synchronise it (NTP) and try again",
    )


def _one_time(slug: str, claims: Mapping[str, Any]) -> OneTime:
    digest = hashlib.sha256(f"{slug}\0{claims['jti']}".encode()).digest()
    return OneTime(digest, Denied.REPLAYED_ASSERTION, "the assertion was used before")
