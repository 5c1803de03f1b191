"""What every `KeyProvider` keeps to, wherever it keeps its keys."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fake_keys import FakeKeys
from softhsm import SoftHsm
from vault_server import TOKEN, VaultServer

from adapters.keys.held import check_usable
from adapters.keys.lock import KeyringLock
from adapters.keys.places import Places
from adapters.keys.vault import VaultBackend
from gateway.domain.errors import ConfigurationError, NotFoundError, VerificationError
from gateway.key_ports import KeyProvider, KeyRef, Use, current
from gateway.linkage.secret import one_time_public, x25519

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PEER = b"\x05" * 32
KINDS = ["fake", "raw files", "passphrase", "key file", "pkcs11", "vault"]
Opened = Callable[[], KeyProvider]


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same keys anew at each call, as another process would."""
    kind = request.param
    if kind == "fake":
        fake = FakeKeys()
        return lambda: fake
    (tmp_path / "keys").mkdir(mode=0o700)
    if kind == "pkcs11":
        token: SoftHsm = request.getfixturevalue("softhsm")
        return lambda: Places(others={"pkcs11": token.backend()}, new="pkcs11").ring(tmp_path / "keys", {})
    if kind == "vault":
        return _at_vault(request, tmp_path / "keys")
    if kind != "raw files":
        source = "passphrase" if kind == "passphrase" else "key-file"
        KeyringLock.create(tmp_path / "keyring", source, lambda _: b"correct horse battery staple pony"[:32])

    def anew() -> KeyProvider:
        lock = KeyringLock.load(tmp_path / "keyring", lambda _: b"correct horse battery staple pony"[:32])
        return Places(lock).ring(tmp_path / "keys", {})

    return anew


def _at_vault(request: pytest.FixtureRequest, folder: Path) -> Opened:
    server = VaultServer()

    def closed() -> None:
        server.close()
        assert server.violations == []

    request.addfinalizer(closed)

    def anew() -> KeyProvider:
        backend = VaultBackend.open(server.url, TOKEN.encode, prefix="tests")
        return Places(others={"vault": backend}, new="vault").ring(folder, {})

    return anew


def test_a_key_signs_after_it_is_found_again(opened: Opened) -> None:
    """What one process makes, another finds with the same public half, and its signatures verify."""
    made = opened().create("signing", Use.SIGN, AT)
    found = opened().known("signing")
    assert [key.public for key in found] == [made.public]
    signature = opened().sign(made.ref, b"text")
    Ed25519PublicKey.from_public_bytes(made.public).verify(signature, b"text")
    check_usable(opened(), made)


def test_agreement_meets(opened: Opened) -> None:
    """Both sides of X25519 come to one secret, and a peer of small order is refused."""
    made = opened().create("exchange", Use.AGREE, AT)
    assert opened().agree(made.ref, one_time_public(PEER)) == x25519(PEER, made.public)
    check_usable(opened(), made)
    with pytest.raises(VerificationError):
        opened().agree(made.ref, bytes(32))


def test_what_is_sealed_opens_for_its_purpose_alone(opened: Opened) -> None:
    """Another purpose, a changed or cut byte opens nothing; sealing twice gives other bytes."""
    made = opened().create("sealing", Use.SEAL, AT)
    sealed = opened().wrap(made.ref, b"secret" * 8, b"purpose")
    assert b"secret" not in sealed
    assert made.public == b""
    assert opened().unwrap(made.ref, sealed, b"purpose") == b"secret" * 8
    for harmed, purpose in (
        (sealed, b"other"),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"purpose"),
        (sealed[:-4], b"purpose"),
        (b"", b"purpose"),
    ):
        with pytest.raises(VerificationError):
            opened().unwrap(made.ref, harmed, purpose)
    with pytest.raises(ConfigurationError):
        opened().wrap(made.ref, bytes(4097), b"purpose")


def test_no_key_has_two_uses(opened: Opened) -> None:
    """A signing key neither agrees nor seals, a sealing key does not sign."""
    signing, sealing = (opened().create("a", Use.SIGN, AT), opened().create("b", Use.SEAL, AT))
    with pytest.raises(ConfigurationError):
        opened().agree(signing.ref, PEER)
    with pytest.raises(ConfigurationError):
        opened().wrap(signing.ref, b"x", b"y")
    with pytest.raises(ConfigurationError):
        opened().sign(sealing.ref, b"x")


def test_generations_count_and_the_newest_in_use_is_current(opened: Opened) -> None:
    """Each creation is the next generation; retired ones are still used by name, and are not current."""
    watching = opened()
    first, second = (opened().create("log", Use.SIGN, AT + timedelta(days=day)) for day in range(2))
    assert [key.ref.generation for key in watching.known("log")] == [1, 2]
    assert (first.created, second.created) == (AT, AT + timedelta(days=1))
    assert first.public != second.public
    assert current(watching, "log").ref == second.ref
    opened().retire(second.ref, AT)
    opened().retire(second.ref, AT + timedelta(days=9))
    assert current(watching, "log").ref == first.ref
    assert watching.known("log")[1].retired == AT
    assert watching.sign(second.ref, b"x")


def test_a_destroyed_key_is_of_no_use_and_stays_known(opened: Opened) -> None:
    """Its public half stays for what it signed, in processes that had used it too; the rest works on."""
    first, second = (opened().create("log", Use.SIGN, AT) for _ in range(2))
    user = opened()
    user.sign(first.ref, b"x")
    opened().destroy(first.ref, AT)
    opened().destroy(first.ref, AT + timedelta(days=1))
    for provider in (user, opened()):
        with pytest.raises(NotFoundError):
            provider.sign(first.ref, b"x")
        assert [(key.public, key.destroyed) for key in provider.known("log")] == [
            (first.public, AT),
            (second.public, None),
        ]
        assert provider.sign(second.ref, b"x")
    assert opened().create("log", Use.SIGN, AT).ref.generation == 3


def test_a_key_that_was_never_made_is_not_found(opened: Opened) -> None:
    """Whatever is asked of it, and there is no current one of its kind."""
    with pytest.raises(NotFoundError):
        opened().sign(KeyRef("signing", 1), b"x")
    with pytest.raises(NotFoundError):
        opened().destroy(KeyRef("signing", 1), AT)
    with pytest.raises(ConfigurationError, match="no signing key"):
        current(opened(), "signing")


@pytest.mark.parametrize(("kind", "generation"), [("", 1), ("A", 1), ("a/b", 1), ("a.b", 1), ("a", 0)])
def test_a_name_that_could_be_a_path_is_refused(kind: str, generation: int) -> None:
    """Kinds are short words, generations count from 1."""
    with pytest.raises(ConfigurationError):
        KeyRef(kind, generation)
