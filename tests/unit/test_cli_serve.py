"""`flagstone serve`: what stops it before anything starts."""

import errno
import os

import pytest

from gateway.cli import serve
from gateway.cli.main import run


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
