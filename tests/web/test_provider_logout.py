"""Back-channel logout: the provider's own logout, told to us by the provider, ends the session at once."""

import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from fakes import a_user
from oidc_world import PUBLIC, Person, a_client, a_gateway, kinds, refusals, running

from gateway.domain.errors import NotSignedInError
from gateway.domain.sessions import Way
from gateway.people_ports import ProviderLogout
from gateway.service import sessions, signing_in

pytestmark = pytest.mark.processes


class Catcher(HTTPServer):
    """Where the provider sends logout tokens, standing in for the gateway's own address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.caught: list[str] = []
        self.arrived = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self) -> str:
        assert self.arrived.wait(20)
        self.arrived.clear()
        return self.caught.pop()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.caught.append(parse_qs(body)["logout_token"][0])
        self.server.arrived.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def catcher():
    made = Catcher()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def provider(catcher):
    address = f"http://127.0.0.1:{catcher.server_port}/"
    with running(a_client(backchannel_logout_uri=address)) as made:
        yield made


def leave(person: Person, provider) -> None:
    """Sign out of the provider as a person does: its page, its button."""
    page = person.elsewhere.get(f"{provider.issuer}/session/end", params={"client_id": "flagstone"})
    xsrf = re.search(r'name="xsrf" value="([^"]+)"', page.text)[1]
    person.elsewhere.post(f"{provider.issuer}/session/end/confirm", data={"xsrf": xsrf, "logout": "yes"})


def test_signing_out_at_the_provider_ends_the_session_here(provider, catcher):
    """The session, and its token, are gone with the logout token; the token works once; others stay in."""
    world = a_gateway(provider.issuer)
    person, other = Person(world), Person(world)
    provider.sign_in_next("ann", "programme")
    person.open("/signin/start")
    provider.sign_in_next("bob", "programme", name="Bob")
    other.open("/signin/start")
    world.tokens["minted"] = person.token()
    leave(person, provider)
    token = catcher.take()
    address = f"{PUBLIC}/signin/backchannel-logout"
    told = Person(world).gateway.post(address, data={"logout_token": token})
    assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
    assert person.gateway.get("/v1/exchanges").status_code == 401
    assert world.call("minted", "GET", "/v1/exchanges").status_code == 401
    assert other.gateway.get("/v1/exchanges").status_code == 200
    assert kinds(world)[-1] == "access.session-ended"
    assert b'"reason":"by-provider"' in world.store.committed.leaves[-1]
    assert Person(world).gateway.post(address, data={"logout_token": token}).status_code == 400
    assert refusals(world)["bad-logout"] == 1


def test_what_is_no_logout_token_ends_nothing(provider):
    """An empty form, rubbish and a token of nobody's are refused, counted, and end nothing."""
    world = a_gateway(provider.issuer)
    person = Person(world)
    provider.sign_in_next("ann", "programme")
    person.open("/signin/start")
    address = f"{PUBLIC}/signin/backchannel-logout"
    for form in ({}, {"logout_token": ""}, {"logout_token": "a.b.c"}, {"logout_token": "x" * 15_000}):
        assert person.gateway.post(address, data=form).status_code == 400
    assert person.gateway.get("/v1/exchanges").status_code == 200
    assert refusals(world)["bad-logout"] == 3  # the first is no form at all


@dataclass
class Says:
    """A provider that has said one thing."""

    told: ProviderLogout

    def logout(self, token):
        return self.told


@pytest.mark.parametrize(
    ("session", "account", "left"),
    [
        (b"s" * 32, b"a" * 32, ["other"]),  # and the one that the provider gave no id
        (b"s" * 32, None, ["other", "unnamed"]),
        (None, b"a" * 32, []),
        (None, b"b" * 32, ["other", "session", "unnamed"]),
        (b"?" * 32, None, ["other", "session", "unnamed"]),
    ],
)
def test_whom_a_logout_token_ends(session, account, left):
    """A `sid` ends its session, and with the `sub` those without one; a `sub` alone ends every session."""
    world = a_gateway(None)
    ann = a_user("Ann", token_hash=None, account=b"a" * 32)
    with world.store.begin() as uow:
        uow.users.enrol(ann)
        uow.commit()
    ids = {}
    for name, at_provider in (("session", b"s" * 32), ("other", b"o" * 32), ("unnamed", None)):
        with world.store.begin() as uow:
            _, begun = sessions.begin(
                world.context, uow, ann, Way.PROVIDER, multi_factor=True, provider_session=at_provider
            )
            uow.commit()
        ids[begun.id] = name
    told = ProviderLogout(b"once", session, account)
    signing_in.logged_out(world.context, Says(told), "token")
    assert sorted(ids[each] for each in world.store.committed.sessions) == left
    with pytest.raises(NotSignedInError):
        signing_in.logged_out(world.context, Says(told), "token")
