"""Mutual TLS over real sockets: tokens bound to the connection's certificate (RFC 8705)."""

import contextlib
import ipaddress
import secrets
import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from fakes import FakePartyKeys
from web.webworld import a_world

from adapters.transports.mailbox import MailboxClient
from adapters.transports.wire import (
    ClientCertificate,
    GatewayRefusedError,
    GatewaySignInError,
    GatewayUnavailableError,
    SignIn,
    Wire,
    http_client,
)
from gateway.bundle.client_certificate import ClientCertificate as Announcement
from gateway.domain.labels import TYP_CLIENT_CERTIFICATE
from gateway.service import client_certificates, partners
from gateway.web.app import SERVER_OPTIONS
from gateway.web.tls import ClientTrust

LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


def certificate(folder, name, *, days=30):
    """A self-signed certificate with its key in one PEM file; its path and DER."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=40))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([LOOPBACK]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path, made.public_bytes(Encoding.DER)


class Site:
    """A gateway that ends TLS itself, and the certificates of a test."""

    def __init__(self, folder):
        self.folder, self.world = folder, a_world()
        self.world.clock.now = datetime.now(UTC)  # OpenSSL goes by the machine's clock
        self.server, _ = certificate(folder, "server")
        self.trust = ClientTrust(lambda: client_certificates.trusted(self.world.context), every=0.02)
        self.port, self.clients = 0, []

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        wiring = self.world.app.state.wiring
        self.world.app.state.wiring = replace(wiring, public_url=self.url)
        config = uvicorn.Config(
            self.world.app,
            **SERVER_OPTIONS,
            ssl_certfile=self.server,
            ssl_context_factory=self.trust.context,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield self
        finally:
            for http in self.clients:
                http.close()
            self.trust.stop()
            server.should_exit = True
            thread.join()
            listener.close()

    def agent(self, own=None, slug="health"):
        """The agent's real client, with a client certificate or without one."""
        http = http_client(self.url, str(self.server), ClientCertificate(str(own)) if own else None)
        self.clients.append(http)
        keys = SignIn(FakePartyKeys(slug), "council", self.world.clock, secrets.token_bytes)
        return MailboxClient(Wire(http, keys, certified=own is not None))

    def announce(self, der, slug="health"):
        keys = FakePartyKeys(slug)
        document = Announcement(partner=slug, certificate=der)
        self.agent(slug=slug).put_certificate(keys.sign(document.payload, TYP_CLIENT_CERTIFICATE))
        self.looked()

    def looked(self):
        """Wait until new handshakes go by what the store holds now."""
        wanted = client_certificates.trusted(self.world.context)
        deadline = time.monotonic() + 30
        while self.trust._known != wanted:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path).running() as made:
        yield made


def stolen_token(client):
    """The access token of an agent, as a thief would have it."""
    client.state()
    return client._wire._token


def get(site, token, own=None, scheme="Bearer"):
    context = ssl.create_default_context(cafile=str(site.server))
    if own:
        context.load_cert_chain(own)
    with httpx.Client(verify=context) as http:
        return http.get(f"{site.url}/v1/agent/state", headers={"Authorization": f"{scheme} {token}"})


def test_a_token_is_bound_to_the_connection_s_certificate(site):
    """Announced by the signing key, a self-signed certificate signs requests in; its token alone does not."""
    own, der = certificate(site.folder, "own")
    site.announce(der)
    client = site.agent(own)
    assert client.state().agreements
    token = stolen_token(client)
    assert get(site, token, own).status_code == 200
    for refused in (get(site, token), get(site, token, own, "DPoP")):
        assert refused.status_code == 401
        assert 'error="invalid_dpop_proof"' in refused.headers["www-authenticate"]


def test_another_certificate_is_refused_with_the_token(site):
    """The certificate of another partner, or another one of the same partner, is not that of the token."""
    own, der = certificate(site.folder, "own")
    successor, its_der = certificate(site.folder, "successor")
    police, police_der = certificate(site.folder, "police")
    site.announce(der)
    site.announce(its_der)
    site.announce(police_der, "police")
    token = stolen_token(site.agent(own))
    assert get(site, token, own).status_code == 200
    assert get(site, token, successor).status_code == 401
    assert get(site, token, police).status_code == 401
    with pytest.raises(GatewaySignInError, match="not one that the partner's agent announced"):
        site.agent(police, "health").state()


def test_old_and_new_certificate_overlap_and_then_the_oldest_goes(site):
    """Two count at once; the third announcement ends the first, at the next request of its token."""
    first, first_der = certificate(site.folder, "first")
    site.announce(first_der)
    client = site.agent(first)
    client.state()
    site.world.clock.advance(seconds=1)
    site.announce(certificate(site.folder, "second")[1])
    client.state()
    site.world.clock.advance(seconds=1)
    site.announce(certificate(site.folder, "third")[1])
    with pytest.raises(GatewaySignInError):
        client.state()


def test_a_stranger_s_certificate_does_not_get_through_the_handshake(site):
    """An unknown certificate ends the connection; without any, DPoP serves."""
    unknown, _ = certificate(site.folder, "unknown")
    with pytest.raises(GatewayUnavailableError):
        site.agent(unknown).state()
    assert site.agent().state().agreements


def test_a_certificate_that_has_run_out_is_not_taken(site):
    """Its announcement is refused by name."""
    _, der = certificate(site.folder, "old", days=-1)
    with pytest.raises(GatewayRefusedError, match="run out"):
        site.announce(der)


def test_a_revoked_partner_is_refused_on_a_connection_that_stands(site):
    """Revocation holds from the next request on, though the handshake was before it."""
    own, der = certificate(site.folder, "own")
    site.announce(der)
    client = site.agent(own)
    client.state()
    partners.revoke(site.world.context, "health")
    with pytest.raises(GatewaySignInError):
        client.state()
    site.looked()
    with pytest.raises(GatewayUnavailableError):
        site.agent(own).state()


def test_a_token_of_dpop_is_not_taken_on_a_certificate(site):
    """What is bound to a proof key needs a proof, whatever certificate the connection has."""
    own, der = certificate(site.folder, "own")
    site.announce(der)
    token = stolen_token(site.agent())
    for scheme in ("DPoP", "Bearer"):
        assert get(site, token, own, scheme).status_code == 401


def test_only_the_signing_key_announces(site):
    """A certificate that the sign-in key named, or another partner's, is refused."""
    _, der = certificate(site.folder, "own")
    health, police = FakePartyKeys("health"), FakePartyKeys("police")
    of_health = Announcement(partner="health", certificate=der).payload
    of_police = Announcement(partner="police", certificate=der).payload
    for jws in (
        health.sign_in(of_health, TYP_CLIENT_CERTIFICATE),
        police.sign(of_health, TYP_CLIENT_CERTIFICATE),
        health.sign(of_police, TYP_CLIENT_CERTIFICATE),
        health.sign(Announcement(partner="health", certificate=b"no DER").payload, TYP_CLIENT_CERTIFICATE),
    ):
        with pytest.raises(GatewayRefusedError):
            site.agent().put_certificate(jws)
    site.announce(der)
    with pytest.raises(GatewayRefusedError, match="another partner has it"):
        site.announce(der, "police")
