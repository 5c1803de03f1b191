import json
from uuid import UUID

import pytest
from web.webworld import LIST, QUERY, prekeys

from audit.evidence import verify_evidence
from audit.trust import Trust
from gateway.domain.exchange import ExchangeId, Status
from gateway.web import models

TWO_BAD = (
    LIST
    + b"4,h1,=cmd(),Example,2015-01-01,f,LS1 4AP,,yes,yes\n5,h1,Eve,Example,2093-01-01,f,LS1 4AP,,yes,yes\n"
)


def test_a_list_is_submitted_once(world):
    """A good list is answered with 201, its exchange and its place, and the workflow is told."""
    answer = world.submit()
    assert answer.status_code == 201
    told = models.Submission.model_validate(answer.json())
    assert answer.headers["location"] == f"/v1/exchanges/{told.exchange}"
    assert told.decision["permitted"] is True
    assert not told.repeated
    assert world.submitted == [told.exchange]
    shown = world.call("programme", "GET", answer.headers["location"]).json()
    assert (shown["status"], shown["people"], shown["households"]) == ("prepared", 3, 1)


def test_the_same_key_gives_the_same_exchange(world):
    """The same list under the same idempotency key is one exchange, and the workflow is told again."""
    first, second = world.submit().json(), world.submit().json()
    assert second == first | {"repeated": True}
    assert world.submitted == [UUID(first["exchange"])] * 2
    assert len(world.store.committed.exchanges) == 1


def test_another_key_while_the_first_is_under_way_conflicts(world):
    """The same list under another key would disclose it twice: a conflict while the first is under way."""
    world.submit()
    answer = world.submit(key="key-00000002")
    assert answer.status_code == 409
    assert len(world.store.committed.exchanges) == 1


@pytest.mark.parametrize(
    "change", [{"content": LIST.replace(b"Ann", b"Anne")}, {"params": {"purpose": "other"}}]
)
def test_a_key_stands_for_one_request(world, change):
    """An idempotency key that stood for another list or other arguments is a conflict."""
    world.submit()
    answer = world.submit(**change)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:flagstone:problem:conflict"


def test_keys_of_two_users_do_not_meet(world):
    """Two users may choose one key: each has an own exchange."""
    one = world.submit("programme").json()["exchange"]
    other = world.submit("other programme").json()["exchange"]
    assert one != other


@pytest.mark.parametrize("key", ["", "short", "x" * 129, "tab\there-----", "caf\u00e9-caf\u00e9"])
def test_a_key_must_be_8_to_128_printable_ascii_characters(world, key):
    """Anything else than 8 to 128 printable ASCII characters is no idempotency key."""
    answer = world.submit(headers={"Idempotency-Key": key.encode("latin-1")})
    assert answer.status_code == 422
    assert answer.json()["parameters"][0]["name"] == "Idempotency-Key"
    assert not world.store.committed.exchanges


def test_a_key_is_required(world):
    """A submission without an idempotency key is refused: a lost answer could not be asked for again."""
    answer = world.call(
        "programme", "POST", "/v1/exchanges", params=QUERY, content=LIST, headers={"Content-Type": "text/csv"}
    )
    assert answer.json()["parameters"] == [
        {"place": "header", "name": "Idempotency-Key", "reason": "is missing"}
    ]


def test_a_refusal_names_every_unmet_requirement(world):
    """A refusal by policy is a 403 with the decision, each unmet requirement with its citation."""
    answer = world.submit(params={"purpose": "results-claim"})
    assert answer.status_code == 403
    problem = answer.json()
    assert problem["type"] == "urn:flagstone:problem:refused-by-policy"
    assert problem["decision"]["permitted"] is False
    assert all(unmet["requirement"] and unmet["citation"] for unmet in problem["decision"]["unmet"])
    assert not world.submitted


def test_a_repeated_refusal_is_the_same_refusal(world):
    """Asked again with the same key, the refusal is repeated word for word and recorded once."""
    first = world.submit(params={"purpose": "results-claim"}).json()
    size = len(world.store.committed.leaves)
    second = world.submit(params={"purpose": "results-claim"}).json()
    assert first["decision"] == second["decision"]
    assert len(world.store.committed.leaves) == size


@pytest.mark.parametrize("name", ["dataset", "purpose", "framework"])
def test_an_unknown_name_is_refused_without_repeating_it(world, name):
    """A dataset, purpose or framework that nobody defined is refused, and its name is not said back."""
    answer = world.submit(params={name: "oneill.ann-1985"})
    assert answer.status_code == 403
    assert "oneill" not in answer.text
    assert "oneill" not in b"".join(world.store.committed.leaves).decode()


