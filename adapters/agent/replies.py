"""What goes back for one exchange: an answer or a refusal, logged first, then sent until acknowledged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from adapters.agent.admission import digest_of, read_manifest
from adapters.agent.context import Agent, name_of
from adapters.transports.wire import GatewayRefusedError
from audit.entry import Entry, Json
from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import ExchangeId

SEALED: Final = "answer.sealed"
DECLINED: Final = "request.declined"
FAILED: Final = "request.failed"
REJECTED: Final = "request.rejected"
REPLAYED: Final = "request.replayed"
WITHDRAWN: Final = "request.withdrawn"
NOT_ACCEPTED: Final = "reply.not-accepted"
DELETED: Final = "copies.deleted"

CLOSED: Final = frozenset({SEALED, DECLINED, FAILED, REJECTED, WITHDRAWN})
"""Kinds after which an exchange is settled for ever."""

_KINDS: Final = {
    RefusalCode.DECLINED: DECLINED,
    RefusalCode.SELF_TEST_FAILED: FAILED,
    RefusalCode.REGISTER_ERROR: FAILED,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send, and the entry that comes into the log before. As a file: leaf, line feed, bytes."""

    entry: Entry
    payload: bytes

    def to_bytes(self) -> bytes:
        return self.entry.leaf() + b"\n" + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        leaf, _, payload = data.partition(b"\n")
        return cls(Entry.parse(leaf), payload)


def refuse(
    agent: Agent,
    exchange: UUID,
    bundle: bytes,
    code: RefusalCode,
    *,
    why: str,
    private: Mapping[str, Json] | None = None,
    kind: str = "",
) -> None:
    """Put a signed notice into the outbox.

    `why`: a stable word for the own log; `private`: the custodian's name and own words, committed to there.
    The entry's kind follows from the code unless it is given.
    """
    notice = make_refusal(exchange, digest_of(bundle), code, agent.clock(), agent.keys.sign)
    body: dict[str, Json] = {"exchange": str(exchange), "code": code.value, "why": why}
    by = "custodian" if code is RefusalCode.DECLINED else "agent"
    entry = agent.journal.entry(kind or _KINDS.get(code, REJECTED), body, private, by=by)
    agent.outbox.put(name_of(exchange), Reply(entry, notice.encode()).to_bytes())


def deliver(agent: Agent, exchange: UUID, reply: Reply) -> None:
    """Log, send, and forget the exchange once the gateway has acknowledged or turned the reply away for good.

    Raises:
        LogUnavailableError: nothing was sent.
        PartnerError: not acknowledged; the reply stays in the outbox.
    """
    agent.journal.append(reply.entry)  # commit point: from here on the exchange is answered, whatever happens
    try:
        _send(agent, exchange, reply)
    except GatewayRefusedError as error:
        agent.events.warning("reply-not-accepted", exchange=str(exchange), status=error.answered)
        _note_not_accepted(agent, exchange, error.answered)
    else:
        agent.events.info("reply-acknowledged", exchange=str(exchange), kind=reply.entry.kind)
    forget(agent, exchange)


def forget(agent: Agent, exchange: UUID) -> None:
    """Destroy the exchange's prekey and files, and say so in the log first.

    The entry comes before the deletion: as long as a file is there, a turn repeats this, so that what the
    entry says is always carried out. The outbox goes last.
    """
    name = name_of(exchange)
    bundle, reply = agent.inbox.get(name), agent.outbox.get(name)
    prekey = _prekey(agent, bundle)
    _note_deleted(agent, exchange, {"prekey": prekey, "reply": reply, "request": bundle})
    if prekey is not None:
        agent.prekeys.destroy(prekey)
    agent.approvals.drop(exchange)
    agent.inbox.drop(name)
    agent.outbox.drop(name)


def _note_deleted(agent: Agent, exchange: UUID, copies: Mapping[str, object]) -> None:
    """What is there of the council's list, and what opened it."""
    there = [what for what, copy in copies.items() if copy is not None]
    if there and DELETED not in agent.journal.kinds(exchange):
        agent.journal.record(DELETED, {"exchange": str(exchange), "deleted": there})


def _send(agent: Agent, exchange: UUID, reply: Reply) -> None:
    if reply.entry.kind == SEALED:
        agent.gateway.put_answer(ExchangeId(exchange), reply.payload)
    else:
        agent.gateway.put_refusal(ExchangeId(exchange), reply.payload)


def _note_not_accepted(agent: Agent, exchange: UUID, status: int) -> None:
    if NOT_ACCEPTED not in agent.journal.kinds(exchange):
        agent.journal.record(NOT_ACCEPTED, {"exchange": str(exchange), "status": status})


def _prekey(agent: Agent, bundle: bytes | None) -> str | None:
    try:
        return read_manifest(agent, bundle, ever=True).prekey if bundle else None
    except VerificationError:
        return None  # not the council's: it may not make us destroy anything
