"""One signed-in HTTP call to the gateway: size limits, no redirects, one named error for each way to fail."""

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, PartnerError, TooLargeError
from gateway.ports import Clock, PartyKeys

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
_ASSERTION_SECONDS: Final = 60
_TOKEN_MARGIN: Final = timedelta(seconds=30)
_SMALL: Final = 1 << 16
_DETAIL_CHARS: Final = 300
_TIMEOUT: Final = httpx.Timeout(60, connect=10)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SERVER_ERROR: Final = 500


class GatewayUnavailableError(PartnerError):
    """The gateway can't be reached, or is in trouble itself: try again later."""

    code = "gateway-unavailable"


class GatewaySignInError(GatewayUnavailableError):
    """The gateway does not know this agent, or no longer: for the operators of both sides to mend."""

    code = "gateway-sign-in"


class GatewayRefusedError(PartnerError):
    """The gateway understood and said no. `answered` is its HTTP status."""

    code = "gateway-refused"

    def __init__(self, reason: str, answered: int) -> None:
        self.answered = answered
        super().__init__(reason, place="gateway")


def http_client(url: str, ca_file: str | None = None) -> httpx.Client:
    """A client that speaks TLS, or plain HTTP to this very machine only.

    Raises:
        ConfigurationError: the URL would send bundles and tokens over a network in the clear.
    """
    parts = urlsplit(url)
    local = parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigurationError("the gateway's URL must begin with https://", place="agent.toml, [gateway]")
    # the proxy settings of the environment are for the world outside, not for this machine
    return httpx.Client(base_url=url, timeout=_TIMEOUT, verify=_trust(ca_file), trust_env=not local)


def _trust(ca_file: str | None) -> Any:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise ConfigurationError("the CA file can't be read", place="agent.toml, [gateway]") from None


@dataclass(frozen=True, slots=True)
class SignIn:
    """How an agent says who it is: an assertion signed by its `auth` key (RFC 7523 §2.2)."""

    keys: PartyKeys
    council: str
    clock: Clock
    entropy: Callable[[int], bytes]

    def assertion(self) -> str:
        issued = int(self.clock().timestamp())
        slug = self.keys.identity.slug
        claims = {
            "iss": slug,
            "sub": slug,
            "aud": f"urn:flagstone:{self.council}",
            "iat": issued,
            "exp": issued + _ASSERTION_SECONDS,
            "jti": str(UUID(bytes=self.entropy(16), version=4)),
        }
        return self.keys.sign_in(json.dumps(claims).encode(), labels.TYP_ASSERTION)


class Wire:
    """Signed-in calls. The access token is kept in memory until shortly before it ends."""

    def __init__(self, http: httpx.Client, sign_in: SignIn) -> None:
        self._http = http
        self._sign_in = sign_in
        self._token = ""
        self._until: datetime | None = None

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        limit: int = _SMALL,
    ) -> bytes:
        """The body of the answer.

        Raises:
            GatewayUnavailableError: no connection, or an error of the server's own.
            GatewaySignInError: it turned the caller away.
            GatewayRefusedError: any other answer than success.
            TooLargeError: the answer is longer than `limit` bytes.
        """
        extra = dict(headers or {}) | {"Authorization": f"Bearer {self._bearer()}"}
        try:
            return self._send(method, path, body, extra, limit)
        except GatewaySignInError:
            self._until = None  # the gateway forgot the token: the next call signs in anew
            raise

    @contextlib.contextmanager
    def signed_in_as(self, keys: PartyKeys) -> Iterator[None]:
        """Sign in by other keys while the block lasts, and anew by the usual ones after it."""
        usual = self._sign_in
        self._sign_in, self._until = replace(usual, keys=keys), None
        try:
            yield
        finally:
            self._sign_in, self._until = usual, None

    def _bearer(self) -> str:
        now = self._sign_in.clock()
        if self._until is None or now >= self._until:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": self._sign_in.assertion(),
            }
            body = str(httpx.QueryParams(form)).encode()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._send("POST", "/v1/token", body, kind, _SMALL)
            self._token, seconds = _token(answer)
            self._until = now + timedelta(seconds=seconds) - _TOKEN_MARGIN
        return self._token

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], limit: int
    ) -> bytes:
        try:
            with self._http.stream(method, path, content=body, headers=headers) as response:
                data = _read(response, limit)
        except httpx.HTTPError as error:
            # httpx's message may quote the URL and headers: its kind says enough
            raise GatewayUnavailableError(
                f"no connection ({type(error).__name__})",
                place="gateway",
                way_out="Look at [gateway] in agent.toml, the network, and whether the gateway runs",
            ) from None
        if response.is_success:
            return data
        raise _failure(response, data)


def _read(response: httpx.Response, limit: int) -> bytes:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > limit:
            raise TooLargeError("the answer is longer than it may be", place="gateway")
    return bytes(data)


def _failure(response: httpx.Response, data: bytes) -> PartnerError:
    status = response.status_code
    if status >= _SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return GatewayUnavailableError(f"it answered with status {status}", place="gateway")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return GatewaySignInError(f"it turned this agent away{_detail(data)}", place="gateway")
    return GatewayRefusedError(f"it answered with status {status}{_detail(data)}", status)


def _detail(data: bytes) -> str:
    """What a problem (RFC 9457) or a token error (RFC 6749 §5.2) says, if it is short printable text."""
    try:
        document = json.loads(data)
        detail = document.get("detail") or document.get("error_description")
    except (ValueError, AttributeError, RecursionError):
        return ""
    if not isinstance(detail, str) or not detail.isprintable() or len(detail) > _DETAIL_CHARS:
        return ""
    return f": {detail}"


def _token(answer: bytes) -> tuple[str, int]:
    try:
        document = json.loads(answer)
        token, seconds = document["access_token"], document["expires_in"]
    except (ValueError, KeyError, TypeError, RecursionError):
        token, seconds = None, None
    if isinstance(token, str) and token.isascii() and token.isprintable() and isinstance(seconds, int):
        return token, seconds
    raise GatewayUnavailableError("the token endpoint answered in an unknown form", place="gateway")
