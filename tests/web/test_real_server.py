"""The application behind uvicorn, over a real socket on loopback."""

import contextlib
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from web.webworld import LIST, MAX_UPLOAD, QUERY, World, a_world

from gateway.web.app import SERVER_OPTIONS


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


def test_nothing_tells_what_server_runs(live):
    """Answers carry no server header."""
    _, port = live
    answer = httpx.get(f"http://127.0.0.1:{port}/v1/health/live")
    assert answer.json() == {"status": "ok"}
    assert "server" not in answer.headers


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
