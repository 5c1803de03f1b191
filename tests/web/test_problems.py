import json
import uuid

import pytest
from web.calls import Call, operations, well_formed

from gateway.domain.errors import ConfigurationError, LogUnavailableError
from gateway.service import exchanges, logs
from gateway.web.problems import Problem

CANARY = "Canary-O'Neill-1985"
NOWHERE = uuid.UUID(int=1)


def assert_problem(answer, status: int, code: str) -> dict:
    """A problem document of this status and type, and nothing beside what its model allows."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    Problem.model_validate(document)
    assert document["type"] == f"urn:flagstone:problem:{code}"
    assert document["status"] == status
    assert document["instance"] == f"urn:uuid:{answer.headers['x-correlation-id']}"
    return document


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
        ("GET", "/redoc", 404, "not-found"),
        ("GET", "/openapi.json", 404, "not-found"),
        ("GET", "/v1/exchanges/", 404, "not-found"),
        ("DELETE", "/v1/exchanges", 405, "method-not-allowed"),
        ("HEAD", "/v1/exchanges", 405, "method-not-allowed"),
        ("OPTIONS", "/v1/exchanges", 405, "method-not-allowed"),
    ],
)
def test_what_does_not_exist_is_a_problem(world, method, path, status, code):
    """Unknown paths and methods are problems too, and never a redirect or a page."""
    answer = world.call("programme", method, path)
    if method == "HEAD":
        assert answer.status_code == status
        return
    assert_problem(answer, status, code)
    assert path == "/" or path not in answer.text


def test_a_missing_thing_and_another_s_thing_look_alike(world):
    """Whether an exchange exists can't be told from the answer to somebody who may not know."""
    exchange = world.submit().json()["exchange"]
    theirs = world.call("other programme", "GET", f"/v1/exchanges/{exchange}").json()
    none = world.call("other programme", "GET", f"/v1/exchanges/{NOWHERE}").json()
    assert_same = {key: (theirs[key], none[key]) for key in ("type", "title", "status")}
    assert all(one == other for one, other in assert_same.values())
    assert exchange not in json.dumps(theirs)


@pytest.mark.parametrize(
    ("path", "place", "name"),
    [
        (f"/v1/exchanges/{CANARY}", "path", "exchange"),
        (f"/v1/exchanges/{CANARY}/results", "path", "exchange"),
        (f"/v1/log/proof/{CANARY}", "path", "index"),
        (f"/v1/log/entries?start={CANARY}", "query", "start"),
        ("/v1/log/entries?limit=0", "query", "limit"),
        ("/v1/log/entries?limit=1001", "query", "limit"),
        ("/v1/log/proof/99999999999999999999", "path", "index"),
    ],
)
def test_malformed_parameters_are_named_not_quoted(world, path, place, name):
    """A malformed parameter is a 422 that names it and does not repeat it."""
    caller = "programme" if path.endswith("results") else "reviewer"
    answer = world.call(caller, "GET", path)
    (parameter,) = assert_problem(answer, 422, "malformed-request")["parameters"]
    assert (parameter["place"], parameter["name"]) == (place, name)
    assert CANARY not in answer.text


@pytest.mark.parametrize("day", ["0", "1767139200", "2026-12-31T00:00:00", "31/12/2026", "20261231"])
@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1/log/article-30", "from"),
        ("GET", "/v1/log/article-30", "to"),
        ("GET", "/v1/log/find", "from"),
        ("GET", "/v1/log/find", "to"),
        ("POST", f"/v1/exchanges/{NOWHERE}/hold", "until"),
    ],
)
def test_a_day_is_written_as_the_contract_says(world, method, path, name, day):
    """A day is YYYY-MM-DD: a number is not taken for seconds since 1970, nor a moment for its day."""
    answer = world.call("reviewer", method, path, params={"reason": "complaint", name: day})
    (parameter,) = assert_problem(answer, 422, "malformed-request")["parameters"]
    assert (parameter["place"], parameter["name"]) == ("query", name)


def test_an_unforeseen_error_says_nothing(world, monkeypatch, log_lines):
    """An unknown exception gives a correlation id to the caller and to the log, and its text to neither."""

    def fail(*_):
        raise RuntimeError(CANARY)

    monkeypatch.setattr(exchanges, "listing", fail)
    answer = world.call("programme", "GET", "/v1/exchanges")
    document = assert_problem(answer, 500, "error")
    assert CANARY not in answer.text
    failed, answered = (json.loads(line) for line in world.lines.getvalue().splitlines()[-2:])
    assert failed["correlation"] == answered["correlation"] == document["instance"].removeprefix("urn:uuid:")
    assert failed["error"] == "builtins.RuntimeError"
    assert CANARY not in world.lines.getvalue()
    assert log_lines() == []


def test_a_fault_of_the_installation_is_not_explained_to_callers(world, monkeypatch):
    """A configuration error is the operator's business: callers get a correlation id."""

    def fail(*_):
        raise ConfigurationError("a key file is open to others", place="keys")

    monkeypatch.setattr(exchanges, "listing", fail)
    answer = world.call("programme", "GET", "/v1/exchanges")
    assert_problem(answer, 500, "error")
    assert "key file" not in answer.text
    assert "ConfigurationError" in world.lines.getvalue()


