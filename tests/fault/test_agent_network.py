"""The poll loop and the wire to the gateway: passing failures are waited out, refusals are named."""

import secrets

import httpx
import pytest
from agent_world import NOW, World, people
from fakes import FakeClock, FakePartyKeys, FakeStore, a_partner, an_agreement, an_exchange

from adapters.agent.loop import run_forever
from adapters.transports.mailbox import MailboxClient, MailboxTransport
from adapters.transports.wire import (
    GatewayRefusedError,
    GatewaySignInError,
    GatewayUnavailableError,
    SignIn,
    Wire,
    http_client,
)
from gateway.domain.errors import ConfigurationError, TooLargeError


class Waits:
    """Stands for `Event.wait`: records the pauses, does something before each, and stops after `rounds`."""

    def __init__(self, rounds, before=lambda number: None):
        self.pauses, self.rounds, self.before = [], rounds, before

    def __call__(self, seconds):
        self.pauses.append(seconds)
        self.before(len(self.pauses))
        return len(self.pauses) > self.rounds


def test_the_loop_backs_off_while_the_gateway_is_down_and_recovers(tmp_path):
    """Pauses grow with each failure up to five minutes, and the first success ends them."""
    world = World(tmp_path)
    exchange = world.ask([people(0)])
    world.gateway.down = True

    def repaired(number):
        if number == 12:
            world.gateway.down = False

    waits = Waits(13, repaired)
    run_forever(world.agent, pause=1.0, wait=waits, jitter=lambda: 1.0)
    assert waits.pauses[:5] == [0.0, 2.0, 4.0, 8.0, 16.0]
    assert max(waits.pauses) == 300.0
    assert waits.pauses[-1] == 1.0
    assert exchange in world.gateway.answers


def test_jitter_spreads_the_agents(tmp_path):
    """A pause after a failure lies between half and all of the backoff."""
    world = World(tmp_path)
    world.gateway.down = True
    waits = Waits(3)
    run_forever(world.agent, pause=1.0, wait=waits, jitter=lambda: 0.0)
    assert waits.pauses == [0.0, 1.0, 2.0, 4.0]


def test_the_loop_outlives_a_stale_clock_and_anything_unforeseen(tmp_path):
    """No passing failure ends the loop; each is told."""
    world = World(tmp_path)
    replies = iter([ZeroDivisionError("secret"), httpx.ReadTimeout("secret")])

    def broken(_):
        raise next(replies)

    http = httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(broken))
    wire = Wire(http, SignIn(world.partner, "council", world.clock, secrets.token_bytes))
    world.changes["gateway"] = MailboxClient(wire)
    run_forever(world.restarted(), pause=1.0, wait=Waits(2), jitter=lambda: 1.0)
    failures = [event for event in world.events if event["event"] == "round-failed"]
    assert [event["code"] for event in failures] == ["ZeroDivisionError", "gateway-unavailable"]
    assert "secret" not in str(failures)


def a_client(handler, **changes):
    http = httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(handler))
    clock = changes.pop("clock", FakeClock(NOW))
    return MailboxClient(Wire(http, SignIn(FakePartyKeys("trust"), "council", clock, secrets.token_bytes)))


def answering(**responses):
    """A handler by the last part of the path; signing in works."""

    def handler(request):
        name = request.url.path.rsplit("/", 1)[-1]
        if name == "token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 300})
        return responses[name]

    return handler


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_trouble_of_the_gateway_is_passing(status):
    """An error of the server's own is to be tried again."""
    with pytest.raises(GatewayUnavailableError, match=str(status)):
        a_client(answering(state=httpx.Response(status))).state()


def test_a_refusal_shows_the_gateways_reason():
    """The detail of a problem document is told to the operator of the agent."""
    problem = httpx.Response(409, json={"detail": "answered before"})
    with pytest.raises(GatewayRefusedError, match="answered before") as caught:
        a_client(answering(answer=problem)).put_answer("x", b"")
    assert caught.value.answered == 409


