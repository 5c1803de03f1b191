"""The council's log against a partner agent's own: what only one tells, and what they tell differently."""

import contextlib
import hashlib
import io
import json
from uuid import UUID, uuid4

import httpx
import pytest
from agent_world import World, people

from audit.export import write_export
from audit.log import Log
from audit.store import FileStore
from audit.trust import Trust, write_trust
from gateway.cli.main import run
from gateway.service.reconciling import Story, reconcile, stories

SENT = {
    "recipient": "trust",
    "agreement": "A-1",
    "dataset": "health-trust",
    "purpose": "identify",
    "framework": "local",
    "granularity": "household-indicators",
    "indicators_asked": ["a", "b"],
}
RECEIVED = {name: value for name, value in SENT.items() if name != "recipient"}


def council(*kinds, **digests):
    return Story(
        {"exchange.request-authorised": SENT} | {f"exchange.{kind}": SENT for kind in kinds}, digests
    )


def agent(*kinds, received=RECEIVED, **digests):
    return Story({"request.received": received} | {kind: {} for kind in kinds}, digests)


def codes(ours, theirs):
    findings = reconcile({"x": ours} if ours else {}, {"x": theirs} if theirs else {}, "trust")
    return [(each.code, each.differs) for each in findings]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (council("delivered"), agent("answer.sealed"), []),
        (council("declined"), agent("request.declined"), []),
        (council("failed"), agent("request.failed"), []),
        (council("failed"), Story({"request.rejected": {}}), []),
        (None, agent(), [("not-authorised", True)]),
        (council(), None, [("no-receipt", False)]),
        (council("expired"), agent(), [("no-receipt", False)]),
        (council("cancelled"), agent("answer.sealed", "reply.not-accepted"), [("no-receipt", False)]),
        (council(), agent("answer.sealed"), [("no-receipt", False), ("reply-missing", True)]),
        (council("delivered"), None, [("not-replied", True)]),
        (council("delivered"), agent(), [("not-replied", True)]),
        (council("delivered"), agent("request.declined"), [("outcome-differs", True)]),
        (
            council("delivered"),
            agent("answer.sealed", received=RECEIVED | {"purpose": "other"}),
            [("request-differs", True)],
        ),
        (
            council("delivered", request="1", answer="2"),
            agent("answer.sealed", request="1", answer="3"),
            [("answer-digest", True)],
        ),
        (council("delivered", request="1"), agent("answer.sealed", request="2"), [("request-digest", True)]),
        (council("delivered", request="1"), agent("answer.sealed", answer="2"), []),
    ],
)
def test_each_story_is_told_alike_or_listed(ours, theirs, expected):
    """Agreeing logs give no finding; each kind of difference has its code, and follow-ups are told apart."""
    assert codes(ours, theirs) == expected


def test_another_partner_s_exchanges_are_left_out():
    """What was sent to others is no business of this comparison."""
    other = Story({"exchange.request-authorised": SENT | {"recipient": "police"}})
    assert reconcile({"x": other}, {}, "trust") == []


def test_entries_without_an_exchange_tell_no_story():
    """Stories are about exchanges; entries about other things are passed over."""
    told = stories([("1", "log.exported", {}), ("2", "request.received", {"exchange": "x"})])
    assert list(told) == ["x"]


@pytest.fixture
def office(tmp_path, monkeypatch, capsys):
    """An agent that answered once, its exported log, and a gateway whose log a test lays down."""
    world = World(tmp_path)
    exchange = world.ask([people(0), people(1)])
    world.round()
    with FileStore(tmp_path / "log") as store, (tmp_path / "export").open("wb") as out:
        write_export(Log(store, world.signer), out)
    write_trust(tmp_path / "trust", Trust(world.signer.verifier))
    openings = world.agent.journal.openings(("request", "answer"))
    digests = {"type": "flagstone/agent-digests/v1", "openings": openings}
    (tmp_path / "digests").write_text(json.dumps(digests))
    received = next(each for each in world.entries() if each.kind == "request.received")
    about = {name: received.body[name] for name in RECEIVED} | {"recipient": "trust"}
    kinds = ["exchange.request-authorised", "exchange.delivered"]
    known = {
        "request": hashlib.sha256(world.gateway.requests[exchange]).hexdigest(),
        "answer": hashlib.sha256(world.gateway.answers[exchange]).hexdigest(),
    }

    def answer(request):
        if request.url.path.startswith("/v1/log/receipts/"):
            assert UUID(request.url.path.rpartition("/")[2]) == exchange
            return httpx.Response(200, json=known) if known else httpx.Response(404, json={})
        body = about | {"exchange": str(exchange)}
        page = [{"id": str(uuid4()), "kind": kind, "body": body} for kind in kinds]
        return httpx.Response(200, json=page if request.url.params["start"] == "0" else [])

    @contextlib.contextmanager
    def api():
        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1") as client:
            yield client

    monkeypatch.setattr("gateway.cli.log_reconcile.api", api)

    def typed(*options):
        argv = [
            "log",
            "reconcile",
            "--agent-log",
            tmp_path / "export",
            "--trust",
            tmp_path / "trust",
            *options,
        ]
        code = run([str(word) for word in argv])
        said = capsys.readouterr()
        return code, said.out + said.err

    typed.kinds, typed.known, typed.folder, typed.openings = kinds, known, tmp_path, openings
    return typed


def test_two_logs_that_agree_end_with_0(office):
    """Outcome, facts and, where the partner gives them, the digests of both bundles are compared."""
    code, said = office("--digests", office.folder / "digests")
    assert (code, "0 differences" in said) == (0, True)
    office.known["answer"] = "00" * 32
    code, said = office("--digests", office.folder / "digests", "--json")
    assert code == 5
    assert [each["code"] for each in json.loads(said)] == ["answer-digest"]


def test_a_missing_receipt_is_listed_and_ends_with_5_where_the_partner_says_otherwise(office):
    """Without the delivery it is for follow-up, and a difference, since the agent's log has an answer."""
    office.kinds.pop()
    code, said = office()
    assert code == 5
    assert "counts as disclosed" in said
    assert "reply-missing" in said


def test_digests_that_are_not_kept_any_more_are_passed_over(office):
    """After the accounting clock the outcomes are compared alone."""
    office.known.clear()
    assert office("--digests", office.folder / "digests")[0] == 0


def test_an_altered_export_or_digest_is_refused(office):
    """The partner's export is verified, and each digest must open what the log commits to."""
    (office.folder / "digests").write_text("{}")
    assert office("--digests", office.folder / "digests")[0] == 3
    entry, told = next(iter(office.openings.items()))
    name = next(iter(told))
    lie = {entry: {name: told[name] | {"value": "00" * 32}}}
    (office.folder / "digests").write_text(
        json.dumps({"type": "flagstone/agent-digests/v1", "openings": lie})
    )
    assert office("--digests", office.folder / "digests")[0] == 5
    whole = (office.folder / "export").read_bytes()
    (office.folder / "export").write_bytes(whole.replace(b"identify", b"idemtify"))
    assert office()[0] == 5
    (office.folder / "trust").write_bytes(io.BytesIO(b"{}").getvalue())
    assert office()[0] == 2


def test_only_digests_leave_with_the_log(office):
    """Neither how many people were asked about nor a custodian's words are among what the partner exports."""
    assert {name for told in office.openings.values() for name in told} == {"request", "answer"}
