"""All that the agent's steps need, in one frozen value; built by `main`, and by tests from fakes."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from structlog.typing import FilteringBoundLogger

from adapters.agent.agreements import AgreementBook
from adapters.agent.approvals import Approvals
from adapters.agent.council import Council
from adapters.agent.journal import Journal
from adapters.agent.limits import Limits
from adapters.agent.tray import Tray
from adapters.agent.witness import Witness
from adapters.registers.register import Register
from adapters.transports.mailbox import MailboxClient
from gateway.key_ports import NextKeys
from gateway.linkage.scheme import Scheme
from gateway.ports import Clock


class Prekeys(Protocol):
    """Private halves of the one-time prekeys, by id."""

    def make(self, count: int) -> list[tuple[str, bytes]]:
        """(id, X25519 public key) of new ones, durable on return."""

    def agree(self, prekey: str, peer: bytes) -> bytes:
        """X25519, 32 bytes. Raise NotFoundError when it is destroyed or was never made."""

    def destroy(self, prekey: str) -> None:
        """Idempotent."""

    def destroy_older(self, moment: datetime) -> None:
        """Destroy those made before `moment`."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One partner's agent. `inbox` and `outbox` hold what must survive a kill, by exchange id."""

    keys: NextKeys
    council: Council
    prekeys: Prekeys
    agreements: AgreementBook
    approvals: Approvals
    inbox: Tray
    outbox: Tray
    certificates: Tray
    journal: Journal
    witness: Witness
    gateway: MailboxClient
    limits: Limits
    open_register: Callable[[date], Register]
    self_test: Callable[[Scheme], str]
    clock: Clock
    entropy: Callable[[int], bytes]
    events: FilteringBoundLogger
    max_clock_offset: timedelta = timedelta(seconds=60)
    confirm_successions: bool = False
    """Whether the council's new keys wait until the custodian has compared their fingerprint."""


def name_of(exchange: UUID) -> str:
    """The name of an exchange's file in every tray."""
    return str(exchange)


def exchanges_in(tray: Tray) -> list[UUID]:
    """The exchanges that have a file there; a stray file of another name is none of ours."""
    found = []
    for name in tray.names():
        with contextlib.suppress(ValueError):
            found.append(UUID(name))
    return found
