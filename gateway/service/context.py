"""All that the use cases need from outside, in one frozen value."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from gateway.domain.allowances import Allowances
from gateway.domain.principal import Principal
from gateway.domain.sessions import SignInRules
from gateway.key_ports import ExchangeKeys, LogSuccessions, NoLogSuccessions, OwnKeys
from gateway.ports import Clock, Store, Transport, UnsafeNoUses, Uses
from gateway.review_ports import SearchSeal
from gateway.witness_ports import CosignedMemory, UnsafeNoMemory
from policies.model import PolicySet


@dataclass(frozen=True, slots=True)
class Context:
    """Passed to every use case; built by `gateway.bootstrap`, and by tests from fakes."""

    store: Store
    keys: OwnKeys
    exchange_keys: ExchangeKeys
    search_seal: SearchSeal
    policies: PolicySet
    transport: Transport
    clock: Clock
    entropy: Callable[[int], bytes]
    """`entropy(n)` gives n bytes fit for keys (`secrets.token_bytes`)."""
    cosigned: CosignedMemory = UnsafeNoMemory()  # noqa: RUF009 - it has no state
    confirm_successions: bool = False
    """Whether a partner's new keys wait until the operator has compared their fingerprint."""
    log_successions: LogSuccessions = NoLogSuccessions()  # noqa: RUF009 - it has no state
    """How the log's present key came after its first; witnesses are shown it."""
    rules: SignInRules = SignInRules()  # noqa: RUF009 - frozen
    key_backup_days: int = 30
    """How long the operator's backups of keys live; certificates of destruction say it."""

    uses: Uses = UnsafeNoUses()  # noqa: RUF009 - it has no state
    allowances: Allowances = Allowances()  # noqa: RUF009 - frozen
    address_key: bytes = field(default=b"", repr=False)
    """What network addresses are hashed under when they are counted; needed where strangers call."""

    def acting_for(self, principal: Principal) -> "Context":
        """The same context over a store that shows what this principal may see."""
        return replace(self, store=self.store.acting_for(principal))

    def new_id(self) -> UUID:
        """A random UUID (RFC 9562 §5.4)."""
        return UUID(bytes=self.entropy(16), version=4)
