from urllib.parse import urlencode

import pytest
from fakes import FakePartyKeys
from proofs import URL, Holder
from web.webworld import FORM

URLENCODED = "application/x-www-form-urlencoded"


def ask(world, form: dict | str, content_type: str = URLENCODED, **changes):
    """`changes`: headers in place of the proof that an agent sends along."""
    body = form if isinstance(form, str) else urlencode(form)
    proof = {"DPoP": world.holders["agent health"].proof("POST", URL + "/v1/token")}
    headers = {"Content-Type": content_type} | (changes or proof)
    return world.call(None, "POST", "/v1/token", content=body, headers=headers)


def form_of(world, slug: str = "health", **changes) -> dict:
    return FORM | {"client_assertion": world.assertion(slug, **changes)}


def assert_error(answer, status: int, error: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.json().keys() <= {"error", "error_description"}
    assert answer.json()["error"] == error
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_signed_assertion_buys_a_token(world):
    """An agent that signs with its registered key gets a token for its proof key, for five minutes."""
    answer = ask(world, form_of(world))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.json().keys() == {"access_token", "token_type", "expires_in"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("DPoP", 300)
    holder = world.holders["agent health"]
    world.holders["new"] = Holder(world.context, holder.prover, answer.json()["access_token"], holder.nonce)
    assert world.call("new", "GET", "/v1/agent/state").status_code == 200


def test_an_assertion_works_once(world):
    """An assertion that was seen before is refused, whoever brings it (RFC 7523 §5)."""
    form = form_of(world)
    assert ask(world, form).status_code == 200
    assert_error(ask(world, form), 401, "invalid_client")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "urn:flagstone:other"},
        {"iss": "police"},
        {"sub": "police"},
        {"sub": "nobody", "iss": "nobody"},
        {"iat": 1, "exp": 61},
        {"exp": 99999999999},
        {"jti": None},
    ],
)
def test_claims_that_do_not_hold_are_refused(world, claims):
    """An assertion for somebody else, of somebody else, stale, long-lived or without id signs nobody in."""
    assert_error(ask(world, form_of(world, **claims)), 401, "invalid_client")


def test_another_partner_s_key_is_refused(world):
    """An assertion that another partner signed signs nobody in."""
    form = FORM | {"client_assertion": world.assertion("health", signer=FakePartyKeys("police"))}
    assert_error(ask(world, form), 401, "invalid_client")


def test_a_revoked_partner_is_refused(world):
    """A revoked partner's own key no longer signs in."""
    assert_error(ask(world, form_of(world, "former")), 401, "invalid_client")


def test_an_access_token_is_no_assertion(world):
    """The gateway's own token can't be handed in as an assertion."""
    assert_error(
        ask(world, FORM | {"client_assertion": world.holders["agent health"].token}), 401, "invalid_client"
    )


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"client_assertion": ""}, 400, "invalid_request"),
        ({"client_assertion_type": "saml"}, 401, "invalid_client"),
        ({"client_id": "health"}, 400, "invalid_request"),
        ({"client_assertion": "a.b.c"}, 401, "invalid_client"),
        ({"client_assertion": "x" * 5000}, 401, "invalid_client"),
        ({"client_assertion": "." * 4000}, 401, "invalid_client"),
    ],
)
def test_other_requests_get_the_errors_of_rfc_6749(world, changes, status, error):
    """Each way to ask wrongly has its error code of RFC 6749 §5.2."""
    assert_error(ask(world, FORM | changes), status, error)


@pytest.mark.parametrize("body", ["", "grant_type", "a=1&a=2", "a=%ff", "\u00e9=1"])
def test_what_is_no_form_is_an_invalid_request(world, body):
    """An empty, cut, repeated or undecodable form is an invalid request."""
    assert_error(ask(world, body), 400, "invalid_request")


def test_unknown_fields_are_ignored(world):
    """RFC 6749 §3.2: unrecognised request parameters are ignored."""
    assert ask(world, form_of(world) | {"scope": "all", "other": "1"}).status_code == 200


def test_sizes_and_types_keep_the_form_of_errors(world):
    """Too large a form and another content type are errors of RFC 6749 too, on this route alone."""
    assert_error(ask(world, "a=" + "x" * 20_000), 413, "invalid_request")
    assert_error(ask(world, form_of(world), "application/json"), 415, "invalid_request")
