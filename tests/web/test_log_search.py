"""The reviewer's searches over HTTP: what is found, what is refused, and where typed details do not go."""

import json

import pytest
from web.webworld import LIST, QUESTION, World

from gateway.service.search_context import SearchContext
from gateway.web.app import create_review_app

FIND = "/v1/log/find"
SUBJECT = "/v1/log/subject"
TYPED = {"forename": "Xanthippe", "surname": "Quaxelbury", "dob": "1983-07-19", "nhs_number": "9434765919"}


def ask(world: World, caller: str = "reviewer", **changes):
    return world.call(caller, "POST", SUBJECT, json=QUESTION | changes)


def test_entries_are_found_by_filters_in_pages(world):
    """Filters hold together, and `before` leads from page to page until it is null."""
    exchange = str(world.sent())
    page = world.call("reviewer", "GET", FIND, params={"exchange": exchange}).json()
    kinds = [entry["kind"] for entry in page["entries"]]
    assert kinds == ["exchange.request-authorised", "exchange.permitted"]
    assert page["before"] is None
    wanted = {"dataset": "health-trust", "kind": "exchange.", "limit": "1"}
    first = world.call("reviewer", "GET", FIND, params=wanted).json()
    second = world.call("reviewer", "GET", FIND, params=wanted | {"before": str(first["before"])}).json()
    assert [first["entries"][0]["kind"], second["entries"][0]["kind"]] == kinds
    assert second["before"] is None
    days = {"from": "2026-11-22", "to": "2026-11-22", "exchange": exchange}
    assert len(world.call("reviewer", "GET", FIND, params=days).json()["entries"]) == 2
    assert not world.call(
        "reviewer", "GET", FIND, params=days | {"from": "2026-11-01", "to": "2026-11-21"}
    ).json()["entries"]


@pytest.mark.parametrize(
    "params",
    [
        {"from": "yesterday"},
        {"from": "2026-11-02", "to": "2026-11-01"},
        {"limit": "0"},
        {"limit": "1001"},
        {"before": "-1"},
        {"exchange": "no-id"},
        {"kind": "a" * 101},
        {"dataset": "with space"},
    ],
    ids=str,
)
def test_filters_that_make_no_sense_are_named(world, params):
    """A malformed filter is a 422 that repeats nothing."""
    answer = world.call("reviewer", "GET", FIND, params=params)
    assert answer.status_code == 422
    assert "yesterday" not in answer.text


def test_a_person_is_found_with_the_exchanges_that_asked(world):
    """The answer names recipient, purpose, law and entries; the use stands in the log."""
    exchange = str(world.sent())
    answer = ask(world)
    assert answer.status_code == 200
    told = answer.json()
    (asked,) = told["asked"]
    assert (asked["exchange"], asked["recipient"], asked["outcome"]) == (exchange, "health", "sent")
    assert asked["recipient_name"] == "Health"
    assert asked["disclosed"] is True
    assert any(ground["id"] == "ca2004.s10" for ground in asked["law"])
    assert "no proof" in told["note"]
    newest = world.call("reviewer", "GET", FIND, params={"kind": "log.searched"}).json()["entries"][0]
    assert newest["body"]["reason"] == "subject-access"
    assert newest["body"]["exchanges"] == 1


@pytest.mark.parametrize("caller", ["programme", "other programme", "operator", "agent health", None])
def test_nobody_else_searches(world, caller):
    """Programme users and operators get 403, agents and strangers 401, and nothing is logged."""
    world.sent()
    before = len(world.store.committed.leaves)
    for answer in (ask(world, caller), world.call(caller, "GET", FIND)):
        assert answer.status_code == (403 if caller and "agent" not in caller else 401)
    assert len(world.store.committed.leaves) == before


def test_searches_are_limited_each_day(world):
    """The search past the limit is a 429, and the refusal is logged; other reading goes on."""
    for _ in range(3):
        assert ask(world).status_code == 200
    refused = ask(world)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    found = world.call("reviewer", "GET", FIND, params={"kind": "log.search", "limit": "1"}).json()
    assert found["entries"][0]["kind"] == "log.search-refused"
    assert found["entries"][0]["body"]["code"] == "too-many"


