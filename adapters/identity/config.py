"""The identity provider's file: who it is, how we sign in to it, and what its claims mean here."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from gateway.domain.errors import ConfigurationError
from gateway.domain.exchange import Role
from gateway.domain.network import LOOPBACK

MAX_FILE: Final = 64 * 1024
_MAX_VALUES: Final = 500

Text = Annotated[str, Field(min_length=1, max_length=500)]
Texts = Annotated[tuple[Text, ...], Field(max_length=50)]
ClientKey = RSAKey | ECKey


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Roles(_Strict):
    """Which values of a claim give which role. `claim`: a path with dots, such as `realm_access.roles`."""

    claim: Text
    programme: Texts = ()
    custodian: Texts = ()
    reviewer: Texts = ()
    operator: Texts = ()

    def of(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        """Every role that the claims give; one person may have one alone, which is not judged here."""
        given = set(values_at(claims, self.claim))
        return frozenset(role for role in Role if given & set(getattr(self, role.value)))


class Organisation(_Strict):
    """Which values of a claim stand for which enrolled partner. Values that are not listed stand for none."""

    claim: Text
    partners: dict[Text, Text]

    def of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The slugs of partners that the claims name."""
        given = values_at(claims, self.claim)
        return frozenset(self.partners[value] for value in given if value in self.partners)


class MultiFactor(_Strict):
    """What says that a second factor was shown: an `acr` or an `amr` of these; and what asks for it.

    `acr_claim`: where the provider puts the first, should it be elsewhere. `ask`: sent as `acr_values` at a
    step-up. `claims`: sent as the parameter `claims` there, as JSON.
    """

    acr: Texts = ()
    acr_claim: Text = "acr"
    amr: Texts = ()
    ask: Texts = ()
    claims: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _something_says_it(self) -> Self:
        if not (self.acr or self.amr):
            raise ValueError("name the acr or amr values that say a second factor was shown")
        return self

    def shown(self, claims: Mapping[str, Any]) -> bool:
        """Whether the claims say so. Claims that are missing or malformed say nothing."""
        said = {*values_at(claims, self.acr_claim)} & {*self.acr}
        return bool(said or {*values_at(claims, "amr")} & {*self.amr})


class Config(_Strict):
    """The whole file, and the secret that is kept outside it."""

    issuer: Text
    client_id: Text
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_basic"
    )
    client_key: Path | None = None
    client_key_algorithm: Literal["RS256", "PS256", "ES256"] = "RS256"
    client_key_id: Annotated[str, Field(max_length=200)] = ""
    scope: Text = "openid profile"
    name_claim: Text = "name"
    roles: Roles
    organisation: Organisation | None = None
    multi_factor: MultiFactor
    client_secret: SecretStr | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not safe_url(self.issuer):
            raise ValueError("the issuer is an https:// URL without query (http:// on loopback alone)")
        if "openid" not in self.scope.split():
            raise ValueError("the scope needs openid")
        by_key = self.client_auth == "private_key_jwt"
        if by_key != (self.client_key is not None):
            raise ValueError("client_key goes with client_auth = private_key_jwt, and is needed there")
        if by_key is not (self.client_secret is None):
            raise ValueError("FLAGSTONE_OIDC_CLIENT_SECRET is needed, unless client_auth is private_key_jwt")
        if self.roles.custodian and self.organisation is None:
            raise ValueError("custodians need [organisation]")
        return self


def load_config(path: Path, secret: SecretStr | None) -> Config:
    """Read the file.

    Raises:
        ConfigurationError: it can't be read, is malformed, or does not go with the secret; names the place.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_FILE:
            raise ConfigurationError("larger than 64 KiB", place="FLAGSTONE_OIDC")
        found = tomllib.loads(data.decode())
        return Config.model_validate(found | ({"client_secret": secret} if secret else {}))
    except OSError as error:
        raise ConfigurationError(f"can't be read: {error.strerror}", place="FLAGSTONE_OIDC") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            reason, place=f"FLAGSTONE_OIDC {place}".strip(), way_out="See docs/sign-in.md"
        ) from None
    except ValueError:
        raise ConfigurationError("not a TOML file in UTF-8", place="FLAGSTONE_OIDC") from None


def load_client_key(path: Path) -> ClientKey:
    """The private key that we sign in to the provider with (PEM; RSA or EC).

    Raises:
        ConfigurationError: it can't be read, is open to others, or is no such key.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError("open to other users", place="client_key", way_out="chmod 600 it")
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"can't be read: {error.strerror}", place="client_key") from None
    for kind in (RSAKey, ECKey):
        try:
            key = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private:
            return key
    raise ConfigurationError("no private key in PEM form", place="client_key")


def safe_url(url: str) -> bool:
    """An https URL, or http on loopback, without user, query or fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    here = parts.scheme == "http" and parts.hostname in LOOPBACK
    return bool(
        (parts.scheme == "https" or here)
        and parts.hostname
        and not (parts.query or parts.fragment or parts.username)
    )


def values_at(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The texts of a claim, which may be one text or a list; none where it is anything else.

    A claim whose very name has dots (`https://example.org/roles`) is found as it is.
    """
    found: Any = claims
    for part in (path,) if path in claims else path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return (found,)
    texts: Iterable[Any] = found if isinstance(found, list) else ()
    return tuple(each for each in texts if isinstance(each, str))[:_MAX_VALUES]
