"""`flagstone serve`: what stops it before anything starts."""

import errno
import io
import os

import pytest

from gateway import bootstrap
from gateway.cli import serve
from gateway.cli.main import run
from gateway.domain.errors import ConfigurationError
from gateway.settings import read_settings


class Taken:
    """A socket whose address is in use."""

    closed = False

    def __init__(self, family):
        """Take the place of `socket.socket`."""

    def setsockopt(self, *option):
        """Accept any option."""

    def bind(self, address):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def close(self):
        Taken.closed = True


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch, tmp_path):
    """Fail where the database or the application would start."""
    monkeypatch.setenv("FLAGSTONE_HOME", str(tmp_path))
    monkeypatch.setattr(serve, "serving", lambda _: pytest.fail("it started"))


def test_an_address_in_use_is_named_before_anything_starts(monkeypatch, capsys):
    """Exit 2 with the address and a way out; no database is started, and the socket is closed."""
    monkeypatch.setattr(serve.socket, "socket", Taken)
    assert run(["serve", "--port", "8499"]) == 2
    said = capsys.readouterr().err
    assert "can't listen on 127.0.0.1:8499: Address already in use" in said
    assert "--port" in said
    assert Taken.closed


def test_another_address_needs_a_public_url(monkeypatch, capsys):
    """Agents' proofs name the gateway's URL: where that is not loopback it must be set."""
    monkeypatch.setenv("FLAGSTONE_TLS_CERTIFICATE", "certificate.pem")
    monkeypatch.setenv("FLAGSTONE_TLS_KEY", "key.pem")
    assert run(["serve", "--host", "0.0.0.0"]) == 2  # noqa: S104
    assert "FLAGSTONE_PUBLIC_URL" in capsys.readouterr().err


def test_another_address_needs_tls(capsys):
    """Without certificate and key it listens on loopback alone; the settings that are missing are named."""
    assert run(["serve", "--host", "0.0.0.0"]) == 2  # noqa: S104
    assert "FLAGSTONE_TLS_CERTIFICATE and FLAGSTONE_TLS_KEY" in capsys.readouterr().err


@pytest.fixture
def for_real(monkeypatch):
    """`serving` itself, up to the point where the database would start."""
    monkeypatch.setattr(serve, "serving", bootstrap.serving)
    monkeypatch.setattr(serve.signal, "signal", lambda *_: None)
    monkeypatch.setattr(bootstrap, "opened", lambda *_, **__: pytest.fail("it started"))


PUBLIC = {"FLAGSTONE_PUBLIC_URL": "https://gateway.example"}


@pytest.mark.parametrize("only", [[], ["--search-only"]])
@pytest.mark.parametrize(
    "environment",
    [
        {"FLAGSTONE_UNSAFE_PLAIN_HTTP": "true"} | PUBLIC,
        {"FLAGSTONE_HOST": "127.0.0.1", "FLAGSTONE_UNSAFE_PLAIN_HTTP": "true"},
        {"FLAGSTONE_TLS_CERTIFICATE": "a.pem", "FLAGSTONE_TLS_KEY": "b.pem"} | PUBLIC,
        {"FLAGSTONE_HOST": "127.0.0.1"} | PUBLIC,
    ],
    ids=str,
)
def test_others_reach_it_only_with_an_identity_provider(for_real, monkeypatch, capsys, environment, only):
    """Whatever other machines can reach, by TLS or through a proxy, does not start without a provider."""
    monkeypatch.setattr(serve, "_bound", lambda *_: io.BytesIO())
    given = {"FLAGSTONE_HOST": "0.0.0.0", "FLAGSTONE_PORT": "0"} | environment  # noqa: S104
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert run(["serve", *only]) == 2
    said = capsys.readouterr().err
    assert "no identity provider" in said
    assert "sign-in.md" in said


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://gateway.example", True),
        ("https://gateway.example/", True),
        ("http://127.0.0.1:8400", True),
        ("http://gateway.example", False),
        ("https://gateway.example/flagstone", False),
        ("https://gateway.example?x=1", False),
        ("https://me@gateway.example", False),
        ("gateway.example", False),
        ("", False),
    ],
)
def test_a_provider_needs_a_public_url(url, good):
    """With a provider the public URL must be there and be one that browsers can be sent back to."""
    if good:
        settings = read_settings(oidc="oidc.toml", public_url=url)
        assert settings.origin == url.rstrip("/")
        assert settings.rules.provider
        assert settings.rules.two_person_release
        assert not read_settings(oidc="x", public_url=url, two_person_release=False).rules.two_person_release
    else:
        with pytest.raises(ConfigurationError, match="FLAGSTONE_PUBLIC_URL"):
            read_settings(oidc="oidc.toml", public_url=url)


def test_without_a_provider_release_needs_one_person():
    """The demo and a trial on one machine go on as they were; it may be demanded there too."""
    assert not read_settings().rules.two_person_release
    assert read_settings(two_person_release=True).rules.two_person_release
