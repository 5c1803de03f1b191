"""A gateway over in-memory ports that signs people in at a real provider, and a browser to do it with."""

import asyncio
import json
import re
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from web.webworld import World, a_world

from adapters.identity.config import Config
from adapters.identity.provider import Provider
from gateway.domain.sessions import SignInRules
from gateway.pages.browser import Browser

FOLDER = Path(__file__).parent / "oidc"
SECRET = "a client secret of the tests, long enough"
PUBLIC = "https://gateway.example"
MFA = {"amr": ["pwd", "otp"], "acr": "urn:test:mfa"}
ROLES = {role: [f"flagstone-{role}"] for role in ("programme", "custodian", "reviewer", "operator")}


def installed() -> bool:
    """Whether `make oidc-provider` has been run."""
    return (FOLDER / "node_modules" / "oidc-provider").is_dir()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def config(issuer: str, **changes) -> Config:
    """What an installation's file says, as a council's would."""
    return Config(
        **{
            "issuer": issuer,
            "client_id": "flagstone",
            "client_secret": SECRET,
            "roles": {"claim": "roles", **ROLES},
            "organisation": {"claim": "organisation", "partners": {"NHS-1": "health", "POL-1": "police"}},
            "multi_factor": {"acr": ["urn:test:mfa"], "amr": ["otp"], "ask": ["urn:test:mfa"]},
        }
        | changes
    )


@dataclass
class Provided:
    """The running provider. `sign_in_next` says who stands before it."""

    issuer: str
    process: subprocess.Popen
    http: httpx.Client = field(default_factory=httpx.Client)

    def test(self, what: str, **body) -> None:
        self.http.post(f"{self.issuer}/test/{what}", json=body).raise_for_status()

    def sign_in_next(self, sub: str = "ann", *roles: str, step_up: dict | None = None, **said) -> None:
        claims = {"name": said.pop("name", "Ann Example"), "roles": [f"flagstone-{role}" for role in roles]}
        claims |= said.pop("claims", {})
        self.test("next", sub=sub, claims=claims, stepUp=step_up, **({"amr": ["pwd"]} | said))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def a_client(**changes) -> dict:
    """Flagstone as the provider knows it."""
    return {
        "client_id": "flagstone",
        "client_secret": SECRET,
        "redirect_uris": [f"{PUBLIC}/signin/callback"],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "backchannel_logout_uri": f"{PUBLIC}/signin/backchannel-logout",
        "backchannel_logout_session_required": True,
    } | changes


@contextmanager
def running(*clients: dict, port: int | None = None):
    """A provider process of its own."""
    if not installed():
        pytest.skip("the test provider is not installed: make oidc-provider")
    issuer = f"http://127.0.0.1:{port or free_port()}"
    process = subprocess.Popen(
        ["node", "provider.js"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.stdin.write(json.dumps({"issuer": issuer, "clients": clients or [a_client()]}).encode())
        process.stdin.close()
        assert process.stdout.readline() == b"ready\n"
        made = Provided(issuer, process)
        with made.http:
            yield made
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def a_gateway(issuer: str | None, *, secure: bool = True, client: dict | None = None, **rules) -> World:
    """A gateway that trusts this provider, or none. `client`: how it signs in there itself."""
    world = a_world(SignInRules(provider=issuer is not None, **rules))
    world.clock.now = datetime.now(UTC)  # the provider's time is the machine's
    wiring = world.app.state.wiring
    provider = (
        Provider(config(issuer, **client or {}), f"{PUBLIC}/signin/callback", world.clock) if issuer else None
    )
    browser = Browser(PUBLIC if secure else "")
    changes = {"browser": browser, "provider": provider}
    world.app.state.wiring = type(wiring)(
        **{name: changes.get(name, getattr(wiring, name)) for name in wiring.__dataclass_fields__}
    )
    return world


class _InProcess(httpx.BaseTransport):
    """An ASGI application for a client that is not asynchronous."""

    def __init__(self, app) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> httpx.Response:
            body, headers = request.read(), request.headers
            asked = httpx.Request(request.method, request.url, headers=headers, content=body)
            answer = await httpx.ASGITransport(self._app).handle_async_request(asked)
            told = await answer.aread()
            return httpx.Response(answer.status_code, headers=answer.headers.raw, content=told)

        return asyncio.run(call())


class Person:
    """A browser at the gateway, and the provider's pages beside it. It follows redirects as one does."""

    def __init__(self, world: World, base: str = PUBLIC) -> None:
        self.world, self.base = world, base
        self.gateway = httpx.Client(transport=_InProcess(world.app), base_url=base)
        self.elsewhere = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
        self.visited: list[str] = []

    def open(self, url: str) -> httpx.Response:
        """Load a page and follow every redirect, to the provider and back."""
        while True:
            self.visited.append(url)
            ours = url.startswith((self.base, "/"))
            answer = (self.gateway if ours else self.elsewhere).get(url)
            if not answer.is_redirect:
                return answer
            url = str(answer.url.join(answer.headers["location"]))

    def until_callback(self, url: str = "/signin/start") -> str:
        """As `open`, but stop with the address that the provider sends the browser back to."""
        while not url.startswith(f"{self.base}/signin/callback"):
            ours = url.startswith((self.base, "/"))
            answer = (self.gateway if ours else self.elsewhere).get(url)
            url = str(answer.url.join(answer.headers["location"]))
        return url

    def post(self, path: str, *, origin: str | None = None, **form) -> httpx.Response:
        headers = {"Origin": self.base if origin is None else origin, "Sec-Fetch-Site": "same-origin"}
        return self.gateway.post(path, data=form, headers=headers)

    @property
    def csrf(self) -> str:
        page = self.gateway.get("/session").text
        return re.search(r'name="csrf" value="([^"]+)"', page)[1]

    @property
    def cookie(self) -> str | None:
        jar = self.gateway.cookies
        return jar.get("__Host-flagstone") or jar.get("flagstone")

    def token(self) -> str:
        """A token for the command line, from the session's page."""
        page = self.post("/session/token", csrf=self.csrf)
        return re.search(r'class="secret">([^<]+)<', page.text)[1]


def refusals(world: World) -> dict[str, int]:
    """Failed sign-ins of browsers so far, by reason."""
    counted: dict[str, int] = {}
    for (_, caller, reason), count in world.store.committed.sign_ins.items():
        if caller == "browser":
            counted[reason.value] = counted.get(reason.value, 0) + count
    return counted


def kinds(world: World) -> list[str]:
    return [json.loads(leaf)["kind"] for leaf in world.store.committed.leaves]
