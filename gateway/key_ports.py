"""Named keys and their generations: a part of `gateway.ports`.

A *kind* is what a key is for ("signing", "log", "search"); its *generations* count from 1. A private key
never leaves its provider: whoever needs it used names it and asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from gateway.domain.errors import ConfigurationError
from gateway.domain.exchange import ExchangeId
from gateway.domain.identity import Identity
from gateway.domain.lineage import Lineage

_KIND: Final = re.compile(r"[a-z][a-z-]{0,30}")
_MOST: Final = 9999


class Use(StrEnum):
    """What a key may be used for; no key has two uses."""

    SIGN = "sign"  # Ed25519 (RFC 8032)
    AGREE = "agree"  # X25519 (RFC 7748)
    SEAL = "seal"  # AES-256-GCM (NIST SP 800-38D) over small secrets


@dataclass(frozen=True, slots=True, order=True)
class KeyRef:
    """One generation of a kind of key."""

    kind: str
    generation: int

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind) or not 1 <= self.generation <= _MOST:
            raise ConfigurationError("not the name of a key", place="keys")

    def __str__(self) -> str:
        return f"{self.kind}.{self.generation}"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What is known of a key without using it.

    `public`: 32 bytes, b"" of a sealing key. `place`: where the private half lives, in words for an operator.
    A retired key is used for old material only; a destroyed one for nothing, and its public half stays known.
    """

    ref: KeyRef
    use: Use
    created: datetime
    place: str
    public: bytes = b""
    retired: datetime | None = None
    destroyed: datetime | None = None


class KeyProvider(Protocol):
    """Where private keys live: files, a security module, a key service.

    Each method raises NotFoundError for a key that was never made or is destroyed, ConfigurationError where
    the place of the key can't be used as it is set up, and KeyPlaceError where it can't be reached now.
    """

    def known(self, kind: str | None = None) -> Sequence[KeyInfo]:
        """All generations, oldest first, destroyed ones too; of one kind or of each.

        Always as it is now: a generation that another process made, retired or destroyed is seen at once.
        """

    def create(self, kind: str, use: Use, at: datetime) -> KeyInfo:
        """Make the next generation, durable on return. Two processes that do at once make two."""

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        """Ed25519, 64 bytes."""

    def agree(self, ref: KeyRef, peer: bytes) -> bytes:
        """X25519 with a public key, 32 bytes. Raise VerificationError when the result is all zero."""

    def wrap(self, ref: KeyRef, secret: bytes, purpose: bytes) -> bytes:
        """Seal a secret of at most 4 KiB; `purpose` (associated data) names what it is and must be given to
        open it again, so that no sealed secret can take another's place.
        """

    def unwrap(self, ref: KeyRef, sealed: bytes, purpose: bytes) -> bytes:
        """Open it. Raise VerificationError when key or purpose are others, or a byte was changed."""

    def retire(self, ref: KeyRef, at: datetime) -> None:
        """Mark as not for new material. Idempotent: the first moment stays."""

    def destroy(self, ref: KeyRef, at: datetime) -> None:
        """Destroy the private half, then mark it. Idempotent."""


def current(provider: KeyProvider, kind: str) -> KeyInfo:
    """The newest generation that is not retired: what new material is made with.

    Raises:
        ConfigurationError: there is none.
    """
    live = [key for key in provider.known(kind) if not key.retired and not key.destroyed]
    if not live:
        raise ConfigurationError(f"there is no {kind} key in use", place="keys", way_out="Make the keys")
    return live[-1]


@dataclass(frozen=True, slots=True)
class Succession:
    """That a log's key took the place of another, signed by the one before: an entry of the log (its leaf,
    canonical JSON) and the C2SP tlog-proof that leads from it to a checkpoint which the former key signed.
    """

    leaf: str
    proof: str


class LogSuccessions(Protocol):
    """How the log's present key came after its first, oldest step first; outside the database."""

    def all(self) -> Sequence[Succession]: ...

    def keep(self, generation: int, succession: Succession) -> None:
        """Durable on return. Idempotent."""


class NoLogSuccessions:
    """Of a log whose key never changed."""

    def all(self) -> Sequence[Succession]:
        return ()

    def keep(self, generation: int, succession: Succession) -> None:
        del generation, succession


class ExchangeKeys(Protocol):
    """Secret bytes of one exchange, kept outside the database (DESIGN.md §6)."""

    def put(self, exchange: ExchangeId, name: str, key: bytes) -> None:
        """Durable on return. Raise ConflictError when the name is there with other bytes."""

    def get(self, exchange: ExchangeId, name: str) -> bytes:
        """Raise NotFoundError when it was never put, or is destroyed."""

    def destroy(self, exchange: ExchangeId, name: str) -> None:
        """Idempotent."""

    def older_than(self, name: str, moment: datetime) -> list[ExchangeId]:
        """Exchanges whose key of this name was put before `moment`: where a sweep looks for leftovers."""


class PartyKeys(Protocol):
    """One organisation's private keys; no other module sees their bytes."""

    @property
    def identity(self) -> Identity: ...

    def sign(self, payload: bytes, typ: str) -> str:
        """Compact JWS (Ed25519, RFC 9864) by the signing key."""

    def sign_in(self, payload: bytes, typ: str) -> str:
        """Compact JWS by the `auth` key: assertions and access tokens."""

    def agree(self, peer: bytes) -> bytes:
        """X25519 (RFC 7748) of the static exchange key with `peer`, 32 bytes.

        Raise VerificationError when the result is all zero.
        """


class OwnKeys(PartyKeys, Protocol):
    """This organisation's own keys, generation by generation; `PartyKeys` acts for the one in use.

    What needs two of its members to fit together takes `generation` once: another process may rotate.
    """

    @property
    def lineage(self) -> Lineage:
        """Every generation that is or was in use."""

    @property
    def successions(self) -> tuple[str, ...]:
        """The signed successions between them, oldest first."""

    def generation(self, number: int) -> PartyKeys:
        """Raise NotFoundError when it was never in use, or is destroyed."""

    def held(self) -> tuple[int, ...]:
        """Numbers of the generations in use or before whose private keys are still there."""

    def destroy(self, number: int) -> None:
        """Destroy the private keys of one before that in use. Idempotent. Raise ConflictError otherwise."""


class NextKeys(OwnKeys, Protocol):
    """How the next generation comes into use; each step is durable on return, and may be repeated."""

    def prepare(self) -> PartyKeys:
        """The next generation's keys, made now or before; not in use yet."""

    def pending(self) -> str | None:
        """The signed succession to the next generation, where there is one that is not in use yet."""

    def announce(self, succession: str) -> None:
        """Keep the signed succession; takes the place of an earlier one that never came into use."""

    def use(self) -> None:
        """Turn to the next generation. Raise ConfigurationError when its succession does not hold."""
