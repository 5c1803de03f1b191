"""Signing in at a real provider process, with the redirects that a browser follows."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fakes import NOON
from joserfc.jwk import RSAKey
from oidc_world import MFA, PUBLIC, Person, a_client, a_gateway, kinds, refusals, running

from gateway.domain.exchange import Role

pytestmark = pytest.mark.processes

NOWHERE = "/v1/exchanges/00000000-0000-0000-0000-000000000001/results"


@pytest.fixture(scope="module")
def provider():
    with running() as made:
        yield made


@pytest.fixture
def world(provider):
    return a_gateway(provider.issuer)


@pytest.fixture
def person(world):
    return Person(world)


def signed_in_user(world):
    return next(user for user in world.store.committed.users.values() if user.account)


def test_the_way_there_and_back(provider, world, person):
    """Who the provider signs in has a user without name in the log, a session, and a plain URL at the end."""
    provider.sign_in_next("ann", "programme", name="Ann Example")
    page = person.open("/signin/start")
    assert (page.status_code, str(page.url)) == (200, f"{PUBLIC}/session")
    for said in ("Ann Example", "programme", "Council", "not shown"):
        assert said in page.text
    user = signed_in_user(world)
    assert (user.name, user.role, user.token_hash) == ("Ann Example", Role.PROGRAMME, None)
    assert kinds(world)[-2:] == ["user.added", "access.signed-in"]
    leaves = b"".join(world.store.committed.leaves)
    assert b"Ann Example" not in leaves
    assert b'"ann"' not in leaves
    assert "ann" not in repr(world.store.committed.sessions).lower()


def test_the_request_uses_pkce_nonce_and_state(person):
    """The redirect asks for a code with an S256 challenge, a nonce and a state, all of them new each time."""
    asked = []
    for _ in range(2):
        answer = person.gateway.get("/signin/start")
        asked.append(parse_qs(urlsplit(answer.headers["location"]).query))
    for each in asked:
        assert each["response_type"] == ["code"]
        assert each["code_challenge_method"] == ["S256"]
        assert each["redirect_uri"] == [f"{PUBLIC}/signin/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) == 43


def test_an_answer_to_another_browser_signs_nobody_in(provider, world, person):
    """Somebody else's code and state, brought into one's browser, are refused: no login of the attacker's."""
    provider.sign_in_next("mallory", "programme")
    address = person.until_callback()
    victim = Person(world)
    assert victim.open(address).status_code == 401
    victim.gateway.get("/signin/start")  # with a try of one's own under way as well
    assert victim.open(address).status_code == 401
    assert victim.cookie is None
    assert refusals(world) == {"bad-sign-in": 2}


@pytest.mark.parametrize("changed", ["state", "code", "iss", "cookie"])
def test_a_changed_answer_signs_nobody_in(provider, world, person, changed):
    """A state, code, issuer or cookie that is not the one of this try ends it."""
    provider.sign_in_next("ann", "programme")
    url = httpx.URL(person.until_callback())
    if changed == "cookie":
        name = "__Host-flagstone-sign-in"
        cookie = person.gateway.cookies[name]
        person.gateway.cookies.clear()
        person.gateway.cookies.set(name, "A" * 43 + cookie[43:], domain="gateway.example")
    else:
        url = url.copy_set_param(changed, "https://other.example" if changed == "iss" else "A" * 43)
    answer = person.open(str(url))
    assert answer.status_code == 401
    assert person.cookie is None
    assert refusals(world) == {"bad-sign-in": 1}


def test_an_answer_works_once_and_within_ten_minutes(provider, world, person):
    """The same answer again, and one that took over ten minutes, are refused."""
    provider.sign_in_next("ann", "programme")
    address = person.until_callback()
    cookies = dict(person.gateway.cookies)
    assert person.open(address).status_code == 200
    again = Person(world)
    for name, value in cookies.items():
        again.gateway.cookies.set(name, value, domain="gateway.example")
    assert again.open(address).status_code == 401
    late = Person(world)
    address = late.until_callback()
    world.clock.advance(minutes=11)
    assert late.open(address).status_code == 401
    assert refusals(world) == {"bad-sign-in": 2}


def test_a_wrong_nonce_or_verifier_is_refused(provider, world, person, monkeypatch):
    """An ID token with another nonce, and a code that another verifier was made for, sign nobody in."""
    from gateway.service import attempts

    real = attempts.finish
    for changed in ("nonce", "verifier"):
        provider.sign_in_next("ann", "programme")
        address = person.until_callback()

        def other(ctx, cookie, state, changed=changed):
            from dataclasses import replace

            return replace(real(ctx, cookie, state), **{changed: "B" * 43})

        monkeypatch.setattr(attempts, "finish", other)
        assert person.open(address).status_code == 401
        monkeypatch.setattr(attempts, "finish", real)
    assert refusals(world) == {"bad-sign-in": 2}


