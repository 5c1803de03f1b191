"""The application behind uvicorn, over a real socket on loopback."""

import contextlib
import json
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from web.webworld import LIST, MAX_UPLOAD, QUERY, World, a_world

from gateway.web import bodies, protocol
from gateway.web.app import SERVER_OPTIONS
from gateway.web.envelope import CONTENT_POLICY, HEADERS
from gateway.web.problems import Problem


@contextlib.contextmanager
def served(world: World):
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(world.app, **SERVER_OPTIONS))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def live():
    world = a_world()
    with served(world) as port:
        yield world, port


def said(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What comes back for these bytes until the server closes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                answer += data
    return answer


def test_nothing_tells_what_server_runs(live):
    """Answers carry no server header."""
    _, port = live
    answer = httpx.get(f"http://127.0.0.1:{port}/v1/health/live")
    assert answer.json() == {"status": "ok"}
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "request_",
    [
        b"Canary\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"Canary" * 20_000,
        b"GET /" + b"Canary" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["words", "TLS", "no host", "two lengths", "unknown coding", "huge header", "huge target"],
)
def test_what_is_no_request_gets_a_problem_of_ours(live, request_):
    """What uvicorn itself turns away gets our headers and a correlation id, and none of its bytes back."""
    answer = said(live[1], request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert status == "HTTP/1.1 400 Bad Request"
    document = json.loads(body)
    Problem.model_validate(document)
    assert headers["x-correlation-id"] == document["instance"].removeprefix("urn:uuid:")
    assert headers["connection"] == "close"
    assert {(name.lower(), value.lower()) for name, value in HEADERS.items()} <= headers.items()
    assert headers["content-security-policy"] == CONTENT_POLICY
    assert "server" not in headers
    assert b"canary" not in answer.lower()


def test_a_head_that_never_ends_is_hung_up_on(live, monkeypatch):
    """A client that sends its head byte by byte, or nothing at all, is cut off when its time is over."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    assert said(live[1]) == b""
    began = time.monotonic()
    assert said(live[1], *[b"GET / HTTP/1.1\r\n", *[b"X: y\r\n"] * 200], pause=0.02) == b""
    assert time.monotonic() - began < 10  # the 200 lines alone take 4 s, and 2 of them are enough to begin


def test_bytes_that_dribble_in_after_an_answer_are_not_waited_for(live, monkeypatch):
    """A body that no route reads can't hold a connection: what comes after the answer has its time too."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    head = b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    answer = said(live[1], head, *[b"x"] * 200, pause=0.02)
    assert answer.startswith(b"HTTP/1.1 404 ")


def test_an_honest_connection_is_kept(live, monkeypatch):
    """Requests on one connection, with pauses longer than a head may take between them, are answered."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    with httpx.Client(base_url=f"http://127.0.0.1:{live[1]}") as client:
        for _ in range(3):
            assert client.get("/v1/health/live").status_code == 200
            time.sleep(0.3)


@pytest.mark.parametrize(
    ("route", "kind"), [("/v1/token", "application/x-www-form-urlencoded"), ("/v1/lists/check", "text/csv")]
)
def test_a_body_that_dribbles_in_is_given_up(live, monkeypatch, route, kind):
    """A body slower than it may be gets a 408, and the connection is closed."""
    world, port = live
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(bodies, "SLOWEST", 1000)
    lines = (
        f"POST {route} HTTP/1.1",
        "Host: a",
        f"Content-Type: {kind}",
        f"Authorization: Bearer {world.tokens['programme']}",
        "Transfer-Encoding: chunked",
        "\r\n",
    )
    answer = said(port, "\r\n".join(lines).encode(), *[b"1\r\nx\r\n"] * 60, pause=0.02)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()


def test_a_body_that_comes_fast_enough_is_read(live, monkeypatch):
    """A list that takes longer than the grace, at a rate that is allowed, is read whole."""
    world, port = live
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "SLOWEST", 100)

    def slowly():
        for start in range(0, len(LIST), 40):
            time.sleep(0.05)
            yield LIST[start : start + 40]

    headers = {"Authorization": f"Bearer {world.tokens['programme']}", "Content-Type": "text/csv"}
    url = f"http://127.0.0.1:{port}/v1/lists/check"
    assert httpx.post(url, content=slowly(), headers=headers).status_code == 200


def test_a_websocket_is_not_spoken(live):
    """An upgrade is ignored: the request is answered as what it is."""
    upgrade = (
        b"GET /v1/exchanges HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert said(live[1], upgrade).startswith(b"HTTP/1.1 401 ")


def test_a_chunked_list_is_submitted(live):
    """A list sent in chunks without a declared length is read as a stream."""
    world, port = live
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/exchanges",
        params=QUERY,
        content=(LIST[i : i + 50] for i in range(0, len(LIST), 50)),
        headers={
            "Authorization": f"Bearer {world.tokens['programme']}",
            "Content-Type": "text/csv",
            "Idempotency-Key": "key-00000001",
        },
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("declared", [True, False])
def test_an_endless_upload_is_cut(live, declared):
    """An upload without end gets its 413 while it is being sent, and the connection is closed."""
    world, port = live
    length = b"Content-Length: 10000000000\r\n" if declared else b"Transfer-Encoding: chunked\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/lists/check HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/csv\r\n"
            + f"Authorization: Bearer {world.tokens['programme']}\r\n".encode()
            + length
            + b"\r\n"
        )
        chunk = b"x" * 50_000
        with contextlib.suppress(ConnectionError):
            while sent < 100 * MAX_UPLOAD:
                connection.sendall(chunk if declared else b"c350\r\n" + chunk + b"\r\n")
                sent += len(chunk)
    # what lies in the buffers of both ends comes on top of the limit
    assert sent < 100 * MAX_UPLOAD


def test_an_endless_upload_gets_its_answer(live):
    """A client that reads before it goes on sending sees the 413."""
    world, port = live
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/lists/check HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/csv\r\n"
            + f"Authorization: Bearer {world.tokens['programme']}\r\n".encode()
            + b"Content-Length: 10000000000\r\n\r\n"
        )
        answer = b""
        while data := connection.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert b"urn:flagstone:problem:too-large" in answer
