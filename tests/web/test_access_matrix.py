import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from web.webworld import a_world, operations, well_formed

MATRIX = tomllib.loads((Path(__file__).parent / "access_matrix.toml").read_text())
CALLERS = {
    "nobody": None,
    "bad": "unknown",
    "owner": "programme",
    "other": "other programme",
    "reviewer": "reviewer",
    "operator": "operator",
    "agent": "agent health",
    "agent2": "agent police",
    "gone": "revoked",
    "gone2": "agent former",
    "custodian": "custodian health",
    "custodian2": "custodian police",
}
CELLS = [
    (route, caller, status)
    for route, statuses in MATRIX["routes"].items()
    for caller, status in zip(MATRIX["callers"], statuses, strict=True)
]


@pytest.fixture(scope="module")
def standing():
    """A world with one exchange under way, and how to bring it back to that point."""
    world = a_world()
    world.tokens["unknown"] = "fst_" + "A" * 43
    exchange = world.sent()
    committed, secrets = world.store.committed.copy(), dict(world.context.exchange_keys.keys)

    def back() -> None:
        world.store.committed = committed.copy()
        world.context.exchange_keys.keys = dict(secrets)

    return world, exchange, back


def test_every_route_has_a_line():
    """A route that the matrix does not know fails here, and so does a line without a route."""
    assert set(MATRIX["routes"]) == set(operations())


def test_every_kind_of_caller_is_tried():
    """The matrix names exactly the callers that the test can play."""
    assert MATRIX["callers"] == list(CALLERS)


@pytest.mark.parametrize(("route", "caller", "expected"), CELLS, ids=str)
def test_access(standing, route, caller, expected):
    """Each route answers each caller with the status that the matrix gives, and nobody else's data."""
    world, exchange, back = standing
    back()
    request = replace(well_formed(route, exchange), headers={"Idempotency-Key": f"matrix-{caller}-{route}"})
    answer = request.send(world, CALLERS[caller])
    assert answer.status_code == expected, answer.text
    if expected in {401, 403, 404} and route != "POST /v1/token":
        assert answer.headers["content-type"] == "application/problem+json"
        assert "health" not in answer.text


def test_a_refused_caller_changes_nothing(standing):
    """No call that is turned away leaves a trace in the store but the count of failed sign-ins."""
    world, exchange, back = standing
    back()
    before = world.store.committed
    for route, caller, status in CELLS:
        if status in {401, 403, 404} and route != "POST /v1/token":
            well_formed(route, exchange).send(world, CALLERS[caller])
    assert replace(world.store.committed, sign_ins={}) == replace(before, sign_ins={})


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
