"""What must be kept of an exchange is sealed under keys of that exchange alone (DESIGN.md §6).

A key for each clock, so that each can end by destroying its key: the results (flags, who stands in which
slot), the account of who was told about whom, and what remembers that somebody was asked about.

AES-256-GCM with a random 96-bit nonce: one key seals a handful of values, far below the 2^32 limit of
NIST SP 800-38D §8.3. The associated data bind exchange and kind, so that a ciphertext can't be moved.
"""

import json
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.domain import labels
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.ports import UnitOfWork
from gateway.service.context import Context

# names in the key store
SEAL_KEY = "seal"
ACCOUNT_KEY = "accounting"
PROBE_KEY = "probe"
TAGS_KEY = "tags"
SECRET = "secret"  # noqa: S105 - a name, not a key
TAGS_KEY = "tags"
"""Under which a reviewer finds again who an exchange asked about."""
ACCOUNTING = "accounting/"
"""Kinds that begin so are sealed under the accounting key."""
TAGS_KIND = f"{ACCOUNTING}{TAGS_KEY}"
"""Search tags: sealed under a key that the reviewer's search alone can open (`service.subject_tags`)."""
_NONCE_BYTES = 12


def _key(ctx: Context, exchange: ExchangeId, kind: str) -> AESGCM:
    name = ACCOUNT_KEY if kind.startswith(ACCOUNTING) else PROBE_KEY if kind == PROBE_KEY else SEAL_KEY
    return AESGCM(ctx.exchange_keys.get(exchange, name))


def _aad(exchange: ExchangeId, kind: str) -> bytes:
    return labels.SEALED_AAD + exchange.bytes + b"/" + kind.encode()


def put_sealed(ctx: Context, uow: UnitOfWork, exchange: ExchangeId, kind: str, value: Any) -> None:
    """Seal a JSON value and put it into the vault."""
    nonce = ctx.entropy(_NONCE_BYTES)
    key = _key(ctx, exchange, kind)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    uow.vault.put(exchange, kind, nonce + key.encrypt(nonce, text, _aad(exchange, kind)))


def get_sealed(ctx: Context, uow: UnitOfWork, exchange: ExchangeId, kind: str) -> Any:
    """Open what `put_sealed` put.

    Raises:
        NotFoundError: there is none, or its key is destroyed.
        VerificationError: the ciphertext is not what was sealed.
    """
    sealed = uow.vault.get(exchange, kind)
    key = _key(ctx, exchange, kind)
    try:
        text = key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _aad(exchange, kind))
    except InvalidTag:
        raise VerificationError("the sealed bytes were altered", place=f"vault {kind}") from None
    return json.loads(text)
