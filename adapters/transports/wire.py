"""One signed-in HTTP call to the gateway: size limits, no redirects, one named error for each way to fail.

Each call proves that its sender has the key to which the access token is bound: that of the connection's
client certificate where there is one (RFC 8705), else a proof key (RFC 9449), which is made when the process
starts and dies with it, so that nothing more on disk is worth stealing.
"""

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.bundle.dpop import Prover
from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, PartnerError, TooLargeError
from gateway.domain.network import LOOPBACK
from gateway.key_ports import PartyKeys
from gateway.ports import Clock

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
_ASSERTION_SECONDS: Final = 60
_TOKEN_MARGIN: Final = timedelta(seconds=30)
_SMALL: Final = 1 << 16
_DETAIL_CHARS: Final = 300
_TIMEOUT: Final = httpx.Timeout(60, connect=10)
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


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Paths of a TLS client certificate and its private key, PEM; None where one file has both."""

    certificate: str
    key: str | None = None


def http_client(url: str, ca_file: str | None = None, own: ClientCertificate | None = None) -> httpx.Client:
    """A client that speaks TLS, or plain HTTP to this very machine only.

    Raises:
        ConfigurationError: the URL would send bundles and tokens over a network in the clear, or a file can't
            be read.
    """
    parts = urlsplit(url)
    local = parts.hostname in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigurationError("the gateway's URL must begin with https://", place="agent.toml, [gateway]")
    # the proxy settings of the environment are for the world outside, not for this machine
    return httpx.Client(base_url=url, timeout=_TIMEOUT, verify=_tls(ca_file, own), trust_env=not local)


def _tls(ca_file: str | None, own: ClientCertificate | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    except OSError:
        raise ConfigurationError("the CA file can't be read", place="agent.toml, [gateway]") from None
    try:
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
    except OSError:
        raise ConfigurationError(
            "the client certificate or its key can't be read", place="agent.toml, [gateway]"
        ) from None
    return context


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
            "jti": self.new_id(),
        }
        return self.keys.sign_in(json.dumps(claims).encode(), labels.TYP_ASSERTION)

    def new_id(self) -> str:
        """A random UUID (RFC 9562 §5.4): each assertion and proof counts once."""
        return str(UUID(bytes=self.entropy(16), version=4))


class Wire:
    """Signed-in calls. Token and proof key are kept in memory, the token until shortly before it ends."""

    def __init__(self, http: httpx.Client, sign_in: SignIn, *, certified: bool = False) -> None:
        """`certified`: `http` has a client certificate; tokens are bound to that, and no proof is needed."""
        self._http = http
        self._certified = certified
        self._sign_in = sign_in
        self._prover = Prover(Ed25519PrivateKey.from_private_bytes(sign_in.entropy(32)))
        self._nonce: str | None = None
        self._token: str | None = None
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
        token = self._signed_in()
        signed = dict(headers or {}) | {"Authorization": f"{'Bearer' if self._certified else 'DPoP'} {token}"}
        try:
            return self._proved(method, path, body, signed, limit, token)
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

    def _signed_in(self) -> str:
        now = self._sign_in.clock()
        if self._token is None or self._until is None or now >= self._until:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._proved("POST", "/v1/token", self._form(), kind, _SMALL, None)
            self._token, seconds = _token(answer)
            self._until = now + timedelta(seconds=seconds) - _TOKEN_MARGIN
        return self._token

    def _form(self) -> bytes:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._sign_in.assertion(),
        }
        return str(httpx.QueryParams(form)).encode()

    def _proved(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        limit: int,
        token: str | None,
    ) -> bytes:
        """Send with a proof; once more where the gateway hands out the nonce that the proof lacks."""
        for _ in range(2):
            request = self._http.build_request(method, path, content=body, headers=headers)
            if not self._certified:
                request.headers["DPoP"] = self._proof(request, token)
            response, data = _send(self._http, request, limit)
            given = response.headers.get("DPoP-Nonce", "")
            if given:
                self._nonce = given
            if response.is_success:
                return data
            if not (given and _wants_nonce(response, data)):
                break
        raise _failure(response, data)

    def _proof(self, request: httpx.Request, token: str | None) -> str:
        return self._prover.prove(
            request.method,
            str(request.url),
            id=self._sign_in.new_id(),
            now=int(self._sign_in.clock().timestamp()),
            token=token,
            nonce=self._nonce,
        )


def call_openly(
    http: httpx.Client,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The body of the answer to a call that needs no sign-in. Raises what `Wire.call` raises."""
    response, data = _send(http, http.build_request(method, path, content=body, headers=headers), _SMALL)
    if not response.is_success:
        raise _failure(response, data)
    return data


def _send(http: httpx.Client, request: httpx.Request, limit: int) -> tuple[httpx.Response, bytes]:
    try:
        response = http.send(request, stream=True)
        try:
            return response, _read(response, limit)
        finally:
            response.close()
    except httpx.HTTPError as error:
        # httpx's message may quote the URL and headers: its kind says enough
        raise GatewayUnavailableError(
            f"no connection ({type(error).__name__})",
            place="gateway",
            way_out="Look at [gateway] in agent.toml, the network, and whether the gateway runs",
        ) from None


def _read(response: httpx.Response, limit: int) -> bytes:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > limit:
            raise TooLargeError("the answer is longer than it may be", place="gateway")
    return bytes(data)


def _wants_nonce(response: httpx.Response, data: bytes) -> bool:
    """RFC 9449 §8 at the token endpoint, §9 elsewhere."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return 'error="use_dpop_nonce"' in response.headers.get("WWW-Authenticate", "")
    return response.status_code == HTTPStatus.BAD_REQUEST and b'"use_dpop_nonce"' in data


def _failure(response: httpx.Response, data: bytes) -> PartnerError:
    status = response.status_code
    if status >= _SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return GatewayUnavailableError(f"it answered with status {status}", place="gateway")
    unproved = status == HTTPStatus.BAD_REQUEST and b"_dpop_" in data  # RFC 9449 §5, of the token endpoint
    if unproved or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
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