@pytest.mark.parametrize(("roles", "reason"), [((), "no-role"), (("programme", "reviewer"), "several-roles")])
def test_no_role_and_two_roles_are_turned_away(provider, world, person, roles, reason):
    """Who has no role, or both submits and reviews, is refused and counted, and has no session."""
    provider.sign_in_next("bob", *roles, **MFA)
    answer = person.open("/signin/start")
    assert answer.status_code == 401
    assert refusals(world) == {reason: 1}
    assert world.store.committed.sessions == {}


def test_who_denies_the_sign_in_is_not_in(provider, world, person):
    """A provider that sends an error instead of a code leads to a page that says so."""
    provider.test("next", sub="ann", deny=True)
    answer = person.open("/signin/start")
    assert (answer.status_code, "signed nobody in" in answer.text) == (401, True)


def test_a_reviewer_is_sent_back_for_a_second_factor(provider, world, person):
    """A reviewer's password alone leads to the provider again, asked for a second factor; then it is good."""
    provider.sign_in_next("rae", "reviewer", step_up=MFA)
    page = person.open("/signin/start")
    assert (page.status_code, "shown" in page.text) == (200, True)
    asked = [parse_qs(urlsplit(url).query) for url in person.visited if "/auth?" in url]
    assert "acr_values" not in asked[0]
    assert (asked[1]["acr_values"], asked[1]["prompt"], asked[1]["max_age"]) == (
        ["urn:test:mfa"],
        ["login"],
        ["0"],
    )
    (session,) = world.store.committed.sessions.values()
    assert (session.role, session.multi_factor) == (Role.REVIEWER, True)


@pytest.mark.parametrize("role", ["reviewer", "operator"])
def test_without_a_second_factor_there_is_no_reviewer_or_operator(provider, world, person, role):
    """A provider that does not ask for a second factor although it was told to signs neither in."""
    provider.sign_in_next("rae", role)
    answer = person.open("/signin/start")
    assert answer.status_code == 401
    assert refusals(world) == {"one-factor": 1}
    assert world.store.committed.sessions == {}


def test_results_need_a_second_factor_and_a_step_up_gives_it(provider, world, person):
    """A programme user with a password alone reads no results; after the step-up the same user does."""
    provider.sign_in_next("ann", "programme", step_up=MFA)
    person.open("/signin/start")
    before = person.cookie
    assert person.gateway.get("/v1/exchanges").status_code == 200
    refused = person.gateway.get(NOWHERE)
    assert (refused.status_code, refused.json()["type"]) == (
        403,
        "urn:flagstone:problem:second-factor-needed",
    )
    assert "/session/step-up" in person.gateway.get("/session").text
    assert person.open("/session/step-up").status_code == 200
    assert person.cookie != before
    assert person.gateway.get(NOWHERE).status_code == 404
    assert len(world.store.committed.sessions) == 1


def test_operator_issued_tokens_no_longer_suffice(provider, world, person):
    """With a provider, a old token reviews nothing, runs nothing and reads no results; metrics stay."""
    assert world.call("reviewer", "GET", "/v1/log/entries").status_code == 403
    assert world.call("operator", "GET", "/v1/proposals").status_code == 403
    assert world.call("programme", "GET", NOWHERE).status_code == 403
    assert world.call("programme", "GET", "/v1/exchanges").status_code == 200
    assert world.call("operator", "GET", "/v1/metrics").status_code == 200


def test_a_session_makes_a_token_that_dies_with_it(provider, world, person):
    """A reviewer's token from the page works for the command line, for an hour, until the session ends."""
    provider.sign_in_next("rae", "reviewer", **MFA)
    person.open("/signin/start")
    world.tokens["minted"] = person.token()
    assert world.tokens["minted"].startswith("fss_")
    assert world.call("minted", "GET", "/v1/log/entries").status_code == 200
    assert kinds(world)[-2:] == ["access.token-made", "log.read"]
    assert person.post("/signout", csrf=person.csrf).status_code == 303
    assert world.call("minted", "GET", "/v1/log/entries").status_code == 401


def test_a_custodian_belongs_to_the_organisation_of_the_claims(provider, world, person):
    """The claim's organisation is mapped to an enrolled partner; one that maps to none or two is refused."""
    now, world.clock.now = world.clock.now, NOON
    exchange = world.sent()
    world.clock.now = now
    provider.sign_in_next("cus", "custodian", claims={"organisation": "NHS-1"})
    assert "health" in person.open("/signin/start").text
    assert person.gateway.get(f"/v1/exchanges/{exchange}").status_code == 200
    for claims in ({"organisation": "ELSE"}, {"organisation": ["NHS-1", "POL-1"]}, {}):
        provider.sign_in_next("cus2", "custodian", claims=claims)
        assert Person(world).open("/signin/start").status_code == 401
    assert refusals(world) == {"no-organisation": 3}
    provider.sign_in_next("cus3", "custodian", claims={"organisation": "POL-1"})
    other = Person(world)
    other.open("/signin/start")
    assert other.gateway.get(f"/v1/exchanges/{exchange}").status_code == 404
    assert other.gateway.get("/v1/exchanges").json() == {"exchanges": []}


