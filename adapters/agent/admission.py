"""Opening a request under this partner's own terms, and what to tell the council when it won't open."""

import hashlib
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from adapters.agent.context import Agent
from adapters.agent.journal import RECEIVED
from adapters.agent.limits import DAY, OverLimitError
from adapters.registers.register import RegisterError
from gateway.bundle import errors
from gateway.bundle.manifest import RequestManifest
from gateway.bundle.open import Expected, OpenedRequest, RequestLimits, open_request
from gateway.bundle.refusal import RefusalCode
from gateway.bundle.signers import by_any
from gateway.domain.errors import FlagstoneError, NotFoundError, VerificationError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_REQUEST
from gateway.key_ports import PartyKeys
from gateway.linkage.secret import exchange_secret


class NoPrekeyError(VerificationError):
    """Made for a prekey that was used up, or that was never ours."""

    code = "no-prekey"


_CODES: Final[Mapping[type[FlagstoneError], RefusalCode]] = {
    errors.ExpiredError: RefusalCode.EXPIRED,
    errors.OversizeError: RefusalCode.LIMITS,
    OverLimitError: RefusalCode.LIMITS,
    errors.UnknownSchemeError: RefusalCode.UNKNOWN_SCHEME,
    errors.FailedSelfTestError: RefusalCode.SELF_TEST_FAILED,
    NoPrekeyError: RefusalCode.NO_PREKEY,
    RegisterError: RefusalCode.REGISTER_ERROR,
}


def refusal_code(error: FlagstoneError) -> RefusalCode:
    """What the council is told; everything that is not named here is `rejected`, without saying why."""
    return _CODES.get(type(error), RefusalCode.REJECTED)


def open_first(agent: Agent, exchange: UUID, bundle: bytes) -> OpenedRequest:
    """Open a request that is here for the first time: within own limits, its id never accepted before.

    Raises:
        VerificationError: a subclass names what does not hold.
    """

    def seen(_: str) -> bool:
        return RECEIVED in agent.journal.kinds(exchange)

    def derive(manifest: RequestManifest) -> bytes:
        accepted = agent.journal.received_since(agent.clock() - DAY)
        agent.limits.check(manifest.slots, accepted)
        return _secret(agent, manifest)

    return open_request(
        bundle,
        expect=_expected(agent, exchange, bundle),
        verify_with=_sender(agent, bundle),
        derive=derive,
        seen=seen,
        now=agent.clock(),
    )


def open_again(agent: Agent, exchange: UUID, bundle: bytes) -> OpenedRequest:
    """Open a request that was accepted before: everything but first acceptance is checked once more.

    Raises:
        VerificationError: it has expired since, or its agreement ended or was revoked.
    """
    return open_request(
        bundle,
        expect=_expected(agent, exchange, bundle),
        verify_with=_sender(agent, bundle),
        derive=lambda manifest: _secret(agent, manifest),
        seen=lambda _: False,
        now=agent.clock(),
    )


def read_manifest(agent: Agent, bundle: bytes, *, ever: bool = False) -> RequestManifest:
    """The manifest alone, verified; nothing is decrypted. `ever`: also by keys that are accepted no more.

    Raises:
        VerificationError: it is not the pinned council's.
    """
    jws = bundle.partition(b"\n")[0]
    council = agent.council.lineage
    signers = council.identities if ever else council.accepted(agent.clock())
    return by_any(signers, lambda each: RequestManifest.verify(jws, TYP_REQUEST, each))


def forebears(agent: Agent) -> dict[str, frozenset[str]]:
    """Of either side: in whose place each of its identities stands (`check_terms`)."""
    return {**agent.council.lineage.forebears, **agent.keys.lineage.forebears}


def addressed(agent: Agent, manifest: RequestManifest) -> PartyKeys:
    """Our own keys that a request was sent to, while they are accepted: by them alone it is answered.

    Raises:
        WrongKeyError: it was sent to others, or to keys of ours whose overlap is over.
    """
    generation = agent.keys.lineage.named(manifest.recipient)
    if generation is None or not generation.accepted(agent.clock()):
        raise errors.WrongKeyError(
            "it was made for keys of ours that are accepted no more",
            place="request",
            way_out="The council submits the list again",
        )
    return agent.keys.generation(generation.number)


def digest_of(bundle: bytes) -> str:
    """Hex SHA-256 of a bundle, by which notices and approvals name it."""
    return hashlib.sha256(bundle).hexdigest()


def _sender(agent: Agent, bundle: bytes) -> Identity:
    """The council's identity that signed it; the current one where none of the accepted did."""
    try:
        named = agent.council.lineage.named(read_manifest(agent, bundle).sender)
    except VerificationError:
        named = None
    return (named or agent.council.lineage.current).identity


def _expected(agent: Agent, exchange: UUID, bundle: bytes) -> Expected:
    limits = RequestLimits(slots=agent.limits.max_people_per_request)
    try:
        recipient = addressed(agent, read_manifest(agent, bundle)).identity
    except VerificationError:
        recipient = agent.keys.identity  # `open_request` names what does not hold
    return Expected(exchange, recipient, agent.agreements.in_force(), limits, forebears(agent))


def _secret(agent: Agent, manifest: RequestManifest) -> bytes:
    try:
        one_time = agent.prekeys.agree(manifest.prekey, manifest.one_time)
    except NotFoundError:
        raise NoPrekeyError(
            "it was made for a prekey that is used up or not ours",
            place="request",
            way_out="The council submits the list again",
        ) from None
    council = agent.council.lineage.named(manifest.sender) or agent.council.lineage.current
    static = addressed(agent, manifest).agree(council.identity.exchange)
    return exchange_secret(one_time, static, manifest.secret_context)
