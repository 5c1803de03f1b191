"""How values are sealed; found by mutation (tests/mutation.py)."""

import json
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jobworld import a_job

from gateway.domain.errors import VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.service.sealing import SEAL_KEY, get_sealed, put_sealed

EXCHANGE, OTHER = (ExchangeId(UUID(int=number, version=4)) for number in (1, 2))
KEY = bytes(range(32))
VALUE = {"name": "Zoë", "rows": [1, 2]}


@pytest.fixture
def vault():
    """A context, a unit of work, and two exchanges whose keys are the same."""
    job = a_job(sign=False, prekeys=0)
    for exchange in (EXCHANGE, OTHER):
        job.context.exchange_keys.put(exchange, SEAL_KEY, KEY)
    with job.store.begin() as uow:
        yield job.context, uow


def test_a_value_is_sealed_under_a_nonce_of_96_bits(vault):
    """NIST SP 800-38D §5.2.1.1: 12 bytes of nonce, the ciphertext, 16 of tag; the text is compact UTF-8."""
    put_sealed(*vault, EXCHANGE, "flags", VALUE)
    sealed = vault[1].vault.get(EXCHANGE, "flags")
    text = json.dumps(VALUE, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(sealed) == 12 + len(text) + 16
    assert get_sealed(*vault, EXCHANGE, "flags") == VALUE
    other = AESGCM(KEY).encrypt(sealed[:12], text, b"other")
    assert sealed[12:-16] == other[:-16]


@pytest.mark.parametrize("at", [0, 11, 12, 20, -1])
def test_altered_bytes_are_named(vault, at):
    """One changed bit of nonce, ciphertext or tag is an error by name."""
    put_sealed(*vault, EXCHANGE, "flags", VALUE)
    sealed = bytearray(vault[1].vault.get(EXCHANGE, "flags"))
    sealed[at] ^= 1
    vault[1].vault.put(EXCHANGE, "flags", bytes(sealed))
    with pytest.raises(VerificationError, match="altered"):
        get_sealed(*vault, EXCHANGE, "flags")


@pytest.mark.parametrize(("exchange", "kind"), [(EXCHANGE, "result"), (OTHER, "flags")])
def test_a_sealed_value_can_not_be_moved(vault, exchange, kind):
    """The same bytes under another kind or exchange do not open, though the key be the same."""
    put_sealed(*vault, EXCHANGE, "flags", VALUE)
    vault[1].vault.put(exchange, kind, vault[1].vault.get(EXCHANGE, "flags"))
    with pytest.raises(VerificationError, match="altered"):
        get_sealed(*vault, exchange, kind)