def test_where_the_key_is_not_there_is_no_search(world):
    """A gateway without the private search key says so and logs the attempt."""
    world.context.search_seal.gone = True
    assert ask(world).status_code == 409
    assert b"no-search-key" in world.store.committed.leaves[-1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"reason": "curiosity", "person": {"forename": "Xanthippe"}}',
        b'{"reason": "audit", "person": {"forename": "Xanthippe", "shoe_size": "9"}}',
        b'{"reason": "audit", "person": {"forename": 7}}',
        b'{"reason": "audit", "person": {"forename": "Xanthippe"}, "more": 1}',
        json.dumps({"reason": "audit", "person": {"surname": "Quaxelbury" * 30}}).encode(),
        json.dumps({"reason": "audit", "person": TYPED | {"dob": "1983-19-77"}}).encode(),
        json.dumps({"reason": "audit", "person": TYPED | {"nhs_number": "9434765918"}}).encode(),
        json.dumps({"reason": "audit", "person": {"surname": "Quaxelbury"}}).encode(),
    ],
    ids=range(10),
)
def test_a_malformed_question_is_refused_without_repeating_it(world, content):
    """What can't be used is a 422 that names fields and never a value, and no use is logged."""
    answer = world.call(
        "reviewer", "POST", SUBJECT, content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert not any(value in answer.text for value in ("Xanthippe", "Quaxelbury", "1983", "943476591"))
    assert b"log.search" not in b"".join(world.store.committed.leaves)


def test_a_long_question_is_not_read(world):
    """More than 16 KiB are refused."""
    assert ask(world, person={"forename": "x" * 20_000}).status_code == 413


def test_what_is_typed_stays_nowhere(world, log_lines):
    """After searches that hit, miss and fail, no detail stands in the store, a log line or a metric."""
    marked = LIST.replace(b"Annquill,Marchquill,1985-03-02", b"Xanthippe,Quaxelbury,1983-07-19")
    assert world.submit(content=marked).status_code == 201
    assert ask(world, person=TYPED).json()["asked"]
    assert not ask(world, person=TYPED | {"surname": "Zwollenberg", "nhs_number": ""}).json()["asked"]
    assert ask(world, person=TYPED | {"dob": "1983-07-77"}).status_code == 422
    for _ in range(2):
        ask(world, person=TYPED)
    state = world.store.committed
    stored = repr(
        [getattr(state, name) for name in ("leaves", "log_index", "vault", "submissions", "replays")]
    )
    said = world.lines.getvalue() + repr(log_lines()) + world.call("operator", "GET", "/v1/metrics").text
    keys = repr(world.context.exchange_keys.keys)
    for value in (*TYPED.values(), "Zwollenberg", "1983-07-77"):
        for form in (value, value.lower(), value.upper()):
            assert form not in stored + said + keys


def test_an_extract_names_the_partner_by_its_name(world):
    """The document for the data subject names organisations in full; its making stands in the log."""
    world.sent()
    answer = world.call("reviewer", "POST", f"{SUBJECT}/extract", json=QUESTION | {"checked": True})
    assert answer.status_code == 200
    (told,) = answer.json()["document"]["disclosures"]
    assert told["recipient"] == "Health"
    assert "Health" in answer.json()["markdown"]
    newest = world.call("reviewer", "GET", FIND, params={"kind": "log.", "limit": "2"}).json()["entries"]
    assert [entry["kind"] for entry in newest] == ["log.extract-made", "log.searched"]


def test_a_process_for_searches_alone_serves_nothing_else(world):
    """Beside the gateway reviewers are served the log; lists, agents and tokens are not to be found there."""
    world.sent()
    review = SearchContext(world.context, world.context.search_seal, per_day=3)
    world.app = create_review_app(world.context, review=review, observer=world.observer)
    assert ask(world).json()["asked"]
    assert world.call("reviewer", "GET", FIND).status_code == 200
    assert world.submit(key="key-00000009").status_code == 404
    assert world.call("agent health", "GET", "/v1/agent/state").status_code == 404
    assert world.call(None, "POST", "/v1/token").status_code == 404
    assert ask(world, "programme").status_code == 403
