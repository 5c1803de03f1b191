"""`gateway.key_ports.KeyProvider` in memory, held to the contract of the real ones."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.keys.software import public_half
from gateway.domain.errors import ConfigurationError, NotFoundError, VerificationError
from gateway.key_ports import KeyInfo, KeyRef, Use
from gateway.linkage.secret import x25519


class FakeKeys:
    def __init__(self) -> None:
        self._infos: dict[KeyRef, KeyInfo] = {}
        self._secrets: dict[KeyRef, bytes] = {}

    def known(self, kind: str | None = None) -> Sequence[KeyInfo]:
        return [self._infos[ref] for ref in sorted(self._infos) if kind in {None, ref.kind}]

    def create(self, kind: str, use: Use, at: datetime) -> KeyInfo:
        key = secrets.token_bytes(32)
        ref = KeyRef(kind, len(self.known(kind)) + 1)
        self._secrets[ref] = key
        self._infos[ref] = KeyInfo(ref, use, at, "memory", public_half(key, use))
        return self._infos[ref]

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self._key(ref, Use.SIGN)).sign(message)

    def agree(self, ref: KeyRef, peer: bytes) -> bytes:
        return x25519(self._key(ref, Use.AGREE), peer)

    def wrap(self, ref: KeyRef, secret: bytes, purpose: bytes) -> bytes:
        if len(secret) > 4096:
            raise ConfigurationError("a secret of more than 4096 bytes", place="keys")
        nonce = len(secret).to_bytes(12, "big")
        return nonce + AESGCM(self._key(ref, Use.SEAL)).encrypt(nonce, secret, purpose)

    def unwrap(self, ref: KeyRef, sealed: bytes, purpose: bytes) -> bytes:
        try:
            return AESGCM(self._key(ref, Use.SEAL)).decrypt(sealed[:12], sealed[12:], purpose)
        except (InvalidTag, ValueError):
            raise VerificationError("a sealed secret does not open", place="keys") from None

    def retire(self, ref: KeyRef, at: datetime) -> None:
        info = self._info(ref)
        self._infos[ref] = replace(info, retired=info.retired or at)

    def destroy(self, ref: KeyRef, at: datetime) -> None:
        info = self._info(ref)
        self._secrets.pop(ref, None)
        self._infos[ref] = replace(info, destroyed=info.destroyed or at)

    def _info(self, ref: KeyRef) -> KeyInfo:
        if ref not in self._infos:
            raise NotFoundError(f"there is no key {ref}", place="keys")
        return self._infos[ref]

    def _key(self, ref: KeyRef, use: Use) -> bytes:
        if self._info(ref).use is not use:
            raise ConfigurationError(f"the key {ref} is not there to {use.value}", place="keys")
        if ref not in self._secrets:
            raise NotFoundError(f"the key {ref} is destroyed", place="keys")
        return self._secrets[ref]
