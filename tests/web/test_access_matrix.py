import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Route
from web.callers import Standing, everybody
from web.calls import operations, routes, well_formed
from web.webworld import a_world

from gateway.domain.exchange import Role
from gateway.service.search_context import SearchContext
from gateway.web.app import create_review_app

MATRIX = tomllib.loads((Path(__file__).parent / "access_matrix.toml").read_text())
KINDS = ("open", "people", "machines", "pages")
ROUTES = {route: kind for kind in KINDS for route in MATRIX[kind]}


def status(route: str, standing: Standing) -> int:
    """What a caller in this state must get."""
    kind, like = ROUTES[route], standing.like
    if kind == "open":
        return MATRIX["open"][route]
    if kind == "pages":
        return MATRIX["pages"][route][standing.in_browser]
    return MATRIX[kind][route].get(like, MATRIX["callers"][like][kind])


CELLS = [(route, caller) for route in ROUTES for caller in everybody()]
REFUSED = {401, 403, 404}


@pytest.fixture(scope="module")
def standing():
    """A world with one exchange under way, and how to bring it back to that point."""
    world = a_world()
    exchange, now = world.sent(), world.clock()
    committed, secrets = world.store.committed.copy(), dict(world.context.exchange_keys.keys)

    def back() -> None:
        world.clock.now = now
        world.store.committed = committed.copy()
        world.context.exchange_keys.keys = dict(secrets)

    return world, exchange, back


def test_every_route_has_a_line(world):
    """A route that the matrix does not know fails here, documented or not; so does a line without a route."""
    assert set(ROUTES) == routes(world.app)
    assert set(operations()) <= set(ROUTES)
    assert len(ROUTES) == sum(len(MATRIX[kind]) for kind in KINDS)


def test_the_route_table_shows_what_the_document_does_not():
    """Routes that stand in no document, in an application within or under another method, are seen too."""
    inner = Starlette(routes=[Route("/page", lambda request: None, methods=["GET", "POST"])])
    routers = APIRouter()
    routers.add_api_route("/hidden", lambda: None, include_in_schema=False)
    outer = FastAPI(openapi_url=None)
    outer.include_router(routers, prefix="/before")
    outer.mount("/console", inner)
    outer.mount("/assets", lambda scope, receive, send: None)
    assert routes(outer) == {"GET /before/hidden", "GET /console/page", "POST /console/page", "MOUNT /assets"}


def test_reviewers_apart_get_no_route_of_their_own():
    """The process that serves reviewers apart has routes of the matrix alone."""
    world = a_world()
    apart = create_review_app(
        world.context,
        review=SearchContext(world.context, world.context.search_seal, per_day=3),
        observer=world.observer,
    )
    assert routes(apart) < set(ROUTES)


def test_every_role_and_every_caller_is_tried():
    """The matrix names exactly the callers that are played, and every role of a user is among them."""
    assert {caller.like for caller in everybody()} == set(MATRIX["callers"])
    assert {*Role} <= {"programme" if like == "owner" else like for like in MATRIX["callers"]}
    named = {like for route in (MATRIX["people"] | MATRIX["machines"]).values() for like in route}
    assert named <= set(MATRIX["callers"])


@pytest.mark.parametrize(("route", "caller"), CELLS, ids=lambda each: getattr(each, "name", each))
def test_access(standing, route, caller):
    """Each route answers each caller with the status that the matrix gives, and nobody else's data."""
    world, exchange, back = standing
    back()
    key = {"Idempotency-Key": f"matrix-{caller.name}-{route}"}
    call = well_formed(route, exchange)
    answer = caller.send(world, replace(call, headers=call.headers | key))
    expected = status(route, caller)
    assert answer.status_code == expected, answer.text
    if expected in REFUSED and route != "POST /v1/token":
        told = "text/html; charset=utf-8" if ROUTES[route] == "pages" else "application/problem+json"
        assert answer.headers["content-type"] == told
        assert "health" not in answer.text


def test_a_refused_caller_changes_nothing(standing):
    """No call that is turned away leaves a trace but the count of failed sign-ins and one-time ids."""
    world, exchange, back = standing
    for route, caller in CELLS:
        if "session" in caller.caller.credential:
            continue  # that one begins and ends stands in the log
        if status(route, caller) in REFUSED and route != "POST /v1/token":
            back()
            caller.act(world, caller.caller.who)
            before = world.store.committed.copy()
            replace(caller, act=lambda *_: None).send(world, well_formed(route, exchange))
            kept = {"sign_ins": {}, "replays": {}}
            assert replace(world.store.committed, **kept) == replace(before, **kept)


def test_a_stranger_s_body_is_not_read(standing):
    """A caller who is turned away can't make the gateway read a body."""
    world, exchange, back = standing
    back()
    for route in (
        "POST /v1/exchanges",
        "POST /v1/agent/prekeys",
        "POST /v1/log/evidence/{exchange}",
        "PUT /v1/agent/exchanges/{exchange}/answer",
    ):
        call = well_formed(route, exchange).send_raw(world, "unknown", chunks=[b"x" * 1000] * 1000)
        assert call.status == 401
        assert call.chunks_read == 0


def test_an_access_token_dies_in_five_minutes(world):
    """An agent's access token is refused once its 300 seconds, and the clock leeway, are over."""
    assert world.call("agent health", "GET", "/v1/agent/state").status_code == 200
    world.clock.advance(seconds=331)
    assert world.call("agent health", "GET", "/v1/agent/state").status_code == 401


def test_revocation_holds_from_the_next_request(world):
    """A partner that is revoked while its access token is good is turned away at once."""
    with world.store.begin() as uow:
        uow.partners.revoke("health", world.clock())
        uow.commit()
    assert world.call("agent health", "GET", "/v1/agent/state").status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "Token {token}",
        "Bearer {token} {token}",
        "{token}",
        "bearer\t{token}",
    ],
)
def test_other_ways_to_hand_in_a_token_are_refused(world, header):
    """Only `Authorization: Bearer TOKEN` signs in."""
    text = header.format(token=world.tokens["programme"])
    answer = world.call(None, "GET", "/v1/exchanges", headers={"Authorization": text})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_in_the_query_signs_nobody_in(world):
    """A token in a URL would end up in logs, so it counts for nothing (RFC 6750 §2.3)."""
    answer = world.call(None, "GET", "/v1/exchanges", params={"access_token": world.tokens["programme"]})
    assert answer.status_code == 401