def test_bad_rows_are_listed_without_values(world):
    """Every bad row is reported by line, column and reason; nothing is submitted."""
    answer = world.submit(content=TWO_BAD)
    assert answer.status_code == 422
    assert {(row["line"], row["column"]) for row in answer.json()["rows"]} == {(5, "forename"), (6, "dob")}
    assert "Eve" not in answer.text
    assert "2093" not in answer.text
    assert "cmd" not in answer.text
    assert not world.store.committed.exchanges


def test_accept_valid_goes_on_with_the_good_rows(world):
    """With accept_valid the good rows are submitted, and the lines of the others come back."""
    answer = world.submit(content=TWO_BAD, params={"accept_valid": "true"})
    assert answer.status_code == 201
    assert [row["line"] for row in answer.json()["rejected"]] == [5, 6]


@pytest.mark.parametrize(
    "content", [b"", b"person_id,household_id\n", b"\x00" * 5000, b"PK\x03\x04junk", b"PAR1junkPAR1"]
)
def test_what_is_no_list_is_bad_input(world, content):
    """An empty file, a header alone, noise or a broken workbook is a 422, and nothing is kept."""
    before = world.store.committed
    answer = world.submit(content=content)
    assert answer.status_code == 422
    assert world.store.committed is before


def test_without_prekeys_nothing_is_kept(world):
    """When the partner's agent has left no prekeys the caller gets a 502 and nothing is kept."""
    for i in range(3):
        world.submit(key=f"key-0000000{i}", content=LIST.replace(b"Ann", b"Ann" + b"e" * i))
    answer = world.submit(key="key-00000009", content=LIST.replace(b"Ann", b"Zoe"))
    assert answer.status_code == 502
    assert len(world.store.committed.exchanges) == 3


def test_an_exchange_can_be_cancelled_once_and_again(world):
    """Cancelling is idempotent; a cancelled exchange has no results."""
    exchange = world.submit().json()["exchange"]
    for _ in range(2):
        assert world.call("programme", "POST", f"/v1/exchanges/{exchange}/cancel").status_code == 204
    assert world.call("programme", "GET", f"/v1/exchanges/{exchange}").json()["status"] == "cancelled"
    assert world.call("programme", "GET", f"/v1/exchanges/{exchange}/results").status_code == 409


def test_a_reviewer_sees_every_exchange_a_programme_user_the_own(world):
    """The list of exchanges is the caller's own, or everybody's for a reviewer."""
    world.submit("programme")
    world.submit("other programme")
    counts = {
        caller: len(world.call(caller, "GET", "/v1/exchanges").json()["exchanges"])
        for caller in ("programme", "other programme", "reviewer")
    }
    assert counts == {"programme": 1, "other programme": 1, "reviewer": 2}


def test_an_agent_s_whole_conversation(world):
    """The agent sees what waits for it, fetches it, refuses it, and the programme team sees that."""
    from fakes import FakePartyKeys

    from gateway.bundle.refusal import RefusalCode, make_refusal

    exchange = world.sent()
    state = world.call("agent health", "GET", "/v1/agent/state").json()
    assert state["waiting"] == [str(exchange)]
    assert state["agreements"] == [{"number": "health-1", "dataset": "health-trust", "status": "in-force"}]
    bundle = world.call("agent health", "GET", f"/v1/agent/exchanges/{exchange}/request")
    assert bundle.headers["content-type"] == "application/octet-stream"
    import hashlib

    digest = hashlib.sha256(bundle.content).hexdigest()
    notice = make_refusal(exchange, digest, RefusalCode.DECLINED, world.clock(), FakePartyKeys("health").sign)
    for _ in range(2):
        answer = world.call(
            "agent health",
            "PUT",
            f"/v1/agent/exchanges/{exchange}/refusal",
            content=notice,
            headers={"Content-Type": "application/jose"},
        )
        assert answer.status_code == 204
    assert world.answered == [exchange, exchange]
    assert world.store.committed.exchanges[ExchangeId(exchange)].status is Status.DECLINED


def test_an_agent_leaves_prekeys(world):
    """Signed prekeys are kept; the same ones again do no harm."""
    for _ in range(2):
        answer = world.call(
            "agent health", "POST", "/v1/agent/prekeys", json={"prekeys": prekeys(world, "health", 5)}
        )
        assert answer.status_code == 204
    assert world.call("agent health", "GET", "/v1/agent/state").json()["prekeys"] == 5


def test_another_partner_s_prekeys_are_refused(world):
    """A prekey that another partner signed is refused and names the reason alone."""
    answer = world.call(
        "agent health", "POST", "/v1/agent/prekeys", json={"prekeys": prekeys(world, "police", 1)}
    )
    assert answer.status_code == 400


