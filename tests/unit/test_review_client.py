"""The command line never sends a token or a list over a network in the clear, nor past it to a proxy."""

import pytest

from gateway.cli.client import api
from gateway.domain.errors import ConfigurationError


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("FLAGSTONE_TOKEN", "fst_token")


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.council.example",
        "http://127.0.0.1@gateway.council.example",
        "http://localhost.council.example",
        "gateway.council.example",
        "ftp://127.0.0.1",
    ],
)
def test_a_gateway_elsewhere_is_reached_by_tls_alone(monkeypatch, url):
    """Names and a token go over a network encrypted or not at all; the text does not repeat the URL."""
    monkeypatch.setenv("FLAGSTONE_GATEWAY", url)
    with pytest.raises(ConfigurationError, match="https") as refused, api():
        pytest.fail("a client was opened")
    assert "example" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8400", "http://[::1]:8400", "http://localhost:8400"])
def test_a_gateway_on_this_machine_is_reached_past_any_proxy(monkeypatch, url):
    """What is meant for this machine is not handed, in the clear, to the proxy of the environment."""
    monkeypatch.setenv("FLAGSTONE_GATEWAY", url)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    with api() as client:
        assert not client.trust_env


def test_a_gateway_with_tls_may_be_behind_a_proxy(monkeypatch):
    """TLS passes a proxy unread, so the environment's proxy may be used."""
    monkeypatch.setenv("FLAGSTONE_GATEWAY", "https://gateway.council.example")
    with api() as client:
        assert client.trust_env
