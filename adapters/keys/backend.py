"""Where private halves lie: what a `Keyring` asks of files, a security module and a key service alike."""

from dataclasses import dataclass
from typing import Protocol

from gateway.key_ports import KeyRef, Use


@dataclass(frozen=True, slots=True)
class Held:
    """A key as its backend finds it again: `handle` is what `create` gave, kept in the key's description."""

    ref: KeyRef
    handle: str = ""


class Backend(Protocol):
    """One kind of place. Errors are those of `gateway.key_ports.KeyProvider`."""

    @property
    def scheme(self) -> str:
        """How key descriptions name the place: "file", "pkcs11", "vault"."""

    @property
    def place(self) -> str:
        """Where that is, for an operator's eyes."""

    def create(self, ref: KeyRef, use: Use) -> tuple[str, bytes]:
        """Make a key, durable on return. Its handle, no secret; its public half (32 bytes), b"" of a sealing
        key. A key whose description was never written is nobody's and does no harm.
        """

    def sign(self, held: Held, message: bytes) -> bytes: ...

    def agree(self, held: Held, peer: bytes) -> bytes: ...

    def wrap(self, held: Held, secret: bytes, purpose: bytes) -> bytes: ...

    def unwrap(self, held: Held, sealed: bytes, purpose: bytes) -> bytes: ...

    def destroy(self, held: Held) -> None:
        """Idempotent."""

    def forget(self) -> None:
        """Drop whatever was read into memory."""
