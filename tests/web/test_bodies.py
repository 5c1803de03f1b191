import pytest
from web.calls import Call, operations, well_formed
from web.webworld import LIST, MAX_UPLOAD

from gateway.bundle.succession import MAX_SUCCESSION
from gateway.bundle.witness import MAX_NOTE
from gateway.domain.errors import BadInputError
from gateway.web.api.agent import MAX_ANSWER, MAX_JWS, MAX_PREKEYS
from gateway.web.api.enrolment import MAX_ENROLMENT
from gateway.web.api.log import MAX_QUESTION, MAX_REQUEST
from gateway.web.api.token import MAX_FORM
from gateway.web.app import bare_app
from gateway.web.bodies import parse_form

EXCHANGE = "00000000-0000-4000-8000-000000000001"
LIMITS = {
    "POST /v1/lists/check": ("programme", MAX_UPLOAD),
    "POST /v1/exchanges": ("programme", MAX_UPLOAD),
    "POST /v1/token": (None, MAX_FORM),
    "POST /v1/log/evidence/{exchange}": ("reviewer", MAX_REQUEST),
    "POST /v1/log/subject": ("reviewer", MAX_QUESTION),
    "POST /v1/log/subject/extract": ("reviewer", MAX_QUESTION),
    "POST /v1/agent/prekeys": ("agent health", MAX_PREKEYS),
    "PUT /v1/agent/exchanges/{exchange}/answer": ("agent health", MAX_ANSWER),
    "PUT /v1/agent/exchanges/{exchange}/refusal": ("agent health", MAX_JWS),
    "PUT /v1/agent/agreements/{number}/signature": ("agent health", MAX_JWS),
    "PUT /v1/agent/agreements/{number}/revocation": ("agent health", MAX_JWS),
    "PUT /v1/agent/witness": ("agent health", MAX_JWS),
    "PUT /v1/agent/cosignature": ("agent health", MAX_NOTE),
    "PUT /v1/agent/alarm": ("agent health", MAX_JWS),
    "PUT /v1/agent/certificate": ("agent health", MAX_JWS),
    "PUT /v1/agent/council-keys": ("agent health", MAX_JWS),
    "POST /v1/agent/succession": ("agent health", MAX_SUCCESSION),
    "POST /v1/enrolment": (None, MAX_ENROLMENT),
}


def test_every_route_with_a_body_has_a_limit_here():
    """A route that documents a body is held to a limit by the tests below."""
    assert set(LIMITS) == {route for route, operation in operations().items() if "requestBody" in operation}


def test_the_framework_reads_no_body():
    """No route lets FastAPI read its body: it would read it whole, and before it knows who sends it."""
    bodies = [name for name, operation in _effective(bare_app()) if operation.body_field is not None]
    assert bodies == []


def _effective(app):
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        if hasattr(route, "original_router"):
            pending += route.original_router.routes
        elif hasattr(route, "body_field"):
            yield route.name, route


@pytest.mark.parametrize("route", LIMITS)
def test_a_declared_length_over_the_limit_is_refused_unread(world, route):
    """A body that says it is too large gets 413 before a byte of it is read."""
    caller, limit = LIMITS[route]
    call = well_formed(route, EXCHANGE)
    headers = call.headers | {"Content-Length": str(limit + 1)}
    raw = Call(call.method, call.path, call.params, headers, call.type).send_raw(world, caller, [b"x"] * 3)
    assert (raw.status, raw.chunks_read) == (413, 0)
    assert raw.headers["connection"] == "close"


@pytest.mark.parametrize("route", LIMITS)
@pytest.mark.parametrize("declared", [None, "1", "no number", "-5"])
def test_a_body_is_read_no_further_than_its_limit(world, route, declared):
    """A chunked or lying body gets 413 when it passes the limit, and the rest of it is never read."""
    caller, limit = LIMITS[route]
    call = well_formed(route, EXCHANGE)
    headers = call.headers | ({"Content-Length": declared} if declared else {})
    chunks = [b"x" * (limit // 4)] * 12
    raw = Call(call.method, call.path, call.params, headers, call.type).send_raw(world, caller, chunks)
    assert raw.status == 413
    assert raw.chunks_read <= 5
    assert raw.headers["connection"] == "close"


@pytest.mark.parametrize("route", LIMITS)
@pytest.mark.parametrize(
    "wrong",
    ["", "text/html", "multipart/form-data; boundary=x", "application/xml; charset=utf-8", "text/csv\u00e9"],
)
def test_other_content_types_are_refused_unread(world, route, wrong):
    """A body of a type that the route does not document gets 415 before it is read."""
    caller, _ = LIMITS[route]
    call = well_formed(route, EXCHANGE)
    headers = call.headers | {"Content-Type": wrong}
    raw = Call(call.method, call.path, call.params, headers).send_raw(world, caller, [b"x"] * 3)
    assert (raw.status, raw.chunks_read) == (415, 0)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "Identity "])
def test_compressed_bodies_are_refused(world, encoding):
    """A compressed body could hold more than its length says: it is not read."""
    call = well_formed("POST /v1/lists/check", EXCHANGE)
    raw = Call(call.method, call.path, headers={"Content-Encoding": encoding}, type=call.type)
    assert raw.send_raw(world, "programme", [LIST]).status == 415


def test_a_list_may_come_in_any_chunks(world):
    """How the bytes of a list are cut on their way changes nothing."""
    call = well_formed("POST /v1/lists/check", EXCHANGE)
    whole = call.send_raw(world, "programme", [LIST])
    cut = call.send_raw(world, "programme", [LIST[i : i + 7] for i in range(0, len(LIST), 7)])
    assert whole.status == cut.status == 200
    assert whole.body == cut.body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"prekeys": []}',
        b'{"prekeys": [1]}',
        b'{"prekeys": "a"}',
        b"\xff\xfe",
        b"[" * 9000,
    ],
)
def test_malformed_prekeys_are_refused(world, body):
    """Anything but a list of 1 to 200 texts is bad input, and nothing of it is kept."""
    before = world.store.committed.prekeys
    call = well_formed("POST /v1/agent/prekeys", EXCHANGE)
    answer = Call(call.method, call.path, type=call.type, content=body).send(world, "agent health")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:flagstone:problem:bad-input"
    assert world.store.committed.prekeys == before


def test_bytes_where_text_belongs_are_refused(world):
    """A signature that is not ASCII is bad input."""
    call = well_formed("PUT /v1/agent/agreements/{number}/signature", EXCHANGE)
    answer = Call(call.method, call.path, type=call.type, content=b"\xff.\xfe.").send(world, "agent health")
    assert answer.status_code == 422


@pytest.mark.parametrize("form", ["a", "a=1&a=2", "a=1&b", "a=%ff", "&".join(f"f{i}=1" for i in range(21))])
def test_bad_forms_are_refused(form):
    """A form that is cut, repeats a field, is not UTF-8 or has too many fields is refused."""
    with pytest.raises(BadInputError, match="body: "):
        parse_form(form)


def test_a_form_is_read_whole():
    """Fields come out decoded, also empty ones."""
    assert parse_form("a=1+2&b=%C3%A9&c=") == {"a": "1 2", "b": "é", "c": ""}