def test_a_reviewer_reads_verifies_and_exports_the_log(world):
    """Checkpoint, entries, proof and export agree with each other; the export has its own entry."""
    world.submit()
    entries = world.call("reviewer", "GET", "/v1/log/entries", params={"limit": 1000}).json()
    assert entries[-1]["kind"] == "exchange.permitted"
    proof = world.call("reviewer", "GET", f"/v1/log/proof/{entries[-1]['index']}").json()
    assert json.loads(proof["leaf"])["id"] == entries[-1]["id"]
    checkpoint = world.call("reviewer", "GET", "/v1/log/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.text == proof["checkpoint"]
    export = world.call("reviewer", "GET", "/v1/log/export")
    assert export.headers["content-type"] == "application/octet-stream"
    assert proof["leaf"].encode() in export.content
    assert b"log.exported" in export.content


def test_a_reviewer_gets_evidence_of_one_exchange(world):
    """The bytes verify as they came; whose evidence it is travels in the body alone."""
    exchange = world.sent()
    path = f"/v1/log/evidence/{exchange}"
    answer = world.call("reviewer", "POST", path, json={"person": "2"})
    assert answer.headers["content-type"] == "application/json"
    held = verify_evidence(answer.content, Trust(world.store.signer.verifier))
    assert [each.value["person_id"] for each in held.items] == ["2"]
    assert world.call("reviewer", "POST", path, json={}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "detail"),
    [
        ({"person": "nobody-of-these"}, 404, "nobody of this exchange has this reference"),
        ({"person": ""}, 422, "not a request for evidence"),
        ({"person": 2}, 422, "not a request for evidence"),
        ({"openings": "yes"}, 422, "not a request for evidence"),
        ({"more": True}, 422, "not a request for evidence"),
        ({"seen": "noise"}, 422, "note"),
    ],
)
def test_evidence_that_can_t_be_made_is_refused(world, asked, status, detail):
    """Each refusal says why, and repeats nothing of what was asked."""
    answer = world.call("reviewer", "POST", f"/v1/log/evidence/{world.sent()}", json=asked)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert "nobody-of-these" not in answer.text + world.lines.getvalue()


def test_evidence_of_an_unknown_exchange(world):
    """There is none of what is not there."""
    unknown = "00000000-0000-4000-8000-000000000001"
    assert world.call("reviewer", "POST", f"/v1/log/evidence/{unknown}", json={}).status_code == 404


def test_a_proof_of_what_is_not_there_is_refused(world):
    """An index at or beyond the size of the tree is a 422."""
    assert world.call("reviewer", "GET", "/v1/log/proof/100000").status_code == 422


def test_metrics_name_templates_not_ids(world):
    """An operator sees requests by route template; no id, no query and no user is in them."""
    exchange = world.submit().json()["exchange"]
    world.call("programme", "GET", f"/v1/exchanges/{exchange}")
    answer = world.call("operator", "GET", "/v1/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'route="/v1/exchanges/{exchange}",status="200"' in answer.text
    for hidden in (exchange, "health-trust", "programme"):
        assert hidden not in answer.text


def test_access_lines_name_templates_not_ids(world):
    """The access log has the template of the path and no id, query or header."""
    exchange = world.submit().json()["exchange"]
    world.call("programme", "GET", f"/v1/exchanges/{exchange}", params={"name": "Ann"})
    lines = [json.loads(line) for line in world.lines.getvalue().splitlines()]
    assert lines[-1]["route"] == "/v1/exchanges/{exchange}"
    assert all("dropped" not in line for line in lines)
    assert exchange not in world.lines.getvalue()
    assert "Ann" not in world.lines.getvalue()


def test_readiness_says_nothing_but_that(world, monkeypatch):
    """When the store is gone, readiness is `not ready` and liveness is `ok`; neither says why."""

    def gone():
        raise OSError("could not connect to the database at 10.0.0.7")

    monkeypatch.setattr(type(world.store), "begin", lambda _: gone())
    ready = world.call(None, "GET", "/v1/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready"})
    assert world.call(None, "GET", "/v1/health/live").json() == {"status": "ok"}


def test_failing_to_tell_the_workflow_does_not_undo_the_submission(world, monkeypatch):
    """When the workflow can't be told, the caller gets an error, and the same key finds the same exchange."""
    from dataclasses import replace

    wiring = world.app.state.wiring

    def fail(_):
        raise OSError("no workflow")

    world.app.state.wiring = replace(wiring, on_submitted=fail)
    assert world.submit().status_code == 500
    world.app.state.wiring = wiring
    again = world.submit().json()
    assert again["repeated"] is True
    assert world.submitted == [UUID(again["exchange"])]