def test_a_role_that_changes_ends_the_sessions_under_the_old_one(provider, world, person):
    """Once the claims give another role, or none, whatever was signed in before is out at once."""
    provider.sign_in_next("ann", "programme")
    person.open("/signin/start")
    provider.sign_in_next("ann", "reviewer", **MFA)
    Person(world).open("/signin/start")
    assert person.gateway.get("/v1/exchanges").status_code == 401
    assert "user.role-changed" in kinds(world)
    again = Person(world)
    again.open("/signin/start")
    provider.sign_in_next("ann")
    assert Person(world).open("/signin/start").status_code == 401
    assert again.gateway.get("/v1/exchanges").status_code == 401
    assert kinds(world)[-1] == "user.role-withdrawn"
    assert world.store.committed.sessions == {}


def test_a_revoked_user_is_out_and_stays_out(provider, world, person):
    """The operator's revocation ends the session at once, and the provider's word does not undo it."""
    from gateway.service import users

    provider.sign_in_next("ann", "programme", name="Ann Example")
    person.open("/signin/start")
    users.revoke(world.context, "Ann Example")
    assert person.gateway.get("/v1/exchanges").status_code == 401
    assert person.open("/signin/start").status_code == 401
    assert refusals(world)["revoked"] == 1


def test_the_provider_s_keys_may_rotate(provider, world, person):
    """A token under a key that was never seen is good: the keys are fetched anew, once in half a minute."""
    provider.sign_in_next("ann", "programme")
    assert person.open("/signin/start").status_code == 200
    provider.test("rotate")
    assert Person(world).open("/signin/start").status_code == 200
    provider.test("rotate")
    assert Person(world).open("/signin/start").status_code == 401
    world.clock.advance(seconds=31)
    assert Person(world).open("/signin/start").status_code == 200


def test_a_new_session_has_a_new_id(provider, world, person):
    """A cookie that was there before the sign-in, planted or old, counts for nothing after it."""
    planted = "P" * 43
    person.gateway.cookies.set("__Host-flagstone", planted, domain="gateway.example")
    provider.sign_in_next("ann", "programme")
    person.open("/signin/start")
    first = person.gateway.cookies.get("__Host-flagstone", domain="gateway.example", path="/")
    assert first != planted
    person.open("/signin/start")
    assert len(world.store.committed.sessions) == 1
    stale = Person(world)
    stale.gateway.cookies.set("__Host-flagstone", first, domain="gateway.example")
    assert stale.gateway.get("/v1/exchanges").status_code == 401


def test_the_absolute_limit_holds(provider, world, person):
    """A session ends after ten hours whatever its use, and the log says so."""
    provider.sign_in_next("ann", "programme")
    person.open("/signin/start")
    for _ in range(24):
        world.clock.advance(minutes=24)
        assert person.gateway.get("/v1/exchanges").status_code == 200
    world.clock.advance(minutes=24)
    assert "limit" in person.gateway.get("/v1/exchanges").json()["detail"]
    assert kinds(world)[-1] == "access.session-ended"


def test_we_sign_in_to_the_provider_by_key_as_well(tmp_path):
    """`private_key_jwt` instead of a secret: the right key is taken, another one signs nobody in."""
    keys = [RSAKey.generate_key(2048, {"kid": "ours", "use": "sig"}) for _ in range(2)]
    path = tmp_path / "client.pem"
    path.touch(0o600)
    known = {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [keys[0].as_dict(private=False)]},
        "client_secret": None,
    }
    ours = {
        "client_auth": "private_key_jwt",
        "client_key": path,
        "client_secret": None,
        "client_key_id": "ours",
    }
    with running({name: value for name, value in a_client(**known).items() if value}) as provider:
        for key, status in zip(keys, (200, 401), strict=True):
            path.write_bytes(key.as_pem(private=True))
            provider.sign_in_next("ann", "programme")
            world = a_gateway(provider.issuer, client=ours)
            assert Person(world).open("/signin/start").status_code == status


def test_a_provider_that_is_down_says_so(world):
    """Without a provider the page answers 503 in plain words, and sessions that are there go on."""
    with running() as gone:
        lonely = a_gateway(gone.issuer)
        gone.sign_in_next("ann", "programme")
        before = Person(lonely)
        before.open("/signin/start")
        gone.stop()
        late = Person(lonely)
        assert before.gateway.get("/v1/exchanges").status_code == 200
        lonely.clock.now += timedelta(hours=1)  # what was known of the provider is old by then
        page = late.open("/signin/start")
        assert page.status_code == 503
        assert "can&#39;t be reached" in page.text
        assert "break-glass" in page.text
