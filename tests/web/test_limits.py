"""Rates and quotas over HTTP: who is told to wait, for how long, and what is said."""

from dataclasses import replace

import pytest
from fakes import FakeUses
from web.calls import operations
from web.webworld import FORM, LIST, a_world

from gateway.domain.allowances import Allowances
from gateway.domain.errors import BadInputError, ConfigurationError
from gateway.service.limiting import address_bucket, until_tomorrow

MORE = LIST + b"4,h1,Dan,Example,2018-09-10,m,LS1 4AP,crime.asb_intervention_12m,yes,yes\n"


@pytest.fixture
def world():
    """Two of each a minute, and one list a day under an agreement."""
    made = a_world()
    wiring = made.app.state.wiring
    few = Allowances(sign_in=2, read=2, submit=2, search=2, poll=2, lists_a_day=1)
    context = replace(wiring.context, uses=FakeUses(), allowances=few)
    made.app.state.wiring = replace(wiring, context=context)
    return made


def limited(answer, limit, seconds):
    assert answer.status_code == 429, answer.text
    assert answer.json()["type"] == "urn:flagstone:problem:too-many"
    assert answer.json()["detail"].startswith(f"limit {limit}: more than ")
    assert answer.headers["retry-after"] == str(seconds)
    return True


@pytest.mark.parametrize(
    ("caller", "path", "limit"),
    [
        ("programme", "/v1/exchanges", "read"),
        ("reviewer", "/v1/log/find", "search"),
        ("agent health", "/v1/agent/state", "poll"),
    ],
)
def test_who_asks_too_often_waits(world, caller, path, limit):
    """The third in a minute is refused until the minute is over; another caller is not held back by it."""
    world.clock.advance(seconds=20)
    assert [world.call(caller, "GET", path).status_code for _ in range(2)] == [200, 200]
    assert limited(world.call(caller, "GET", path), limit, 40)
    other = {"programme": "other programme", "reviewer": "operator"}.get(caller, "agent police")
    assert world.call(other, "GET", path).status_code != 429
    world.clock.advance(seconds=40)
    assert world.call(caller, "GET", path).status_code == 200
    assert f'flagstone_limited_total{{limit="{limit}"}} 1.0' in world.observer.exposition().decode()


def test_the_log_of_access_and_the_answer_name_nobody(world):
    """A refusal says which limit it was, and neither the user nor a count of others."""
    for _ in range(3):
        answer = world.call("programme", "GET", "/v1/exchanges")
    (user,) = {
        key.split(":")[1] for key, _ in world.app.state.wiring.context.uses.used if key.startswith("read")
    }
    assert user not in answer.text + world.lines.getvalue()


def test_guesses_are_slowed_by_address(world):
    """Unknown tokens and bad assertions count together by address; a good token from there still passes."""
    for _ in range(2):
        world.tokens["guess"] = "fst_" + "A" * 43
        assert world.call("guess", "GET", "/v1/exchanges").status_code == 401
    assert limited(world.call("guess", "GET", "/v1/exchanges"), "sign-in", 60)
    assert limited(world.call(None, "POST", "/v1/token", data=FORM), "sign-in", 60)
    assert world.call("programme", "GET", "/v1/exchanges").status_code == 200


def test_guesses_at_pages_are_slowed_too(world):
    """Cookies of sessions that never were count by address as tokens do, and are kept no more after that."""
    cookie = {"Cookie": world.in_browser("A" * 43)["Cookie"]}
    for _ in range(2):
        assert world.call(None, "GET", "/session", headers=cookie).status_code == 401
    before = dict(world.store.committed.sign_ins)
    assert world.call(None, "GET", "/session", headers=cookie).status_code == 429
    assert world.call(None, "GET", "/v1/exchanges", headers=cookie).status_code == 429
    assert sum(world.store.committed.sign_ins.values()) <= sum(before.values()) + 2


def test_pages_of_a_session_count_as_its_user_s_reads(world):
    """Whoever is signed in makes no more tokens, and loads no more pages, than the rate lets."""
    shown = world.in_browser(world.browse("programme"))
    for _ in range(2):
        assert world.call(None, "GET", "/session", headers=shown).status_code == 200
    told = world.call(None, "GET", "/session", headers=shown)
    assert (told.status_code, told.headers["Retry-After"].isdigit()) == (429, True)


def test_without_a_key_no_address_is_counted(world):
    """A context without a key refuses: an unkeyed hash of an address is soon undone."""
    with pytest.raises(ConfigurationError):
        address_bucket(replace(world.context, address_key=b""), "192.0.2.7")


def test_an_address_is_kept_as_a_keyed_hash(world):
    """What is stored says nothing of the address, changes with the day, and is one for an IPv6 site."""
    context = world.app.state.wiring.context
    first = address_bucket(context, "192.0.2.7")
    assert len(first) == 32
    assert first != address_bucket(context, "192.0.2.8")
    assert address_bucket(context, "2001:db8::1") == address_bucket(context, "2001:db8::ffff:2")
    assert address_bucket(context, "2001:db8::1") != address_bucket(context, "2001:db8:0:1::1")
    assert address_bucket(context, "not an address") == address_bucket(context, "")
    world.clock.advance(days=1)
    assert first != address_bucket(context, "192.0.2.7")


def test_lists_under_an_agreement_have_a_quota(world):
    """The second list of a day is refused until tomorrow in London and leaves nothing; then it goes."""
    assert world.submit().status_code == 201
    entries = len(world.store.committed.leaves)
    again = world.submit(key="key-00000002", content=MORE)
    assert limited(again, "lists-a-day", until_tomorrow(world.clock()))
    assert len(world.store.committed.leaves) == entries
    assert until_tomorrow(world.clock()) == 12 * 3600
    world.clock.advance(hours=12)
    world.tokens["agent health"] = ""
    assert world.submit(key="key-00000002", content=MORE).status_code == 201


@pytest.mark.parametrize(
    ("few", "limit"),
    [
        (Allowances(people_a_day=4), "people-a-day"),
        (Allowances(submissions_a_day=1), "submissions-a-day"),
    ],
    ids=["people", "submissions"],
)
def test_people_and_a_users_submissions_have_quotas(world, few, limit):
    """People under an agreement and exchanges of one user are bounded by the day too."""
    wiring = world.app.state.wiring
    world.app.state.wiring = replace(wiring, context=replace(wiring.context, allowances=few))
    assert world.submit().status_code == 201
    assert limited(world.submit(key="key-00000002", content=MORE), limit, 12 * 3600)


def test_no_allowance_is_less_than_one():
    """Nothing is switched off by a slip: an allowance of none is refused."""
    with pytest.raises(BadInputError):
        Allowances(read=0)


def test_every_route_with_a_caller_documents_waiting():
    """Each route that knows its caller documents 429 with Retry-After, and 503 with it too."""
    for route, operation in operations().items():
        if "/health/" in route:
            continue
        for status in ("429", "503"):
            assert "Retry-After" in operation["responses"][status]["headers"], (route, status)