def test_an_unavailable_log_is_said(world, monkeypatch):
    """When the log can't be written the caller gets a 503: try again later."""

    def fail(*_):
        raise LogUnavailableError("the log can't be written", way_out="Try again later")

    monkeypatch.setattr(exchanges, "listing", fail)
    document = assert_problem(world.call("programme", "GET", "/v1/exchanges"), 503, "log-unavailable")
    assert document["detail"] == "the log can't be written. Try again later"


def test_an_answer_that_breaks_off_is_not_finished(world, monkeypatch):
    """An export that fails half way is cut off, so that it can't pass for a whole one."""

    def broken(*_):
        yield b"one chunk"
        raise RuntimeError(CANARY)

    monkeypatch.setattr(logs, "export", broken)
    call = Call("GET", "/v1/log/export").send_raw(world, "reviewer", [b""])
    assert (call.status, call.body, call.finished) == (200, b"one chunk", False)
    assert CANARY not in world.lines.getvalue()


def test_an_export_that_fails_at_once_is_a_problem(world, monkeypatch):
    """An error before the first byte of an export is answered as a problem."""

    def broken(*_):
        raise LogUnavailableError("the log can't be read")
        yield b""

    monkeypatch.setattr(logs, "export", broken)
    assert_problem(world.call("reviewer", "GET", "/v1/log/export"), 503, "log-unavailable")


def test_a_client_that_hangs_up_is_no_error(world):
    """A client that leaves during its upload is counted as such, and nothing is kept."""
    call = well_formed("POST /v1/exchanges", NOWHERE)
    gone = call.send_raw(world, "programme", [b"person_id", None])
    assert gone.status == 0
    assert json.loads(world.lines.getvalue().splitlines()[-1])["status"] == 499
    assert not world.store.committed.exchanges


def test_a_missing_answer_of_the_application_is_not_counted_as_a_path(world):
    """Unknown methods and paths are one label each: nobody can flood the metrics."""
    world.call(None, "BREW", f"/{CANARY}")
    text = world.observer.exposition().decode()
    assert 'method="OTHER",route="unmatched",status="404"' in text
    assert CANARY not in text


def test_only_http_is_spoken(world):
    """A WebSocket is refused."""
    scope = {
        "type": "websocket",
        "path": "/v1/exchanges",
        "headers": [],
        "query_string": b"",
        "root_path": "",
    }
    sent = []

    async def call() -> None:
        async def receive() -> dict:
            return {"type": "websocket.connect"}

        async def send(message: dict) -> None:
            sent.append(message["type"])

        await world.app(scope, receive, send)

    import asyncio

    asyncio.run(call())
    assert sent == ["websocket.close"]


_IN_PATHS = ("exchange", "number", "index", "clock", "alert", "proposal")


def canary_calls(route: str, operation: dict):
    """The well-formed request of a route with a canary in every place that takes input, one at a time."""
    whole = well_formed(route, NOWHERE)
    quoted = CANARY.replace("'", "%27")
    yield Call(
        whole.method,
        route.split(" ")[1].format_map(dict.fromkeys(_IN_PATHS, quoted)),
    )
    for parameter in operation.get("parameters", []):
        place = {"query": "params", "header": "headers"}.get(parameter["in"])
        if place:
            changed = {**getattr(whole, place), parameter["name"]: CANARY}
            yield Call(**{**vars_of(whole), place: changed})
    for kind in [*operation.get("requestBody", {}).get("content", {}), CANARY, "multipart/form-data"]:
        for body in (
            CANARY,
            f'{{"prekeys": ["{CANARY}"], "{CANARY}": 1}}',
            f'{{"person": "{CANARY}"}}',
            f'{{"seen": "{CANARY}"}}',
            f"{CANARY},{CANARY}\n{CANARY}",
            f"x={CANARY}",
        ):
            yield Call(**{**vars_of(whole), "type": kind, "content": body.encode()})
    yield Call(
        **{**vars_of(whole), "headers": whole.headers | {"Cookie": CANARY, "X-Correlation-Id": CANARY}}
    )
    yield Call(**{**vars_of(whole), "params": {**whole.params, CANARY: CANARY}})


def vars_of(call: Call) -> dict:
    return (
        {name: getattr(call, name) for name in call.__slots__} if hasattr(call, "__slots__") else vars(call)
    )


@pytest.mark.parametrize("route", operations())
def test_no_error_repeats_what_came_in(world, route):
    """A canary in any input of any route comes back in no error, header, log line or metric."""
    world.tokens["canary"] = CANARY
    for call in canary_calls(route, operations()[route]):
        for caller in (None, "canary", "programme", "reviewer", "operator", "agent health"):
            answer = call.send(world, caller)
            if answer.status_code >= 400:
                assert CANARY not in answer.text, (call, caller)
            assert CANARY not in str(answer.headers)
    assert CANARY not in world.lines.getvalue()
    assert CANARY not in world.observer.exposition().decode()
