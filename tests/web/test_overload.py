"""A crowd: the gateway sheds at once, health is answered, and afterwards everything is as before."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from web.test_real_server import served
from web.webworld import MAX_UPLOAD, a_world

from gateway.service.search_context import SearchContext
from gateway.web import bodies
from gateway.web.app import create_app

AT_ONCE = 4


@pytest.fixture
def crowd():
    """A real server that answers four at once, and whose store stands still while `gate` is closed."""
    world, gate, waiting = a_world(), threading.Event(), []
    gate.set()
    world.app = create_app(
        world.context,
        review=SearchContext(world.context, world.context.search_seal, per_day=3),
        on_submitted=world.submitted.append,
        on_answered=world.answered.append,
        max_upload=MAX_UPLOAD,
        observer=world.observer,
        max_concurrent=AT_ONCE,
    )
    begin = world.store.begin

    @contextlib.contextmanager
    def slowly(principal=None):
        waiting.append(principal)
        assert gate.wait(20)
        with begin(principal) as unit:
            yield unit

    world.store.begin = slowly
    with served(world) as port:
        yield world, gate, waiting, f"http://127.0.0.1:{port}"


def ask(world, url):
    headers = {"Authorization": f"Bearer {world.tokens['programme']}"}
    return httpx.get(f"{url}/v1/exchanges", headers=headers, timeout=30)


def test_a_crowd_is_shed_at_once_and_those_inside_finish(crowd):
    """Beyond four at once, each is told at once to come again; the four finish, and so does the next."""
    world, gate, waiting, url = crowd
    gate.clear()
    waiting.clear()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        inside = [pool.submit(ask, world, url) for _ in range(AT_ONCE)]
        wait_until(lambda: len(waiting) == AT_ONCE)
        began = time.monotonic()
        for _ in range(20):
            answer = ask(world, url)
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:flagstone:problem:overloaded"
            assert answer.headers["retry-after"] == "5"
            assert answer.headers["x-correlation-id"] in answer.json()["instance"]
        assert time.monotonic() - began < 10
        assert httpx.get(f"{url}/v1/health/live").json() == {"status": "ok"}
        gate.set()
        assert [each.result().status_code for each in inside] == [200] * AT_ONCE
    assert ask(world, url).status_code == 200
    assert 'flagstone_limited_total{limit="at-once"}' in world.observer.exposition().decode()


def wait_until(look, seconds=10):
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_slow_body_is_given_up(crowd, monkeypatch):
    """A form that trickles in is answered 408 when its time is over, and its place is free again."""
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.3)
    world, *_, url = crowd
    address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
    slow = [socket.create_connection(address, timeout=10) for _ in range(AT_ONCE)]
    for connection in slow:
        connection.sendall(
            b"POST /v1/token HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant"
        )
    for connection in slow:
        answer = b""
        while data := connection.recv(65536):
            answer += data
        connection.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
    assert ask(world, url).status_code == 200
