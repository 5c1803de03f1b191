"""Client certificates under uvicorn, which shows none to the application and trusts no self-signed one.

Any certificate that a partner's signing key named is a trust anchor of its own (OpenSSL's partial chain), so
that a handshake proves possession of its private key. Whose it is, and whether it counts still, is looked up
at each request; the handshake only turns strangers' certificates away early. Without one a client uses DPoP.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config

from gateway.domain.errors import FlagstoneError

REFRESH_SECONDS: Final = 5.0

Load = Callable[[], frozenset[bytes]]
"""The certificates (DER) that may come in a handshake now."""


class PeerCertificate:
    """Mix-in for uvicorn's HTTP protocols, h11 and httptools alike: the certificate goes into the ASGI scope.

    Where: `scope["extensions"]["tls"]["client_cert"]`, DER, or None where the connection has none.
    """

    app: ASGIApp

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[misc]
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            self.app = with_certificate(self.app, connection.getpeercert(binary_form=True))


def with_certificate(app: ASGIApp, der: bytes | None) -> ASGIApp:
    """`app` for one connection, each scope of it with the peer's certificate."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {**scope.get("extensions", {}), "tls": {"client_cert": der}}
        await app({**scope, "extensions": extensions}, receive, send)

    return wrapped


def certificate_of(scope: Scope) -> bytes | None:
    """The client certificate of the connection, DER; None where it has none or somebody else ends TLS."""
    der: bytes | None = scope.get("extensions", {}).get("tls", {}).get("client_cert")
    return der


class ClientTrust:
    """Keeps the contexts of new handshakes in step with the store, from a thread of its own."""

    def __init__(self, load: Load, every: float = REFRESH_SECONDS) -> None:
        self._load, self._every = load, every
        self._known: frozenset[bytes] | None = None
        self._current: ssl.SSLContext | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="client-certificates")

    def context(self, _: Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """Uvicorn's `ssl_context_factory`."""
        self._make = make
        first = self._made(frozenset())
        self._thread.start()
        return first

    def stop(self) -> None:
        """Look no more; contexts that were handed out stay."""
        self._stop.set()

    def _follow(self) -> None:
        while True:
            self._look()
            if self._stop.wait(self._every):
                return

    def _look(self) -> None:
        try:
            known = self._load()
            if known != self._known:
                self._current, self._known = self._made(known), known
        except (FlagstoneError, OSError):
            # the store is away, or the server's own certificate is being replaced: what was trusted stays so
            # until the next look, and each request is checked all the same
            return

    def _made(self, known: frozenset[bytes]) -> ssl.SSLContext:
        context = self._make()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.num_tickets = 0  # a resumed session would bring a certificate without its being verified anew
        context.options |= ssl.OP_NO_TICKET
        for der in known:
            _trust(context, der)
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        """At each ClientHello, named or not: the newest set of certificates."""
        if self._current is not None:
            connection.context = self._current


def _trust(context: ssl.SSLContext, der: bytes) -> None:
    try:
        context.load_verify_locations(cadata=der)
    except ssl.SSLError:
        return  # OpenSSL can't read it, so no handshake can bring it