@pytest.mark.parametrize("detail", ["line\nline", "x" * 1000, 7, None])
def test_a_detail_that_could_disturb_a_terminal_is_left_out(detail):
    """Only short printable text of the gateway is repeated."""
    problem = httpx.Response(409, json={"detail": detail})
    with pytest.raises(GatewayRefusedError, match=r"status 409$"):
        a_client(answering(answer=problem)).put_answer("x", b"")


def test_an_agent_that_the_gateway_does_not_know_is_told_why():
    """A refused assertion names the gateway's reason, such as a stale clock."""

    def handler(_):
        return httpx.Response(
            401, json={"error": "invalid_client", "error_description": "clock is 90 s behind"}
        )

    with pytest.raises(GatewaySignInError, match="90 s behind"):
        a_client(handler).state()


def test_a_token_is_used_until_shortly_before_it_ends_and_renewed_when_refused():
    """One sign-in serves many calls; an access token that the gateway forgot is replaced."""
    signed_in, clock = [], FakeClock(NOW)
    refuse = [False]

    def handler(request):
        if request.url.path == "/v1/token":
            signed_in.append(request)
            return httpx.Response(200, json={"access_token": "t", "expires_in": 300})
        return httpx.Response(401 if refuse[0] else 204)

    client = a_client(handler, clock=clock)
    client.publish_prekeys([])
    client.publish_prekeys([])
    assert len(signed_in) == 1
    clock.advance(seconds=271)
    client.publish_prekeys([])
    assert len(signed_in) == 2
    refuse[0] = True
    with pytest.raises(GatewaySignInError):
        client.publish_prekeys([])
    refuse[0] = False
    client.publish_prekeys([])
    assert len(signed_in) == 3


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"time": "now"}'])
def test_an_unknown_form_of_state_is_an_error(body):
    """A gateway that answers something else is not taken for one without work."""
    with pytest.raises(GatewayUnavailableError, match="documented form"):
        a_client(answering(state=httpx.Response(200, content=body))).state()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"access_token": 7, "expires_in": 300}'])
def test_an_unknown_form_of_token_is_an_error(body):
    """A token endpoint that answers something else ends in a named error."""
    with pytest.raises(GatewayUnavailableError, match="token endpoint"):
        a_client(lambda _: httpx.Response(200, content=body)).state()


def test_too_long_an_answer_is_not_read_on():
    """What the gateway sends is bounded before it is held."""
    with pytest.raises(TooLargeError, match="longer"):
        a_client(answering(state=httpx.Response(200, content=bytes((1 << 20) + 1)))).state()


def test_redirects_are_not_followed():
    """A bundle or token goes to the configured gateway and nowhere else."""
    moved = httpx.Response(302, headers={"Location": "http://127.0.0.1:1/"})
    with pytest.raises(GatewayRefusedError, match="302"):
        a_client(answering(state=moved)).state()


@pytest.mark.parametrize("url", ["http://gateway.example", "ftp://127.0.0.1", "gateway.example", ""])
def test_a_url_in_the_clear_is_refused(url):
    """Plain HTTP is for this machine alone."""
    with pytest.raises(ConfigurationError, match="https"):
        http_client(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "https://gateway.example"])
def test_tls_or_loopback_is_accepted(url):
    """What a demo on one machine and a real installation use."""
    http_client(url).close()


def test_a_ca_file_that_is_none_is_an_error(tmp_path):
    """A wrong trust file stops the agent when it starts, not at its first call."""
    with pytest.raises(ConfigurationError, match="CA file"):
        http_client("https://gateway.example", str(tmp_path / "none.pem"))


def test_the_gateways_end_posts_the_bundle_once():
    """Sending again after a crash leaves one bundle in the partner's mailbox."""
    store, exchange = FakeStore(), an_exchange()
    with store.begin() as uow:
        uow.partners.add(a_partner())
        uow.agreements.propose(an_agreement())
        uow.exchanges.add(exchange)
        uow.commit()
    for _ in range(2):
        MailboxTransport(store).send("health", exchange.id, b"bundle")
    with store.begin() as uow:
        assert uow.mailbox.waiting("health") == [exchange.id]
        assert uow.mailbox.fetch("health", exchange.id) == b"bundle"
