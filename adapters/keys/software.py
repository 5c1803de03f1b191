"""Private keys in files of one folder: 32 raw bytes each, or sealed under the keyring's key."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.keys.backend import Held
from adapters.keys.folder import SecretFolder
from adapters.keys.lock import KeyringLock, is_sealed
from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, VerificationError
from gateway.key_ports import KeyRef, Use
from gateway.linkage.secret import one_time_public, x25519

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class FileBackend:
    """`Backend` over a `SecretFolder`: `KIND.key`, and `KIND.N.key` from the second generation on.

    Where there is a `lock`, new keys are sealed under it. `stems` are other names of files by kind.
    Keys that were read stay in memory until `forget`.
    """

    scheme: Final = "file"

    def __init__(
        self, folder: SecretFolder, lock: KeyringLock | None = None, stems: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._lock = lock
        self._stems = stems or {}
        self._read: dict[KeyRef, bytes] = {}

    @property
    def place(self) -> str:
        return "sealed file" if self._lock else "file"

    def place_of(self, ref: KeyRef) -> str:
        """How a key that is there lies there."""
        if not self.holds(ref):
            return "not on this machine"
        return "sealed file" if is_sealed(self._stored(ref)) else "file"

    def holds(self, ref: KeyRef) -> bool:
        """Whether the private half is in this folder."""
        return self.file(ref) in self._folder.names()

    def made(self, ref: KeyRef) -> datetime:
        """When a key's file was put."""
        return self._folder.made(self.file(ref))

    def file(self, ref: KeyRef) -> str:
        """The name of a key's file."""
        stem = self._stems.get(ref.kind, ref.kind)
        return f"{stem}.key" if ref.generation == 1 else f"{stem}.{ref.generation}.key"

    def create(self, ref: KeyRef, use: Use) -> tuple[str, bytes]:
        key = secrets.token_bytes(KEY_BYTES)
        stored = self._lock.seal(key, _aad(ref)) if self._lock else key
        self._folder.destroy(self.file(ref))  # of a creation that never ended
        self._folder.put({self.file(ref): stored})
        return "", public_half(key, use)

    def public(self, ref: KeyRef, use: Use) -> bytes:
        """The public half of a key that has no description yet."""
        return public_half(self._key(ref), use)

    def sign(self, held: Held, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self._key(held.ref)).sign(message)

    def agree(self, held: Held, peer: bytes) -> bytes:
        return x25519(self._key(held.ref), peer)

    def wrap(self, held: Held, secret: bytes, purpose: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key(held.ref)).encrypt(nonce, secret, purpose)

    def unwrap(self, held: Held, sealed: bytes, purpose: bytes) -> bytes:
        try:
            return AESGCM(self._key(held.ref)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose)
        except (InvalidTag, ValueError):
            raise VerificationError("a sealed secret does not open", place="keys") from None

    def destroy(self, held: Held) -> None:
        self._read.pop(held.ref, None)
        self._folder.destroy(self.file(held.ref))

    def forget(self) -> None:
        self._read.clear()

    def seal_at_rest(self, ref: KeyRef) -> bool:
        """Put a raw file's sealed form into its place; whether there was anything to do.

        The sealed file takes the raw one's name in one step, so a crash leaves one of them, never none.
        """
        if self._lock is None or is_sealed(self._stored(ref)):
            return False
        self._folder.replace(self.file(ref), self._lock.seal(self._key(ref), _aad(ref)))
        return True

    def _key(self, ref: KeyRef) -> bytes:
        key = self._read.get(ref)  # one look: another thread may forget meanwhile
        if key is None:
            key = self._read[ref] = self._opened(ref)
        return key

    def _opened(self, ref: KeyRef) -> bytes:
        stored = self._stored(ref)
        if is_sealed(stored):
            if self._lock is None:
                raise ConfigurationError(
                    "a key file is sealed, and there is no keyring beside it",
                    place="keys",
                    way_out="Restore keyring/keyring.json",
                )
            stored = self._lock.open(stored, _aad(ref))
        if len(stored) != KEY_BYTES:
            raise ConfigurationError(
                "a key file is damaged: not 32 bytes", place="keys", way_out="Restore it"
            )
        return stored

    def _stored(self, ref: KeyRef) -> bytes:
        return self._folder.get(self.file(ref))


def public_half(key: bytes, use: Use) -> bytes:
    """The 32 public bytes of a private key, b"" of a sealing key."""
    if use is Use.SIGN:
        return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    return one_time_public(key) if use is Use.AGREE else b""


def _aad(ref: KeyRef) -> bytes:
    return labels.KEY_FILE_AAD + str(ref).encode()
