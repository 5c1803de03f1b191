"""Sessions, cookies, forged requests and one-time links: the gateway without a provider, on loopback."""

from dataclasses import replace

import pytest
from fakes import a_user
from oidc_world import Person, a_gateway, kinds, refusals

from gateway.domain.errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    NotSignedInError,
    StoreUnavailableError,
)
from gateway.domain.sessions import Ended, SignInRules
from gateway.pages.browser import Browser
from gateway.service import links, sessions, users
from gateway.web.signin import router

LOOPBACK = "http://127.0.0.1:8400"


@pytest.fixture
def world():
    return a_gateway(None, secure=False)


def arrived(world, name="programme", base=LOOPBACK) -> Person:
    """A browser that used a user's one-time link."""
    person = Person(world, base)
    assert person.post("/signin/link", code=links.make(world.context, name)).status_code == 303
    return person


def test_a_link_signs_one_browser_in_once(world):
    """The first to press the button is in, with a banner on each page; a second and a late one are not."""
    code = links.make(world.context, "reviewer")
    person = Person(world, LOOPBACK)
    page = person.gateway.get("/signin/link", params={"code": code})
    assert (page.status_code, code in page.text) == (200, True)
    assert person.post("/signin/link", code=code).headers["location"] == "/session"
    for path in ("/signin", "/session", "/signedout"):
        assert "No identity provider is configured" in person.gateway.get(path).text
    assert person.gateway.get("/v1/log/entries").status_code == 200
    assert Person(world, LOOPBACK).post("/signin/link", code=code).status_code == 401
    late = links.make(world.context, "reviewer")
    world.clock.advance(minutes=10)
    assert Person(world, LOOPBACK).post("/signin/link", code=late).status_code == 401
    assert refusals(world) == {"bad-link": 2}
    made = [kind for kind in kinds(world) if kind != "log.read"]
    assert made[-3:] == ["access.link-made", "access.signed-in", "access.link-made"]


def test_what_is_stored_signs_nobody_in(world):
    """Of link, session and token the store has hashes alone."""
    code = links.make(world.context, "programme")
    assert code not in repr(world.store.committed.links)
    person = arrived(world)
    token = person.token()
    held = repr((world.store.committed.sessions, world.store.committed.session_tokens))
    assert person.cookie not in held
    assert token not in held
    assert token.removeprefix("fss_") not in held


