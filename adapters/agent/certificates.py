"""The council's certificates of destruction: fetched, verified, kept in the agent's folder and in its log."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from adapters.agent.context import Agent
from adapters.agent.journal import RECEIVED
from adapters.agent.replies import CLOSED
from adapters.transports.mailbox import CertificateLine
from adapters.transports.wire import GatewayRefusedError
from audit.entry import Json
from gateway.bundle.certificate import Certificate, verify_certificate
from gateway.bundle.errors import WrongKeyError
from gateway.bundle.signers import by_any
from gateway.domain.errors import BadInputError, TooLargeError, VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.domain.identity import Identity
from gateway.domain.retention import RetentionClock

_SUFFIX: Final = ".jws"
_OURS: Final = CLOSED | {RECEIVED}


@dataclass(frozen=True, slots=True)
class Kept:
    """One certificate in the agent's folder, verified anew."""

    certificate: Certificate
    jws: str


def collect(agent: Agent, listed: Iterable[CertificateLine]) -> None:
    """Take each certificate that the gateway lists; the custodian need not do anything.

    Fetched, verified, file, entry, acknowledged: killed in between, the next round repeats it. One that does
    not verify is refused once, in the log, and stays listed at the gateway.

    Raises:
        LogUnavailableError: the own log can't be written.
        GatewayUnavailableError: the gateway can't be reached.
    """
    for line in listed:
        clock = _clock(line.clock)
        if clock and _entry(clock, "refused") not in agent.journal.kinds(line.exchange):
            _take(agent, line.exchange, clock)


def kept(agent: Agent) -> list[Kept]:
    """Every certificate that is kept, the latest destruction first.

    Raises:
        VerificationError: a file is not what the council signed.
    """
    found = [_read(agent, name) for name in agent.certificates.names() if name.endswith(_SUFFIX)]
    return sorted(found, key=lambda each: each.certificate.destroyed_at, reverse=True)


def _take(agent: Agent, exchange: UUID, clock: RetentionClock) -> None:
    told = agent.journal.kinds(exchange)
    try:
        jws = agent.gateway.certificate(ExchangeId(exchange), clock.value)
        certificate = _verified(agent, jws, exchange, clock)
    except GatewayRefusedError as error:
        agent.events.warning("certificate-not-had", exchange=str(exchange), status=error.answered)
        return
    except (VerificationError, TooLargeError) as error:
        agent.events.error("certificate-refused", exchange=str(exchange), why=error.code, detail=str(error))
        _record(agent, exchange, clock, "refused", {"why": error.code})
        return
    if not told & _OURS:
        # cancelled or run out before this agent ever saw it: nothing that it could vouch for
        agent.events.warning("certificate-of-unknown-exchange", exchange=str(exchange))
        _record(agent, exchange, clock, "unknown", {})
    else:
        agent.certificates.put(_name(exchange, clock), jws)
        _record(agent, exchange, clock, "kept", _stated(certificate))
    agent.gateway.take_certificate(ExchangeId(exchange), clock.value)


def _verified(agent: Agent, jws: bytes, exchange: UUID, clock: RetentionClock) -> Certificate:
    """Signed by keys of the council's that were accepted on the day of the destruction, to any of ours."""

    def signed(council: Identity) -> Certificate:
        return by_any(
            agent.keys.lineage.identities,
            lambda own: verify_certificate(jws, council, own, exchange=exchange, clock=clock),
        )

    certificate = by_any(agent.council.lineage.identities, signed)
    signer = agent.council.lineage.named(certificate.issuer)
    if signer is None or not signer.accepted(certificate.destroyed_at):
        raise WrongKeyError("by keys of the council that were accepted no more", place="certificate")
    return certificate


def _record(
    agent: Agent, exchange: UUID, clock: RetentionClock, outcome: str, stated: dict[str, Json]
) -> None:
    kind = _entry(clock, outcome)
    if kind not in agent.journal.kinds(exchange):
        agent.journal.record(kind, {"exchange": str(exchange), "clock": clock.value, **stated})


def _stated(certificate: Certificate) -> dict[str, Json]:
    return {
        "council": certificate.issuer,
        "destroyed_at": certificate.destroyed_at.isoformat(),
        "log_entry": certificate.log_entry,
        "key_backup_days": certificate.key_backup_days,
    }


def _read(agent: Agent, name: str) -> Kept:
    exchange, _, clock = name.removesuffix(_SUFFIX).partition(".")
    jws = agent.certificates.get(name) or b""
    try:
        return Kept(_verified(agent, jws, UUID(exchange), RetentionClock(clock)), jws.decode())
    except ValueError:
        raise BadInputError("a file is not named as a certificate is", place="certificates") from None


def _name(exchange: UUID, clock: RetentionClock) -> str:
    return f"{exchange}.{clock}{_SUFFIX}"


def _entry(clock: RetentionClock, outcome: str) -> str:
    return f"certificate.{clock}-{outcome}"


def _clock(told: str) -> RetentionClock | None:
    """None for one that a later gateway may have and we don't know."""
    return RetentionClock(told) if told in set(RetentionClock) else None
