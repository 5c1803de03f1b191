"""What an access token is bound to: the key of the agent's TLS certificate, or else its proof key.

A token is always bound to one of both (RFC 8705 §3, RFC 9449 §6), so that who steals it can't use it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.bundle.dpop import LEEWAY_SECONDS, PROOF_SECONDS, Proof, verify_proof
from gateway.bundle.jws import verify_jws
from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import ConflictError, NotSignedInError, VerificationError
from gateway.domain.labels import TYP_NONCE
from gateway.ports import UnitOfWork
from gateway.service.client_certificates import digest_of, require_registered
from gateway.service.context import Context
from gateway.service.signins import denied

PROOF_KEY: Final = "jkt"  # RFC 9449 §6.1
CERTIFICATE: Final = "x5t#S256"  # RFC 8705 §3.1
NONCE_SECONDS: Final = 60
NONCES_ACCEPTED: Final = 3
"""A nonce holds for this many times `NONCE_SECONDS`; from the second on the agent is given a new one."""
REMEMBERED: Final = timedelta(seconds=PROOF_SECONDS + 2 * LEEWAY_SECONDS)
"""For how long one-time ids are kept: as long as what they stand in could be presented again."""


class ProofError(NotSignedInError):
    """No proof of possession that holds. `error`: as RFC 9449 names it; `nonce`: to be used from now on."""

    def __init__(
        self, reason: str, *, way_out: str = "", error: str = "invalid_dpop_proof", nonce: str = ""
    ) -> None:
        self.error, self.nonce = error, nonce
        super().__init__(reason, way_out=way_out)


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brings beside its token.

    `url`: as the sender addressed it; `scheme`: of its Authorization header, in lower case; `proofs`: its
    DPoP headers; `certificate`: of the TLS connection, DER, where it was verified by this very process.
    """

    method: str
    url: str
    scheme: str = ""
    proofs: tuple[str, ...] = ()
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """What a request proved: the token's `cnf`, an id to use up, and the nonce to hand out ("": none)."""

    cnf: Mapping[str, str]
    one_time: "OneTime | None" = None
    nonce: str = ""

    @property
    def token_type(self) -> str:
        return "DPoP" if PROOF_KEY in self.cnf else "Bearer"

    def require_in_force(self, uow: UnitOfWork, partner: str, now: datetime) -> None:
        """Raise NotFoundError where it is a certificate that is the partner's no more."""
        if CERTIFICATE in self.cnf:
            require_registered(uow, partner, self.cnf[CERTIFICATE], now)


@dataclass(frozen=True, slots=True)
class OneTime:
    """An id that counts once, and what to say of a second use."""

    digest: bytes
    reason: Denied
    text: str

    def use(self, uow: UnitOfWork, now: datetime) -> None:
        """Raise ReplayError when it was used before."""
        try:
            uow.replays.use(self.digest, now + REMEMBERED, now)
        except ConflictError:
            raise ReplayError(self) from None


class ReplayError(Exception):
    """For the caller to count and to answer, once the unit of work is over."""

    def __init__(self, what: OneTime) -> None:
        self.what = what
        super().__init__(what.text)

    def answer(self, ctx: Context) -> NotSignedInError:
        error = denied(ctx, Caller.AGENT, self.what.reason, self.what.text)
        return ProofError(error.reason) if self.what.reason is Denied.REPLAYED_PROOF else error


def prove(ctx: Context, presented: Presented, token: str | None) -> Bound:
    """What the request proves to have: its connection's certificate, or where it has none, a proof key.

    Raises:
        ProofError: nothing, or its proof does not hold, or it lacks a nonce of ours (`use_dpop_nonce`).
    """
    if presented.certificate is not None:
        if presented.proofs:
            raise _bad(ctx, "the connection has a client certificate: send no DPoP header beside it")
        return Bound({CERTIFICATE: digest_of(presented.certificate)})
    if len(presented.proofs) != 1:
        raise _bad(ctx, "send one DPoP header, a proof for this request")
    now = int(ctx.clock().timestamp())
    try:
        proof = verify_proof(
            presented.proofs[0], method=presented.method, url=presented.url, token=token, now=now
        )
    except VerificationError as error:
        raise _bad(ctx, error.reason, error.way_out) from None
    window = now // NONCE_SECONDS
    age = _age(ctx, proof.nonce, window)
    # signed anew only where it is needed: the key may lie in a slow device
    fresh = "" if age == 0 else _nonce(ctx, window)
    if age is None:
        raise ProofError(
            "use the nonce of this answer", way_out="Try again", error="use_dpop_nonce", nonce=fresh
        )
    return Bound({PROOF_KEY: proof.thumbprint}, _one_time(proof), fresh)


def check(ctx: Context, cnf: object, presented: Presented, token: str) -> Bound:
    """Check that whoever presents a token has what it is bound to.

    Raises:
        ProofError: not so.
        VerificationError: the token is bound to nothing that is known here.
    """
    if not isinstance(cnf, dict) or cnf.keys() not in ({PROOF_KEY}, {CERTIFICATE}):
        raise VerificationError("the token is bound to nothing known")
    ((kind, digest),) = cnf.items()
    if kind == PROOF_KEY and presented.scheme != "dpop":
        raise _bad(ctx, "the token is bound to a key: send it as Authorization: DPoP, with a proof")
    if kind == CERTIFICATE and presented.scheme != "bearer":
        raise _bad(ctx, "the token is bound to a client certificate: send it as Authorization: Bearer")
    bound = prove(ctx, presented, token)
    if not hmac.compare_digest(bound.cnf.get(kind, "").encode(), str(digest).encode()):
        raise _bad(ctx, "the token is bound to another key or certificate")
    return bound


def _bad(ctx: Context, reason: str, way_out: str = "") -> ProofError:
    return ProofError(denied(ctx, Caller.AGENT, Denied.BAD_PROOF, reason).reason, way_out=way_out)


def _one_time(proof: Proof) -> OneTime:
    digest = hashlib.sha256(f"dpop\0{proof.thumbprint}\0{proof.id}".encode()).digest()
    return OneTime(digest, Denied.REPLAYED_PROOF, "the proof was used before")


def _nonce(ctx: Context, window: int) -> str:
    """The nonce of a minute: the same from every process of this gateway, and from nobody else."""
    return ctx.keys.sign_in(json.dumps({"window": window}).encode(), TYP_NONCE)


def _age(ctx: Context, nonce: str | None, window: int) -> int | None:
    """How many minutes ago the nonce was new; None where it is none of ours, or holds no more."""
    if nonce is None:
        return None
    try:
        content: Any = json.loads(verify_jws(nonce, TYP_NONCE, ctx.keys.identity.auth))
    except VerificationError:
        return None  # of a key that has been changed since, or not ours: a new one is handed out
    age = window - int(content["window"])
    return age if 0 <= age < NONCES_ACCEPTED else None
