"""Settings: environment variables `FLAGSTONE_...`, read once, at the edge."""

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.domain.errors import ConfigurationError

MEBIBYTE = 1 << 20
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_URL = r"^https?://[a-zA-Z0-9.:\[\]-]+(/[a-zA-Z0-9._~/-]*)?$"


class Settings(BaseSettings):
    """What an operator may set. README and docs/database.md describe each."""

    model_config = SettingsConfigDict(
        env_prefix="FLAGSTONE_", hide_input_in_errors=True, frozen=True, extra="ignore"
    )

    home: Path = Field(default_factory=lambda: Path.home() / ".flagstone")
    """Keys and, by default, the embedded database. Created 0700."""
    database_url: SecretStr | None = None
    """PostgreSQL for the web role; the embedded one when not set."""
    database_url_worker: SecretStr | None = None
    database_url_review: SecretStr | None = None
    database_url_migrate: SecretStr | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    unsafe_plain_http: bool = False
    """Serve a non-loopback address without TLS: only behind a proxy that terminates it."""
    public_url: Annotated[str | None, Field(pattern=_URL)] = None
    """Under which agents reach the gateway, as their agent.toml has it; their proofs name it (RFC 9449)."""
    policies: Path | None = None
    """The council's own policy folder, laid over the packaged one."""
    working_hours: Annotated[str, Field(pattern=r"^[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d$")] = "07:00-19:00"
    """Monday to Friday, London; what users do outside them comes into the review queue."""
    max_upload_mib: Annotated[int, Field(ge=1, le=1024)] = 64
    search_key: Path | None = None
    """Folder of the reviewer's search key where its private half is kept outside the home."""
    searches_per_day: Annotated[int, Field(ge=0, le=10_000)] = 20
    """Searches by subject that one user may make on one day."""
    key_backup_days: Annotated[int, Field(ge=0, le=3650)] = 30
    """For how many days a backup of the exchanges' keys may exist; certificates of destruction say it."""
    gateway: str = "http://127.0.0.1:8400"
    """Where the command line finds the gateway."""
    token: SecretStr | None = None
    """The command line user's token."""

    @model_validator(mode="after")
    def _a_url_for_each_role(self) -> Self:
        urls = (
            self.database_url,
            self.database_url_worker,
            self.database_url_review,
            self.database_url_migrate,
        )
        if any(urls) and not all(urls):
            raise ValueError(
                "FLAGSTONE_DATABASE_URL needs FLAGSTONE_DATABASE_URL_WORKER, _REVIEW and _MIGRATE beside it: "
                "each role may do no more than its work needs"
            )
        if not all(_reached_safely(url.get_secret_value()) for url in urls if url):
            raise ValueError(
                "a FLAGSTONE_DATABASE_URL of another machine needs sslmode=verify-full (or verify-ca): "
                "without it, a connection may be in the clear, or to somebody else"
            )
        return self

    @model_validator(mode="after")
    def _no_plain_http_between_organisations(self) -> Self:
        local = self.host in _LOOPBACK
        if not (local or self.unsafe_plain_http or (self.tls_certificate and self.tls_key)):
            raise ValueError(
                "a non-loopback FLAGSTONE_HOST needs FLAGSTONE_TLS_CERTIFICATE and FLAGSTONE_TLS_KEY"
            )
        if not (local or self.public_url):
            raise ValueError(
                "a non-loopback FLAGSTONE_HOST needs FLAGSTONE_PUBLIC_URL, the URL that agents are given: "
                "what they send must have been made for this gateway"
            )
        return self


def _reached_safely(url: str) -> bool:
    """Whether a PostgreSQL URL stays on this machine, or verifies the server that it reaches."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    hosts = {parts.hostname or "", *query.get("host", ()), *query.get("hostaddr", ())}
    here = all(host in _LOOPBACK or host.startswith("/") for host in hosts - {""})
    return here or query.get("sslmode") in (["verify-full"], ["verify-ca"])


def read_settings(**given: Any) -> Settings:
    """Read the environment; what a command line gives goes before it.

    Raises:
        ConfigurationError: a setting is malformed; names it, never its value.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "FLAGSTONE_" + "_".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(reason, place=place if first["loc"] else "settings") from None
