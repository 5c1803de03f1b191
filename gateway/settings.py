"""Settings: environment variables `FLAGSTONE_...`, read once, at the edge."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.domain.allowances import Allowances
from gateway.domain.errors import ConfigurationError
from gateway.domain.network import LOOPBACK
from gateway.domain.sessions import SignInRules

MEBIBYTE = 1 << 20


_DEFAULT = Allowances()
_Number = Annotated[int, Field(ge=1, le=10**9)]


class Settings(BaseSettings):
    """What an operator may set. docs/settings.md describes each."""

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
    policies: Path | None = None
    """The council's own policy folder, laid over the packaged one."""
    working_hours: Annotated[str, Field(pattern=r"^[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d$")] = "07:00-19:00"
    """Monday to Friday, London; what users do outside them comes into the review queue."""
    max_upload_mib: Annotated[int, Field(ge=1, le=1024)] = 64
    search_key: Path | None = None
    """Folder of the reviewer's search key where its private half is kept outside the home."""
    searches_per_day: Annotated[int, Field(ge=0, le=10_000)] = 20
    """Searches by subject that one user may make on one day."""
    confirm_successions: bool = False
    """Whether a partner's new keys wait until `flagstone partner confirm` has compared their fingerprint."""
    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Requests answered at once; the next gets 503 with Retry-After."""
    sign_ins_per_minute: _Number = _DEFAULT.sign_in
    reads_per_minute: _Number = _DEFAULT.read
    submits_per_minute: _Number = _DEFAULT.submit
    log_searches_per_minute: _Number = _DEFAULT.search
    polls_per_minute: _Number = _DEFAULT.poll
    submissions_per_user_per_day: _Number = _DEFAULT.submissions_a_day
    lists_per_agreement_per_day: _Number = _DEFAULT.lists_a_day
    people_per_agreement_per_day: _Number = _DEFAULT.people_a_day
    key_backup_days: Annotated[int, Field(ge=0, le=3650)] = 30
    """For how many days a backup of the exchanges' keys may exist; certificates of destruction say it."""
    public_url: str = ""
    """The URL that browsers and agents reach the gateway by; needed with an identity provider. Agents' proofs
    name it (RFC 9449), so it is what their `agent.toml` has."""
    oidc: Path | None = None
    """The identity provider: a TOML file (docs/sign-in.md)."""
    oidc_client_secret: SecretStr | None = None
    session_idle_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    session_hours: Annotated[int, Field(ge=1, le=24)] = 10
    token_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 60
    """How long an API token lasts that was made in a session; no longer than the session."""
    two_person_release: bool | None = None
    """Whether results are read only with a reviewer's approval; with an identity provider, yes if not set."""
    two_person_hours: Annotated[int, Field(ge=1, le=24 * 14)] = 24
    gateway: str = "http://127.0.0.1:8400"
    """Where the command line finds the gateway."""
    token: SecretStr | None = None
    """The command line user's token."""

    @property
    def behind_tls(self) -> bool:
        """Whether callers come by TLS that a proxy terminates."""
        return self.unsafe_plain_http and not self.tls_certificate

    @property
    def allowances(self) -> Allowances:
        """Rates and quotas; docs/limits.md describes each."""
        return Allowances(
            sign_in=self.sign_ins_per_minute,
            read=self.reads_per_minute,
            submit=self.submits_per_minute,
            search=self.log_searches_per_minute,
            poll=self.polls_per_minute,
            submissions_a_day=self.submissions_per_user_per_day,
            lists_a_day=self.lists_per_agreement_per_day,
            people_a_day=self.people_per_agreement_per_day,
        )

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
                "a FLAGSTONE_DATABASE_URL of another machine needs sslmode=verify-full: "
                "anything less may be in the clear, or to somebody else whom the same authority knows"
            )
        return self

    @model_validator(mode="after")
    def _no_plain_http_between_organisations(self) -> Self:
        local = self.host in LOOPBACK
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

    @model_validator(mode="after")
    def _a_public_url_for_the_provider(self) -> Self:
        parts = urlsplit(self.public_url)
        plain = parts.scheme == "http" and parts.hostname in LOOPBACK
        rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None
        if self.public_url and (rest or not parts.hostname or not (parts.scheme == "https" or plain)):
            raise ValueError(
                "FLAGSTONE_PUBLIC_URL is https:// and a host, without path (http:// on loopback alone)"
            )
        if self.oidc and not self.public_url:
            raise ValueError(
                "FLAGSTONE_OIDC needs FLAGSTONE_PUBLIC_URL: the provider sends browsers back there"
            )
        return self

    @property
    def reached_by_others(self) -> bool:
        """Whether anybody but this machine's users can reach it, by itself or through a proxy."""
        elsewhere = bool(self.public_url) and urlsplit(self.public_url).hostname not in LOOPBACK
        return self.host not in LOOPBACK or self.unsafe_plain_http or elsewhere

    @property
    def origin(self) -> str:
        """Scheme, host and port of the public URL, as browsers write them; "" where there is none."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc.lower()}" if self.public_url else ""

    @property
    def rules(self) -> SignInRules:
        """What is demanded of whoever signs in."""
        release = self.oidc is not None if self.two_person_release is None else self.two_person_release
        return SignInRules(
            provider=self.oidc is not None,
            idle=timedelta(minutes=self.session_idle_minutes),
            longest=timedelta(hours=self.session_hours),
            token=timedelta(minutes=self.token_minutes),
            two_person_release=release,
            two_person_within=timedelta(hours=self.two_person_hours),
        )


def _reached_safely(url: str) -> bool:
    """Whether a PostgreSQL URL stays on this machine, or verifies the server that it reaches."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    hosts = {parts.hostname or "", *query.get("host", ()), *query.get("hostaddr", ())}
    here = all(host in LOOPBACK or host.startswith("/") for host in hosts - {""})
    return here or query.get("sslmode") == ["verify-full"]


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
