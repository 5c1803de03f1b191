"""The exchange secret and the keys that grow from it."""

from pathlib import Path

import pytest
from bundle_world import COUNCIL, EXCHANGE, derive, header, request, secret_of

from gateway.bundle.open import read_own_request
from gateway.domain.errors import VerificationError
from gateway.linkage.scheme import V1
from gateway.linkage.secret import (
    CONTEXT,
    answer_key,
    confirmation,
    exchange_context,
    exchange_secret,
    one_time_public,
    request_key,
    token_keys,
    x25519,
)

# RFC 7748 §6.1
ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
ALICE_PUBLIC = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
BOB = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
BOB_PUBLIC = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")

# public keys of small order, whose result is all zero whatever the scalar (the check of RFC 7748 §6.1)
SMALL_ORDER = [
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]

CONTEXT_VALUES = exchange_context(
    council="aa" * 32,
    partner="bb" * 32,
    agreement="cc" * 32,
    scheme="v1",
    exchange=str(EXCHANGE),
    prekey="prekey-1",
    one_time=ALICE_PUBLIC,
)


def test_x25519_is_that_of_the_rfc() -> None:
    """Public keys and the shared result are those that RFC 7748 §6.1 prints."""
    assert (one_time_public(ALICE), one_time_public(BOB)) == (ALICE_PUBLIC, BOB_PUBLIC)
    assert x25519(ALICE, BOB_PUBLIC) == x25519(BOB, ALICE_PUBLIC) == SHARED


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_a_key_of_small_order_gives_no_secret(public: bytes) -> None:
    """A peer can't choose a public key that makes the result known to everybody."""
    with pytest.raises(VerificationError, match="gives no secret"):
        x25519(ALICE, public)


@pytest.mark.parametrize("short", [b"", bytes(31), bytes(33)])
def test_keys_of_another_length_are_refused(short: bytes) -> None:
    """Every key that enters the agreement has 32 bytes."""
    with pytest.raises(VerificationError, match="not 32 bytes"):
        x25519(short, ALICE_PUBLIC)
    with pytest.raises(VerificationError, match="not 32 bytes"):
        one_time_public(short)
    with pytest.raises(VerificationError, match="not 32 bytes"):
        exchange_secret(short, SHARED, CONTEXT_VALUES)


def test_both_sides_derive_one_secret() -> None:
    """Council (one-time and static private keys) and partner (prekey and static) hold the same bytes."""
    assert derive(read_own_request(request(), COUNCIL.identity)) == secret_of(header())


@pytest.mark.parametrize("name", CONTEXT)
def test_every_part_of_the_context_changes_the_secret(name: str) -> None:
    """The secret is bound to each of: both parties, agreement, scheme, exchange, prekey and one-time key."""
    other = CONTEXT_VALUES | {name: "other"}
    assert exchange_secret(SHARED, SHARED, other) != exchange_secret(SHARED, SHARED, CONTEXT_VALUES)


def test_the_two_results_are_not_interchangeable() -> None:
    """One-time and static results enter in their order."""
    assert exchange_secret(SHARED, ALICE, CONTEXT_VALUES) != exchange_secret(ALICE, SHARED, CONTEXT_VALUES)


@pytest.mark.parametrize("context", [{}, CONTEXT_VALUES | {"more": "x"}])
def test_an_incomplete_context_is_refused(context: dict[str, str]) -> None:
    """Nothing is derived unless the context has exactly its parts."""
    with pytest.raises(VerificationError, match="context"):
        exchange_secret(SHARED, SHARED, context)


def test_every_derived_key_is_its_own() -> None:
    """No two labels give one key, and none gives the secret itself."""
    secret = exchange_secret(SHARED, SHARED, CONTEXT_VALUES)
    keys = [secret, confirmation(secret), request_key(secret), answer_key(secret)]
    keys += token_keys(secret, V1).values()
    assert len(set(keys)) == len(keys) == 4 + len(V1.keys)
    assert {len(key) for key in keys} == {32}


def test_the_derivation_never_changes() -> None:
    """Known answers, printed in docs/bundle-format.md too: a change here would part old and new agents."""
    secret = exchange_secret(SHARED, SHARED, CONTEXT_VALUES)
    assert secret.hex() == "c11451537f94bb1dfb0d692dd2250cca6a0f44da132c5221d89a495c0d91dae6"
    assert confirmation(secret).hex() == "3a95d7c3a8408a53c39d9a9bdd67889344a80be94de479cfbe00ab5c0707ac7c"
    assert request_key(secret).hex() == "4c83911fe236f5cabfc43300fd0b2133d3528b252fde91eaefefe5c548d7ff95"
    assert answer_key(secret).hex() == "3e1cefa74898a9ea706cd717737139baa4effe97c64f686d8ea52b3102261c29"
    assert (
        token_keys(secret, V1)["gs3.born"].hex()
        == "d7e81d71d5efe68d0ac4b9edaf99feb1298898867c39698bf035982a15c41407"
    )


def test_the_format_page_prints_these_answers() -> None:
    """Whoever writes an agent from docs/bundle-format.md tests against the very keys that we derive."""
    page = (Path(__file__).parents[2] / "docs" / "bundle-format.md").read_text()
    secret = exchange_secret(SHARED, SHARED, CONTEXT_VALUES)
    keys = [secret, confirmation(secret), request_key(secret), answer_key(secret)]
    assert all(key.hex() in page for key in [*keys, token_keys(secret, V1)["gs3.born"]])
