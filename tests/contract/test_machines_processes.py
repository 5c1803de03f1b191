"""A gateway that ends TLS itself and an agent, each a process of its own: DPoP first, then mutual TLS."""

import ssl

import httpx
import pytest
from processes import RELEASED, SMALL_LIST, Site, eventually, site
from web.test_mutual_tls import certificate

from adapters.agent import client_tls, main
from gateway.domain.errors import PartnerError

pytestmark = pytest.mark.postgres


class TlsSite(Site):
    """The same, over TLS with the certificate of this test."""

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def environment(self, token=None):
        pem = str(self.root / "server.pem")
        return super().environment(token) | {"FLAGSTONE_TLS_CERTIFICATE": pem, "FLAGSTONE_TLS_KEY": pem}


@pytest.fixture
def running(tmp_path, monkeypatch):
    certificate(tmp_path, "server")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    monkeypatch.setattr("processes.Site", TlsSite)
    with site(tmp_path) as made:
        yield made


def test_an_agent_answers_by_dpop_and_by_mutual_tls(running):
    """Both ways from submission to flags; a certificate that nobody announced ends the handshake."""
    first = running.submit(SMALL_LIST, "key-00000001")["exchange"]
    assert running.ended(first) == "released"
    assert running.flags(first) == RELEASED
    running.agent.terminate()
    running.agent.wait(15)
    with main.opened(running.home) as agent:
        client_tls.renew(agent.agent, running.home)
    settings = running.home / "agent.toml"
    mutual = 'client_certificate = "client.pem"\n\n[register]'
    settings.write_text(settings.read_text().replace("[register]", mutual, 1))
    with main.opened(running.home) as agent:
        assert agent.agent.gateway._wire._certified
        eventually(lambda: _reached(agent.agent.gateway))
    running.start_agent()
    second = running.submit(SMALL_LIST, "key-00000002")["exchange"]
    assert running.ended(second) == "released"
    stranger, _ = certificate(running.root, "stranger")
    context = ssl.create_default_context(cafile=str(running.root / "server.pem"))
    context.load_cert_chain(stranger)
    with httpx.Client(verify=context) as http, pytest.raises(httpx.TransportError):
        http.get(f"{running.url}/v1/health/live")


def _reached(gateway):
    """Once the gateway's process has looked at the store anew."""
    try:
        return gateway.state()
    except PartnerError:
        return None
