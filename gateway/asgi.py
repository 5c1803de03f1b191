"""For ASGI servers other than `flagstone serve`: `gateway.asgi:app`.

Run it with one worker process per `FLAGSTONE_HOME`: the executor lock refuses a second.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.bootstrap import serving
from gateway.dumps import forbid_core_dumps
from gateway.settings import read_settings


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    forbid_core_dumps()
    with serving(read_settings()) as served:
        app.routes.append(Mount("/", served))
        yield


app = Starlette(lifespan=_lifespan)
