"""`flagstone serve`."""

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI

from gateway.bootstrap import key_home, now, searching, serving
from gateway.cli.keyring import warn_of_due
from gateway.cli.output import say
from gateway.domain.errors import ConfigurationError
from gateway.domain.principal import SIGNING_IN
from gateway.dumps import forbid_core_dumps
from gateway.service.client_certificates import trusted
from gateway.settings import Settings, read_settings
from gateway.web.app import SERVER_OPTIONS
from gateway.web.tls import ClientTrust


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for any that is free")] = None,
    search_only: Annotated[
        bool, typer.Option("--search-only", help="Serve the log's routes alone, where the search key is kept")
    ] = False,
) -> None:
    """Run the gateway: API and workflows."""
    forbid_core_dumps()
    settings = read_settings(**{k: v for k, v in {"host": host, "port": port}.items() if v is not None})
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises again what it caught: an exit, unlike a death by signal, stops the embedded database
        signal.signal(number, lambda *_: sys.exit(0))
    application = searching if search_only else serving
    with (
        contextlib.closing(_bound(settings.host, settings.port)) as listener,
        application(settings) as app,
        _tls(settings, app) as tls,
    ):
        config = uvicorn.Config(
            app,
            **SERVER_OPTIONS,
            **tls,
        )
        if settings.behind_tls:
            say("UNSAFE: plain HTTP (FLAGSTONE_UNSAFE_PLAIN_HTTP). A proxy before it must terminate TLS")
        if not search_only:
            warn_of_due(key_home(settings).known(), now())
        say(f"Flagstone listens on {settings.host}:{listener.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def _tls(settings: Settings, app: FastAPI) -> Iterator[dict[str, Any]]:
    """Uvicorn's options for TLS with the certificates of partners' agents, if this process ends TLS."""
    if not settings.tls_certificate:
        yield {}
        return
    trust = ClientTrust(partial(trusted, app.state.wiring.context.acting_for(SIGNING_IN)))
    try:
        yield {
            "ssl_certfile": settings.tls_certificate,
            "ssl_keyfile": settings.tls_key,
            "ssl_context_factory": trust.context,
        }
    finally:
        trust.stop()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that holds the address before anything starts; connections are refused until uvicorn listens.

    Raises:
        ConfigurationError: the address is in use, or not this machine's.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"can't listen on {host}:{port}: {error.strerror}",
            place="serve",
            way_out="Name another with --host or --port",
        ) from None
    return listener
