"""What every answer carries, whoever asks for whatever."""

from dataclasses import replace
from uuid import UUID

import pytest
from web.calls import Call, RawCall, routes, well_formed
from web.webworld import World, a_world

from gateway.domain.errors import LogUnavailableError
from gateway.service import access
from gateway.settings import Settings
from gateway.web.app import create_app
from gateway.web.envelope import CONTENT_POLICY, HEADERS
from gateway.web.problems import MEDIA_TYPE

EXCHANGE = UUID(int=1)
PAGES = ("/signin", "/signout", "/signedout", "/session", "/assets")
"""Where answers are for a browser to show; they state their own content policy and referrer."""
EXPECTED = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
CALLERS = (None, "programme", "reviewer", "agent health")
SHARED = a_world()


def bad(call: Call) -> list[Call]:
    """The same request with each thing wrong that a caller can get wrong."""
    headers = call.headers | {"Content-Length": "99999999999"}
    return [
        call,
        replace(call, method="DELETE"),
        replace(call, method="OPTIONS"),
        replace(call, method="HEAD"),
        replace(call, path=call.path + "/"),
        replace(call, params=call.params | {"from": "x", "start": "-1", "dataset": "?", "until": "x"}),
        replace(call, headers=headers),
        replace(call, type="text/html"),
        replace(call, content=b"\xff"),
        replace(call, headers=call.headers | {"Origin": "https://elsewhere.example"}),
    ]


def check(answer: RawCall, call: Call) -> None:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert EXPECTED.items() <= {name: headers.get(name.lower()) for name in EXPECTED}.items(), call
    assert "camera=()" in headers["permissions-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}
    if not call.path.startswith(PAGES):
        assert headers["content-security-policy"] == CONTENT_POLICY
        assert headers["referrer-policy"] == "no-referrer"
    UUID(headers["x-correlation-id"])
    assert not {name for name in headers if name.startswith("access-control-")}, call
    assert not {"server", "x-powered-by", "strict-transport-security"} & headers.keys()
    if answer.status >= 400 and headers.get("content-type") == MEDIA_TYPE and answer.body:
        assert f"urn:uuid:{headers['x-correlation-id']}".encode() in answer.body


def test_what_is_expected_is_what_is_sent():
    """The table here and the application's name the same headers, so that none goes unlooked at."""
    assert {*EXPECTED, "Permissions-Policy"} == set(HEADERS)


@pytest.mark.parametrize("route", sorted(routes(SHARED.app)))
def test_every_answer_of_every_route_carries_the_headers(route):
    """Good or bad: no answer may be cached, framed, sniffed, shared with another site or referred from."""
    call = well_formed(route, EXCHANGE)
    statuses = set()
    for caller in CALLERS:
        for each in bad(call):
            answer = each.send_raw(SHARED, caller, [each.content])
            check(answer, each)
            statuses.add(answer.status)
    assert {404, 405} <= statuses


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("x"), 500), (LogUnavailableError("x"), 503)])
@pytest.mark.parametrize("route", ["GET /v1/exchanges", "GET /v1/agent/state", "GET /v1/openapi.json"])
def test_failures_carry_them_too(world, monkeypatch, route, error, status):
    """An error that nobody foresaw changes nothing of it, nor a store that can't be reached."""

    def fail(*_):
        raise error

    for name in ("user_of", "partner_of", "somebody"):
        monkeypatch.setattr(access, name, fail)
    call = well_formed(route, EXCHANGE)
    answer = call.send_raw(world, "programme", [b""])
    assert answer.status == status
    check(answer, call)


def hsts(world: World, scheme: str) -> str | None:
    answer = well_formed("GET /v1/health/live", EXCHANGE).send_raw(world, None, [b""], scheme)
    return answer.headers.get("strict-transport-security")


def test_only_tls_is_asked_for_where_there_is_tls(world):
    """HSTS is said by TLS and behind a declared proxy: over plain loopback it would be a lie."""
    assert hsts(world, "http") is None
    assert hsts(world, "https") == "max-age=31536000; includeSubDomains"
    world.app = create_app(
        world.context,
        review=None,
        on_submitted=print,
        on_answered=print,
        max_upload=1,
        observer=world.observer,
        behind_tls=True,
    )
    assert hsts(world, "http") == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("given", "behind"),
    [
        ({}, False),
        ({"unsafe_plain_http": True}, True),
        ({"unsafe_plain_http": True, "tls_certificate": "c", "tls_key": "k"}, False),
        ({"tls_certificate": "c", "tls_key": "k"}, False),
    ],
)
def test_a_proxy_is_declared_by_the_operator(monkeypatch, tmp_path, given, behind):
    """Only the setting says that a proxy terminates TLS; where we do it ourselves there is none."""
    assert Settings(home=tmp_path, **given).behind_tls is behind


def test_nobody_s_word_about_the_connection_is_taken(world):
    """`X-Forwarded-Proto` of whoever calls makes no plain connection a TLS one."""
    call = Call("GET", "/v1/health/live", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" not in call.send_raw(world, None, [b""]).headers
