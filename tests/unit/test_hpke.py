"""HPKE opened through a key that only agrees, held to what the library seals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys import hpke
from gateway.domain.errors import VerificationError
from gateway.linkage.secret import one_time_public, x25519

PRIVATE = bytes(range(1, 33))
PUBLIC = one_time_public(PRIVATE)


def agree(peer: bytes) -> bytes:
    return x25519(PRIVATE, peer)


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_what_the_library_seals_opens(text: bytes, info: bytes) -> None:
    """Any text and info that `cryptography` seals comes back whole."""
    assert hpke.open_sealed(agree, PUBLIC, hpke.seal(PUBLIC, text, info), info) == text


@pytest.mark.parametrize("cut", [0, 31, 32, 40])
def test_what_is_cut_does_not_open(cut: int) -> None:
    """A sealed secret that is too short raises instead of opening to nothing."""
    with pytest.raises(VerificationError):
        hpke.open_sealed(agree, PUBLIC, hpke.seal(PUBLIC, b"text", b"")[:cut], b"")


def test_another_info_does_not_open() -> None:
    """What is sealed is bound to its info."""
    with pytest.raises(VerificationError):
        hpke.open_sealed(agree, PUBLIC, hpke.seal(PUBLIC, b"text", b"a"), b"b")
