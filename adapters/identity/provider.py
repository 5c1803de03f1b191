"""`gateway.people_ports.IdentityProvider` over OpenID Connect, with Authlib."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from adapters.identity.config import Config, load_client_key, safe_url, values_at
from adapters.identity.fetching import fetch
from adapters.identity.metadata import Metadata, Published
from gateway.domain.errors import ProviderDownError, VerificationError
from gateway.people_ports import Attempt, Person, ProviderLogout

LEEWAY_SECONDS: Final = 60
LOGOUT_SECONDS: Final = 600
STEP_UP_SECONDS: Final = 300
"""After a step-up the person has signed in this short a time ago."""
_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "Ed25519")
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_TYPES: Final = (None, "JWT", "jwt", "logout+jwt", "application/logout+jwt")
_MAX_TOKEN: Final = 32 * 1024
_OK: Final = 200
_LAST_SECOND: Final = 253_402_300_800


class Provider:
    """One provider. Nothing is asked before somebody signs in."""

    def __init__(self, config: Config, redirect_uri: str, clock: Callable[[], datetime]) -> None:
        """Raise ConfigurationError when the client key can't be used."""
        self._config = config
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._published = Published(config.issuer, clock)
        self._key = load_client_key(config.client_key) if config.client_key else None

    def authorization_url(self, attempt: Attempt) -> str:
        """RFC 6749 §4.1.1 with PKCE (S256) and nonce; at a step-up, asking for a second factor anew."""
        extra: dict[str, Any] = {}
        if attempt.step_up:
            asked = self._config.multi_factor
            extra = {"prompt": "login", "max_age": 0}
            extra |= {"acr_values": " ".join(asked.ask)} if asked.ask else {}
            extra |= {"claims": asked.claims} if asked.claims else {}
        endpoint = self._metadata().authorization_endpoint
        url, _ = self._client().create_authorization_url(
            endpoint, state=attempt.state, code_verifier=attempt.verifier, nonce=attempt.nonce, **extra
        )
        return str(url)

    def person(self, attempt: Attempt, code: str, issuer: str | None) -> Person:
        """Exchange the code, verify the ID token, and read it as the file says."""
        metadata = self._metadata()
        if issuer != metadata.issuer and (
            issuer is not None or metadata.authorization_response_iss_parameter_supported
        ):
            raise _wrong("the answer is not this provider's")  # RFC 9207 §2.4
        if not code:
            raise _wrong("the provider signed nobody in")
        tokens = self._tokens(metadata, attempt, code)
        claims = self._id_token(tokens.get("id_token"), tokens.get("access_token"), attempt)
        return self._read(claims)

    def logout(self, token: str) -> ProviderLogout:
        """Back-Channel Logout 1.0 §2.6, step by step."""
        header, claims = self._verified(token)
        if header.get("typ") not in _LOGOUT_TYPES:
            raise _wrong("another kind of token")
        now = self._clock().timestamp()
        issued, jti = _seconds(claims.get("iat")), claims.get("jti")
        if not -LEEWAY_SECONDS <= now - issued <= LOGOUT_SECONDS:
            raise _wrong("not issued just now")
        if "exp" in claims and _seconds(claims["exp"]) < now - LEEWAY_SECONDS:
            raise _wrong("it has run out")
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
            raise _wrong("it is not about a logout")
        if "nonce" in claims or not isinstance(jti, str) or not jti:
            raise _wrong("it is no logout token")
        sub, sid = claims.get("sub"), claims.get("sid")
        if not any(isinstance(each, str) and each for each in (sub, sid)):
            raise _wrong("it names nobody")
        return ProviderLogout(
            id=self._digest("jti", jti),
            session=self._digest("sid", sid) if isinstance(sid, str) and sid else None,
            account=self._digest("sub", sub) if isinstance(sub, str) and sub else None,
        )

    def sign_out_url(self) -> str | None:
        """RP-Initiated Logout 1.0, if the provider offers it and can be asked."""
        try:
            endpoint = self._metadata().end_session_endpoint
        except (ProviderDownError, VerificationError):
            return None
        if not endpoint or not safe_url(endpoint):
            return None
        return f"{endpoint}?{urlencode({'client_id': self._config.client_id})}"

    def _metadata(self) -> Metadata:
        return self._published.metadata()

    def _client(self) -> OAuth2Client:
        secret = self._config.client_secret
        client = OAuth2Client(
            session=_Session(),
            client_id=self._config.client_id,
            client_secret=self._key or (secret.get_secret_value() if secret else None),
            token_endpoint_auth_method=self._config.client_auth,
            scope=self._config.scope,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )
        if self._key is not None:
            headers = {"kid": self._config.client_key_id} if self._config.client_key_id else {}
            algorithm = self._config.client_key_algorithm
            client.register_client_auth_method(PrivateKeyJWT(alg=algorithm, headers=headers))
        return client

    def _tokens(self, metadata: Metadata, attempt: Attempt, code: str) -> Mapping[str, Any]:
        try:
            found = self._client().fetch_token(
                metadata.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.verifier,
            )
        except (VerificationError, ProviderDownError):
            raise
        except Exception:  # noqa: BLE001 - Authlib raises many kinds, whose texts quote the provider
            raise _wrong("the provider does not take the code") from None
        if not isinstance(found, Mapping):
            raise _wrong("the provider gave no tokens")
        return found

    def _id_token(self, token: Any, access_token: Any, attempt: Attempt) -> Mapping[str, Any]:
        """OpenID Connect Core 1.0 §3.1.3.7."""
        header, payload = self._verified(token)
        params = {
            "nonce": attempt.nonce,
            "client_id": self._config.client_id,
            "access_token": access_token if isinstance(access_token, str) else None,
        }
        if len(values_at(payload, "aud")) > 1 and "azp" not in payload:
            raise _wrong("the ID token is for several, and does not say for whom it was made")
        claims = CodeIDToken(payload, header, None, params)
        now = int(self._clock().timestamp())
        try:
            claims.validate(now, LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError):
            raise _wrong("a claim of the ID token does not hold") from None
        if attempt.step_up and now - _seconds(claims.get("auth_time")) > STEP_UP_SECONDS + LEEWAY_SECONDS:
            raise _wrong("the provider does not say that the person signed in anew")
        return payload

    def _verified(self, token: Any) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Header and claims of a token that our provider signed for us."""
        if not isinstance(token, str) or not 0 < len(token) <= _MAX_TOKEN:
            raise _wrong("there is no token, or it is too long")
        try:
            unverified = jws.extract_compact(token.encode()).headers()
            kid = unverified.get("kid")
            keys = self._published.keys_for(kid if isinstance(kid, str) else None)
            found = jws.deserialize_compact(token, keys, registry=JWSRegistry(algorithms=list(_ALGORITHMS)))
            claims = json.loads(found.payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _wrong("the signature of the token does not hold") from None
        if not isinstance(claims, dict) or claims.get("iss") != self._config.issuer:
            raise _wrong("the token is another issuer's")
        if self._config.client_id not in values_at(claims, "aud"):
            raise _wrong("the token is for somebody else")
        return found.headers(), claims

    def _read(self, claims: Mapping[str, Any]) -> Person:
        config, sub, sid = self._config, claims.get("sub"), claims.get("sid")
        if not isinstance(sub, str) or not sub:
            raise _wrong("the ID token names nobody")
        name = claims.get(config.name_claim)
        return Person(
            account=self._digest("sub", sub),
            name=name if isinstance(name, str) else "",
            roles=config.roles.of(claims),
            organisations=config.organisation.of(claims) if config.organisation else frozenset(),
            multi_factor=config.multi_factor.shown(claims),
            session=self._digest("sid", sid) if isinstance(sid, str) and sid else None,
        )

    def _digest(self, what: str, value: str) -> bytes:
        return hashlib.sha256(f"{what}\0{self._config.issuer}\0{value}".encode()).digest()


class _Answer:
    """What Authlib wants to see of an HTTP answer."""

    def __init__(self, status: int, document: Any) -> None:
        self.status_code = status
        self._document = document

    def json(self) -> Any:
        return self._document

    def raise_for_status(self) -> None:
        if self.status_code != _OK:
            raise _wrong("the provider does not take the code")


class _Session:
    """The HTTP session that Authlib posts with: ours, with its limits."""

    def post(
        self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: ClientAuth
    ) -> _Answer:
        url, sent, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _Answer(*fetch("POST", url, headers=sent, content=body))


def _seconds(value: Any) -> float:
    """A NumericDate (RFC 7519 §2)."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < _LAST_SECOND:
        raise _wrong("a time of the token is missing or malformed")
    return value


def _wrong(reason: str) -> VerificationError:
    return VerificationError(reason, place="identity provider")
