"""All that the use cases need from outside, in one frozen value."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from gateway.domain.sessions import SignInRules
from gateway.ports import Clock, ExchangeKeys, PartyKeys, Store, Transport
from gateway.review_ports import SearchSeal
from gateway.witness_ports import CosignedMemory, UnsafeNoMemory
from policies.model import PolicySet


@dataclass(frozen=True, slots=True)
class Context:
    """Passed to every use case; built by `gateway.bootstrap`, and by tests from fakes."""

    store: Store
    keys: PartyKeys
    exchange_keys: ExchangeKeys
    search_seal: SearchSeal
    policies: PolicySet
    transport: Transport
    clock: Clock
    entropy: Callable[[int], bytes]
    """`entropy(n)` gives n bytes fit for keys (`secrets.token_bytes`)."""
    cosigned: CosignedMemory = UnsafeNoMemory()  # noqa: RUF009 - it has no state
    rules: SignInRules = SignInRules()  # noqa: RUF009 - frozen
    key_backup_days: int = 30
    """How long the operator's backups of keys live; certificates of destruction say it."""

    def new_id(self) -> UUID:
        """A random UUID (RFC 9562 §5.4)."""
        return UUID(bytes=self.entropy(16), version=4)
