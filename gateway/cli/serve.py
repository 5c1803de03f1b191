"""`flagstone serve`."""

from typing import Annotated

import typer
import uvicorn

from gateway.bootstrap import serving
from gateway.cli.output import say
from gateway.settings import read_settings
from gateway.web.app import SERVER_OPTIONS


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None,
) -> None:
    """Run the gateway: API and workflows."""
    settings = read_settings(**{k: v for k, v in {"host": host, "port": port}.items() if v is not None})
    with serving(settings) as app:
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            **SERVER_OPTIONS,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=1 << 16,
        )
        say(f"Flagstone listens on {settings.host}:{settings.port}")
        uvicorn.Server(config).run()
