"""The gateway's API, as commands meet it, in the words of a test."""

import contextlib
from collections.abc import Callable

import httpx
import pytest


def serve_api(
    monkeypatch: pytest.MonkeyPatch, module: str, answer: Callable[[httpx.Request], httpx.Response]
) -> None:
    """Let `answer` be the API for the commands of `gateway.cli.<module>`."""

    @contextlib.contextmanager
    def api():
        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1") as client:
            yield client

    monkeypatch.setattr(f"gateway.cli.{module}.api", api)
