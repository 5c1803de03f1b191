from pathlib import Path

from web.calls import operations

from gateway.web.openapi import FILE, document, text

ROOT = Path(__file__).parents[2]


def test_the_committed_contract_is_the_one_served():
    """openapi/gateway.v1.json is what the code says; when this fails, run `python -m gateway.web.openapi`."""
    assert (ROOT / FILE).read_text(encoding="utf-8") == text()


def test_the_contract_is_served_to_those_signed_in(world):
    """A signed-in caller of either kind gets the committed document."""
    for caller in ("programme", "agent police"):
        assert world.call(caller, "GET", "/v1/openapi.json").json() == document()


def test_every_reference_of_the_contract_resolves():
    """No `$ref` points nowhere."""
    whole = document()
    schemas = whole["components"]["schemas"]
    for reference in _references(whole):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_errors_are_documented_as_problems():
    """Every error of every operation is a problem, the token endpoint's own errors (RFC 6749) apart."""
    for route, operation in operations().items():
        for status, response in operation["responses"].items():
            if int(status) >= 400 and not (route == "POST /v1/token" and int(status) < 500):
                kinds = set(response["content"])
                expected = "application/json" if route == "GET /v1/health/ready" and status == "503" else None
                assert kinds == {expected or "application/problem+json"}, (route, status)


def test_nothing_but_the_open_routes_is_open():
    """The contract asks for a credential everywhere, save where one is obtained and where health is told."""
    open_routes = {route for route, operation in operations().items() if "security" not in operation}
    enrolment = {"GET /v1/enrolment", "POST /v1/enrolment"}
    health = {"GET /v1/health/live", "GET /v1/health/ready"}
    assert open_routes == {"POST /v1/token"} | enrolment | health


def _references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
