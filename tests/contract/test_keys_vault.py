"""What goes wrong between here and Vault becomes one clear refusal; nothing goes on without the key."""

import ssl
import subprocess
from datetime import UTC, datetime

import pytest
from vault_server import TOKEN, VaultServer

from adapters.keys.places import Places
from adapters.keys.vault import VaultBackend
from gateway.domain.errors import ConfigurationError, KeyPlaceError, VerificationError
from gateway.key_ports import KeyRef, Use
from gateway.linkage.secret import one_time_public

AT = datetime(2026, 11, 22, tzinfo=UTC)
SIGNING = KeyRef("signing", 1)


@pytest.fixture
def vault():
    server = VaultServer()
    yield server
    server.close()


@pytest.fixture
def ring(vault, tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    backend = VaultBackend.open(vault.url, TOKEN.encode, prefix="borough", timeout=1.0)
    ring = Places(others={"vault": backend}, new="vault").ring(tmp_path / "keys", {})
    ring.create("signing", Use.SIGN, AT)
    return ring


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (403, ConfigurationError, "refuses the token"),
        (503, KeyPlaceError, "sealed"),
        (500, KeyPlaceError, "InternalServerError"),
        (502, KeyPlaceError, "BadGateway"),
        (429, KeyPlaceError, "RateLimitExceeded"),
        (400, KeyPlaceError, "InvalidRequest"),
        (302, KeyPlaceError, "form"),
    ],
)
def test_each_refusal_is_named(vault, ring, status, error, text):
    """Sealed, forbidden, overloaded and broken are told apart, without anything that Vault wrote."""
    vault.status = status
    with pytest.raises(error, match=text) as raised:
        ring.sign(SIGNING, b"x")
    assert "told to" not in str(raised.value)
    vault.status = 0
    assert ring.sign(SIGNING, b"x")


def test_a_slow_or_absent_vault_does_not_hang(vault, ring):
    """An answer that does not come within the timeout is an error; so is a server that is gone."""
    vault.delay = 1.5
    with pytest.raises(KeyPlaceError, match="Timeout"):
        ring.sign(SIGNING, b"x")
    vault.delay = 0
    vault.close()
    with pytest.raises(KeyPlaceError, match="Connection"):
        VaultBackend.open(vault.url, TOKEN.encode, prefix="x").create(SIGNING, Use.SIGN)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": {}},
        {"data": {"signature": "vault:v2:AAAA"}},
        {"data": {"signature": "vault:v1:AAAA"}},
        {"data": {"signature": 1}},
        {"data": None},
    ],
)
def test_an_answer_of_another_form_is_refused(vault, ring, answer):
    """A signature of another key version, or none, is no signature."""
    vault.answer = answer
    with pytest.raises(KeyPlaceError, match="form"):
        ring.sign(SIGNING, b"x")


def test_a_token_that_was_replaced_is_read_again(vault, tmp_path):
    """After a refusal the next use reads the token's file anew."""
    tokens = [b"s.old", b"s.new"]
    vault.tokens = {"s.new"}
    backend = VaultBackend.open(vault.url, lambda: tokens.pop(0), prefix="x")
    with pytest.raises(ConfigurationError):
        backend.create(SIGNING, Use.SIGN)
    assert backend.create(SIGNING, Use.SIGN)[1]


def test_a_token_is_renewed_before_it_runs_out(vault, ring):
    """Once half its life is over the token is renewed, at the next use."""
    assert "renew-self" not in vault.asked
    vault.ttl = 0.02
    again = VaultBackend.open(vault.url, TOKEN.encode, prefix="x")
    again.create(SIGNING, Use.SIGN)
    again.create(SIGNING, Use.SIGN)
    assert "renew-self" in vault.asked


def test_a_wrong_mount_is_no_destroyed_key(vault, ring):
    """A key counts as gone only where its engine answers; another mount or namespace is a wrong setting."""
    vault.mount = "elsewhere"
    with pytest.raises(ConfigurationError, match="no Transit engine"):
        ring.destroy(SIGNING, AT)
    assert ring.known("signing")[0].destroyed is None
    vault.mount = "transit"
    vault.keys.clear()
    ring.destroy(SIGNING, AT)
    assert ring.known("signing")[0].destroyed == AT


def test_the_namespace_is_named(tmp_path):
    """Each request carries the namespace that is set."""
    server = VaultServer(namespace="council", mount="keys")
    try:
        backend = VaultBackend.open(server.url, TOKEN.encode, prefix="x", namespace="council", mount="keys")
        assert backend.create(SIGNING, Use.SIGN)[1]
        assert server.violations == []
    finally:
        server.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that signed itself, for 127.0.0.1: its file, and that of its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += [
        "-keyout",
        folder / "key.pem",
        "-out",
        folder / "cert.pem",
        "-days",
        "2",
        "-subj",
        "/CN=vault",
    ]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_a_server_that_nobody_vouches_for_gets_no_token(certificate):
    """TLS is verified against the authority that is named, else the system's, before the token is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = VaultServer(tls=context)
    url = server.url.replace("http:", "https:")
    try:
        with pytest.raises(KeyPlaceError, match="SSLError"):
            VaultBackend.open(url, TOKEN.encode, prefix="x").create(SIGNING, Use.SIGN)
        assert server.asked == []
        vouched = VaultBackend.open(url, TOKEN.encode, prefix="x", ca_file=certificate[0])
        assert vouched.create(SIGNING, Use.SIGN)[1]
    finally:
        server.close()


def test_plain_http_to_another_machine_is_refused():
    """The token would travel in the clear."""
    with pytest.raises(ConfigurationError, match="https"):
        VaultBackend.open("http://vault.example:8200", lambda: b"", prefix="x")


def test_an_agreement_key_lies_sealed_and_dies_with_its_transit_key(vault, ring, tmp_path):
    """Vault has no X25519: what lies here opens by Vault alone, and not once the Transit key is deleted."""
    made = ring.create("exchange", Use.AGREE, AT)
    peer = one_time_public(b"\x07" * 32)
    assert ring.agree(made.ref, peer)
    kept = (tmp_path / "keys" / "exchange.1.json").read_text()
    assert "vault:v1:" in kept
    name = next(name for name in vault.keys if "exchange" in name)
    vault.keys[name]["secret"] = bytes(32)
    with pytest.raises(VerificationError):
        ring.agree(made.ref, peer)
    ring.destroy(made.ref, AT)
    assert name not in vault.keys
    assert vault.violations == []
