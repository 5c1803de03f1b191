"""Requests generated from the OpenAPI document: whatever comes in, only what is documented comes out."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web.webworld import Call, World, a_world, operations, well_formed

from gateway.web.problems import Problem

CALLERS = (None, "programme", "other programme", "reviewer", "operator", "agent health", "agent police")
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60)
HEADER_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=150).map(str.strip)


class Standing:
    """One world for all generated requests, put back before each."""

    def __init__(self) -> None:
        self.world: World = a_world()
        self.exchange = self.world.sent()
        self.committed = self.world.store.committed.copy()
        self.secrets = dict(self.world.context.exchange_keys.keys)

    def back(self) -> World:
        self.world.store.committed = self.committed.copy()
        self.world.context.exchange_keys.keys = dict(self.secrets)
        return self.world


@pytest.fixture(scope="module")
def standing() -> Standing:
    return Standing()


@st.composite
def requests(draw, exchange):
    """A route, a caller, and the well-formed request with some of its parts replaced by generated ones."""
    route, operation = draw(st.sampled_from(sorted(operations().items())))
    good = well_formed(route, exchange)
    path, params, headers, kind, body = (
        good.path,
        dict(good.params),
        dict(good.headers),
        good.type,
        good.content,
    )
    for parameter in operation.get("parameters", []):
        if not draw(st.booleans()):
            continue
        name, value = parameter["name"], draw(values(parameter["schema"], parameter["in"]))
        if parameter["in"] == "path" and value.strip(".") and "/" not in value:  # else it is another path
            path = route.split(" ")[1].replace("{" + name + "}", quote(value, safe=""))
        elif parameter["in"] == "query":
            params[name] = value
        elif parameter["in"] == "header":
            headers[name] = value
    if "requestBody" in operation:
        kind = draw(st.sampled_from([*operation["requestBody"]["content"], "text/plain"]) | st.just(kind))
        body = draw(st.just(body) | st.binary(max_size=300) | mutated(body))
    return route, draw(st.sampled_from(CALLERS)), Call(good.method, path, params, headers, kind, body)


def values(schema: dict, place: str):
    """Values for a parameter: of its type at the edges, and text that is not of its type."""
    texts = HEADER_TEXTS if place == "header" else TEXTS
    integers = st.sampled_from([-1, 0, 1, 1000, 1001, 2**53, 2**63, 10**30]).map(str)
    booleans = st.sampled_from(["true", "false", "1", "maybe"])
    by_type = {"integer": integers, "boolean": booleans}.get(schema.get("type"))
    uuids = st.uuids().map(str)
    return st.one_of(*[each for each in (by_type, texts, uuids, st.just("health-trust")) if each is not None])


@st.composite
def mutated(draw, body: bytes):
    """A good body with a stretch of it cut out, doubled or replaced."""
    start = draw(st.integers(0, len(body)))
    stop = draw(st.integers(start, len(body)))
    return body[:start] + draw(st.binary(max_size=8) | st.just(body[start:stop] * 2)) + body[stop:]


def check(standing: Standing, data) -> None:
    world = standing.back()
    route, caller, call = data.draw(requests(standing.exchange))
    answer = call.send(world, caller)
    documented = operations()[route]["responses"]
    assert answer.status_code < 500 or answer.status_code in {502, 503}, answer.text
    assert str(answer.status_code) in documented, (route, answer.status_code)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    allowed = {
        each.partition(";")[0] for each in documented[str(answer.status_code)].get("content", {"": None})
    }
    assert kind in allowed, (route, answer.status_code, kind)
    if kind == "application/problem+json":
        Problem.model_validate(answer.json())


@given(st.data())
@settings(max_examples=400)
def test_generated_requests_get_documented_answers(standing, data):
    """No generated request gets a 5xx of ours, an undocumented status or an undocumented content type."""
    check(standing, data)


@pytest.mark.long
@given(st.data())
@settings(max_examples=8_000)
def test_many_generated_requests_get_documented_answers(standing, data):
    """The same, at length."""
    check(standing, data)


def test_every_operation_and_parameter_can_be_generated():
    """The generator knows the place of every parameter of the contract, so that none goes untried."""
    places = {p["in"] for operation in operations().values() for p in operation.get("parameters", [])}
    assert places <= {"path", "query", "header"}