@pytest.mark.parametrize(
    ("secure", "browser", "base", "name"),
    [
        (True, Browser("https://gateway.example"), "https://gateway.example", "__Host-flagstone"),
        (True, Browser(tls=True), "https://localhost:8400", "__Host-flagstone"),
        (False, Browser(), LOOPBACK, "flagstone"),
    ],
)
def test_the_cookie_is_closed_to_scripts_and_other_sites(world, secure, browser, base, name):
    """HttpOnly, SameSite=Lax, Path=/, no Domain; under TLS Secure with the `__Host-` prefix."""
    world.app.state.wiring = replace(world.app.state.wiring, browser=browser)
    code = links.make(world.context, "programme")
    cookie = Person(world, base).post("/signin/link", code=code).headers["set-cookie"]
    assert cookie.startswith(f"{name}=")
    assert set(cookie.split("; ")[1:]) == {"Path=/", "HttpOnly", "SameSite=Lax"} | (
        {"Secure"} if secure else set()
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8401"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": LOOPBACK, "Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_another_site_can_not_act_for_a_session(world, headers):
    """With the right token, a request that no page of ours made changes nothing, on pages and API alike."""
    person = arrived(world)
    csrf = person.csrf
    assert person.gateway.post("/signout", data={"csrf": csrf}, headers=headers).status_code == 403
    with_token = headers | {"X-CSRF-Token": csrf}
    assert person.gateway.post("/v1/lists/check", headers=with_token).status_code == 403
    assert len(world.store.committed.sessions) == 1
    assert refusals(world) == {"forged-request": 2}


@pytest.mark.parametrize("token", ["", "A" * 43, "other"])
def test_a_request_without_the_session_s_own_token_changes_nothing(world, token):
    """A missing token, a made-up one and another session's are refused, though our own page is named."""
    person = arrived(world)
    csrf = arrived(world, "other programme").csrf if token == "other" else token
    assert person.post("/signout", csrf=csrf).status_code == 403
    headers = {"Origin": LOOPBACK, "X-CSRF-Token": csrf}
    assert person.gateway.post("/v1/lists/check", headers=headers).status_code == 403
    own = headers | {"X-CSRF-Token": person.csrf}
    assert person.gateway.post("/v1/lists/check", headers=own).status_code == 415  # let in, no list


def test_a_link_is_not_used_for_another_site(world):
    """Another site can't sign a browser in as somebody else."""
    code = links.make(world.context, "programme")
    answer = Person(world, LOOPBACK).post("/signin/link", origin="https://evil.example", code=code)
    assert answer.status_code == 403
    assert world.store.committed.links


@pytest.mark.parametrize("host", ["gateway.example", "evil.example:8400", "127.0.0.1.evil.example"])
def test_without_a_provider_pages_are_for_this_machine_alone(world, host):
    """By a name that is not loopback's no page is shown, whoever it resolves to (DNS rebinding)."""
    answer = Person(world, LOOPBACK).gateway.get("/signin", headers={"Host": host})
    assert answer.status_code == 403


def test_a_session_ends_when_it_is_idle(world):
    """Half an hour without use ends it; each use, of its token as well, begins the half hour anew."""
    person = arrived(world)
    world.tokens["minted"] = person.token()
    for _ in range(3):
        world.clock.advance(minutes=29)
        assert person.gateway.get("/v1/exchanges").status_code == 200
    assert world.call("minted", "GET", "/v1/exchanges").status_code == 401  # the hour of the token is over
    world.clock.advance(minutes=30)
    assert "idle" in person.gateway.get("/v1/exchanges").json()["detail"]
    assert person.gateway.get("/session").status_code == 401


def test_what_ran_out_unseen_is_logged_at_the_next_sign_in(world):
    """A browser that never comes back leaves an ended session in the log all the same."""
    arrived(world)
    world.clock.advance(minutes=31)
    arrived(world)
    assert kinds(world).count("access.session-ended") == 1
    assert len(world.store.committed.sessions) == 1


def test_a_revoked_user_s_sessions_and_tokens_end_at_once(world):
    """The next request of the cookie and of the token is refused, without waiting for any limit."""
    person = arrived(world)
    world.tokens["minted"] = person.token()
    users.revoke(world.context, "programme")
    assert person.gateway.get("/v1/exchanges").status_code == 401
    assert world.call("minted", "GET", "/v1/exchanges").status_code == 401
    assert kinds(world)[-2:] == ["access.session-ended", "user.revoked"]


def test_a_revoked_partner_s_custodian_is_out(world):
    """A custodian goes with the organisation: token and session."""
    person = arrived(world, "custodian health")
    with world.store.begin() as uow:
        uow.partners.revoke("health", world.clock())
        uow.commit()
    assert person.gateway.get("/v1/exchanges").status_code == 401
    assert world.call("custodian health", "GET", "/v1/exchanges").status_code == 401


def test_signing_in_anew_replaces_the_session(world):
    """One browser has one session: the old secret is worth nothing afterwards."""
    person = arrived(world)
    old = person.cookie
    person.post("/signin/link", code=links.make(world.context, "programme"))
    assert person.cookie != old
    with pytest.raises(NotSignedInError):
        sessions.by_secret(world.context, old)


def test_a_token_outranks_a_cookie(world):
    """Whoever sends Authorization is judged by it alone; a bad one is not saved by a good cookie."""
    person = arrived(world)
    headers = {"Authorization": f"Bearer {world.tokens['reviewer']}"}
    assert person.gateway.get("/v1/log/entries", headers=headers).status_code == 200
    assert person.gateway.get("/v1/exchanges", headers={"Authorization": "Bearer fst_x"}).status_code == 401
    assert person.gateway.get("/v1/exchanges", headers={"Authorization": "Basic x"}).status_code == 401


def test_only_a_browser_s_session_makes_tokens(world):
    """A token makes no further tokens: the page needs the cookie."""
    person = arrived(world)
    headers = {"Authorization": f"Bearer {person.token()}", "Origin": LOOPBACK}
    stranger = Person(world, LOOPBACK).gateway
    assert stranger.post("/session/token", headers=headers).status_code == 401


def test_break_glass_is_loud_and_short(world):
    """An hour's way in past the provider: its own entry, a banner on each page, over after the hour."""
    strict = a_gateway("http://127.0.0.1:9")  # a provider that nobody can reach
    with pytest.raises(ConflictError, match="identity provider"):
        links.make(strict.context, "reviewer")
    with pytest.raises(NotFoundError):
        links.break_glass(strict.context, "nobody", links.BreakGlassReason.DRILL)
    broken = links.break_glass(strict.context, "reviewer", links.BreakGlassReason.PROVIDER_DOWN)
    assert "access.break-glass" in kinds(strict)
    assert broken.token.startswith("fsb_")
    strict.tokens["broken"] = broken.token
    assert strict.call("broken", "GET", "/v1/log/entries").status_code == 200
    person = Person(strict)
    assert person.post("/signin/link", code=broken.code).status_code == 303
    assert "Break-glass session" in person.gateway.get("/session").text
    assert person.gateway.get("/v1/log/entries").status_code == 200
    assert Person(strict).post("/signin/link", code=broken.code).status_code == 401
    for _ in range(3):
        strict.clock.advance(minutes=20)
        answer = person.gateway.get("/v1/log/entries")
    assert answer.status_code == 401
    assert strict.call("broken", "GET", "/v1/log/entries").status_code == 401


def test_a_link_counts_for_nothing_once_there_is_a_provider(world):
    """Links and their sessions from before the provider was configured sign nobody in."""
    person = arrived(world)
    code = links.make(world.context, "programme")
    wiring = world.app.state.wiring
    strict = replace(world.context, rules=SignInRules(provider=True))
    world.app.state.wiring = replace(wiring, context=strict)
    assert person.gateway.get("/v1/exchanges").status_code == 401
    assert Person(world, LOOPBACK).post("/signin/link", code=code).status_code == 401


def test_every_way_to_end_is_told_apart(world):
    """The reason of each end is a code of its own in the log."""
    assert len({each.value for each in Ended}) == len(Ended) == 7
    person = arrived(world)
    person.post("/signout", csrf=person.csrf)
    last = world.store.committed.leaves[-1].decode()
    assert '"reason":"signed-out"' in last


def test_pages_load_nothing_from_elsewhere_and_run_no_script(world):
    """Every page forbids scripts and frames, carries its own style sheet, and is not kept."""
    person = arrived(world)
    for path in ("/signin", "/session", "/signedout", "/signin/link?code=x"):
        page = person.gateway.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert '<html lang="en-GB">' in page.text
    assert person.gateway.get("/assets/flagstone.css").headers["content-type"].startswith("text/css")


def test_what_comes_in_is_escaped(world):
    """A code, or a name, that is markup is shown as text."""
    nasty = "<script>x</script>"
    page = Person(world, LOOPBACK).gateway.get("/signin/link", params={"code": nasty})
    assert nasty not in page.text
    users.add(world.context, nasty, world.store.committed.users.popitem()[1].role.PROGRAMME)
    page = arrived(world, nasty).gateway.get("/session")
    assert nasty not in page.text
    assert "&lt;script&gt;" in page.text


def test_no_code_or_secret_is_logged(world):
    """Codes, cookies and tokens appear in no log line and no metric, whether good or refused."""
    person = arrived(world)
    secrets = [links.make(world.context, "programme"), person.cookie, person.token(), person.csrf]
    person.gateway.get("/signin/link", params={"code": secrets[0]})
    person.gateway.get("/signin/callback", params={"code": secrets[0], "state": secrets[0]})
    Person(world, LOOPBACK).post("/signin/link", code=secrets[1])
    said = world.lines.getvalue() + world.observer.exposition().decode()
    assert not [secret for secret in secrets if secret in said]


PAGES = {
    # what a stranger gets, and a signed-in browser without its session's token, from a page of ours
    ("GET", "/assets/flagstone.css"): (200, 200),
    ("GET", "/signin"): (200, 200),
    ("GET", "/signin/start"): (409, 409),  # there is no provider
    ("GET", "/signin/callback"): (409, 409),
    ("POST", "/signin/backchannel-logout"): (409, 409),
    ("GET", "/signin/link"): (422, 422),
    ("POST", "/signin/link"): (401, 401),
    ("GET", "/signedout"): (200, 200),
    ("GET", "/session"): (401, 200),
    ("GET", "/session/step-up"): (401, 409),
    ("POST", "/session/token"): (401, 403),
    ("POST", "/signout"): (401, 403),
}


def test_every_page_has_a_line():
    """A page that the table does not know fails here, and so does a line without a page."""
    assert {(method, route.path) for route in router.routes for method in route.methods} == set(PAGES)


@pytest.mark.parametrize(("page", "expected"), PAGES.items(), ids=str)
def test_who_gets_which_page(world, page, expected):
    """Strangers get the pages of signing in and nothing of a session."""
    method, path = page
    headers = {"Origin": LOOPBACK}
    data = {"x": "y"} if method == "POST" else None
    for person, status in zip((Person(world, LOOPBACK), arrived(world)), expected, strict=True):
        answer = person.gateway.request(method, path, headers=headers, data=data)
        assert answer.status_code == status, answer.text


def test_a_page_says_when_to_come_again(world, monkeypatch):
    """Where the store is away, a page is answered 503 with Retry-After, as the API's problems are."""

    def away():
        raise StoreUnavailableError("the database can't be used now", place="store")

    person = arrived(world)
    monkeypatch.setattr(sessions, "by_secret", lambda *_: away())
    answer = person.gateway.get("/session")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_process_that_knows_no_provider_does_not_serve_who_signs_in_at_one(world):
    """It would demand no second factor of anybody; once those people are revoked it may start."""
    users.require_their_provider(world.context)
    with world.store.begin() as uow:
        uow.users.enrol(a_user("Eve", token_hash=None, account=b"e" * 32))
        uow.commit()
    with pytest.raises(ConfigurationError, match="identity provider"):
        users.require_their_provider(world.context)
    users.require_their_provider(replace(world.context, rules=SignInRules(provider=True)))
    users.revoke(world.context, "Eve")
    users.require_their_provider(world.context)
