"""Settings that would send something in the clear are refused, and their texts show no value."""

import pytest

from gateway.domain.errors import ConfigurationError
from gateway.settings import read_settings

_ROLES = ("", "_WORKER", "_REVIEW", "_MIGRATE")


def with_database(monkeypatch, *urls: str):
    for role, url in zip(_ROLES, urls, strict=True):
        monkeypatch.setenv(f"FLAGSTONE_DATABASE_URL{role}", url)
    return read_settings()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://web:Geheim@127.0.0.1:5432/flagstone",
        "postgresql://web:Geheim@localhost/flagstone",
        "postgresql://web:Geheim@[::1]/flagstone",
        "postgresql://web@/flagstone?host=/run/postgresql",
        "postgresql:///flagstone",
        "postgresql://web:Geheim@db.example/flagstone?sslmode=verify-full",
    ],
)
def test_a_database_here_or_one_that_proves_itself(monkeypatch, url):
    """A database on this machine needs no TLS; one elsewhere needs TLS that verifies the server."""
    assert with_database(monkeypatch, url, url, url, url).database_url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://web:Geheim@db.example/flagstone",
        "postgresql://web:Geheim@db.example/flagstone?sslmode=prefer",
        "postgresql://web:Geheim@db.example/flagstone?sslmode=require",
        "postgresql://web:Geheim@db.example/flagstone?sslmode=verify-ca&sslrootcert=/etc/ca.pem",
        "postgresql://web:Geheim@127.0.0.1,db.example/flagstone",
        "postgresql://web:Geheim@127.0.0.1/flagstone?host=db.example",
        "postgresql://web:Geheim@localhost/flagstone?hostaddr=192.0.2.1",
        "postgresql://web:Geheim@db.example/flagstone?sslmode=verify-full&sslmode=disable",
    ],
)
@pytest.mark.parametrize("role", range(4))
def test_a_database_elsewhere_without_verified_tls_is_refused(monkeypatch, url, role):
    """Left to itself, libpq would fall back to plain text, or trust whoever answers: no role may do that."""
    urls = ["postgresql://web@127.0.0.1/flagstone"] * 4
    urls[role] = url
    with pytest.raises(ConfigurationError, match="verify-full") as refused:
        with_database(monkeypatch, *urls)
    assert "Geheim" not in str(refused.value)
    assert "example" not in str(refused.value)
