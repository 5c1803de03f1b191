"""`agent.toml`: read strictly, once, when a command starts."""

import json
import stat
import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.agent.limits import Limits
from adapters.registers.opening import Kind, Source
from adapters.registers.register import Columns
from adapters.transports.wire import ClientCertificate
from gateway.domain.errors import ConfigurationError

FILE: Final = "agent.toml"
_OTHERS: Final = 0o077


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class GatewaySettings(_Table):
    """`poll_seconds`: pause between two looks; `ca_file`: a PEM file, when the system's trust won't do.

    `confirm_successions`: whether the council's new keys wait for `flagstone agent confirm-keys`.
    `client_certificate`: a PEM file for mutual TLS, relative to the agent's folder, where the gateway itself
    ends TLS; `client_key`: of its private key, when that is not in the same file.
    """

    url: str
    poll_seconds: float = Field(2.0, ge=0.1, le=3600)
    max_clock_offset_seconds: int = Field(60, ge=1, le=600)
    ca_file: str | None = None
    confirm_successions: bool = False
    client_certificate: str | None = None
    client_key: str | None = None

    @model_validator(mode="after")
    def _no_key_alone(self) -> Self:
        if self.client_key and not self.client_certificate:
            raise ValueError("client_key needs client_certificate")
        return self

    def certificate(self, home: Path) -> ClientCertificate | None:
        """Where the TLS client certificate is, if one is to be used."""
        if not self.client_certificate:
            return None
        key = str(home / self.client_key) if self.client_key else None
        return ClientCertificate(str(home / self.client_certificate), key)


class RegisterSettings(_Table):
    """`source`: a path, or an SQLAlchemy URL for `sql`, with its `query`. `columns`: ours -> theirs."""

    kind: Kind
    source: str
    query: str = ""
    as_of: date | None = Field(None, alias="date")
    columns: dict[str, str] = {}


class LimitSettings(_Table):
    """What this partner answers at most, whatever an agreement allows."""

    max_people_per_request: int = Limits().max_people_per_request
    max_exchanges_per_day: int = Limits().max_exchanges_per_day


class AgentSettings(_Table):
    """The whole file."""

    gateway: GatewaySettings
    register_: RegisterSettings = Field(alias="register")
    limits: LimitSettings = LimitSettings()

    def source(self, home: Path) -> Source:
        """Where the register is; a relative path is relative to the agent's folder."""
        told = self.register_
        place = told.source if told.kind == "sql" else str(home / told.source)
        return Source(told.kind, place, told.query, told.as_of, Columns(told.columns))

    def own_limits(self) -> Limits:
        return Limits(self.limits.max_people_per_request, self.limits.max_exchanges_per_day)


def read_settings(home: Path) -> AgentSettings:
    """Parse `agent.toml` in the agent's folder.

    Raises:
        ConfigurationError: missing, open to other users (it may hold a database password), or not valid; the
            text names the field, never its value.
    """
    path = home / FILE
    try:
        if stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            raise ConfigurationError("open to other users", place=FILE, way_out="chmod 600 it")
        return AgentSettings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(
            "no agent in this folder", place=FILE, way_out="Make one with `flagstone agent init`"
        ) from None
    except ValidationError as error:
        raise ConfigurationError(f"missing or not valid: {_places(error)}", place=FILE) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigurationError("not TOML", place=FILE) from None


def settings_text(url: str, kind: Kind, source: str, query: str, ca_file: str | None = None) -> str:
    """A first `agent.toml`. JSON strings without control characters are TOML strings."""
    lines = [
        "# The partner's agent. Every field: docs/running-an-agent.md",
        "[gateway]",
        f"url = {_quoted(url)}",
        "poll_seconds = 2.0",
        *([f"ca_file = {_quoted(ca_file)}"] if ca_file else []),
        "",
        "[register]",
        f"kind = {_quoted(kind)}",
        f"source = {_quoted(source)}",
        *([f"query = {_quoted(query)}"] if query else []),
        "",
        "[register.columns] # ours = yours, where the names differ",
        "",
        "[limits]",
        *(f"{name} = {value}" for name, value in LimitSettings()),
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise ConfigurationError("a value is not one printable line", place=FILE)
    return json.dumps(text, ensure_ascii=False)


def _places(error: ValidationError) -> str:
    faults: list[Any] = error.errors(include_input=False, include_url=False, include_context=False)
    # a mapped column's name is the partner's own and no value; deeper places are not told
    return ", ".join(sorted({".".join(str(part) for part in fault["loc"][:2]) for fault in faults}))
