"""Two people approve: no answer goes out on one custodian's word, and any one of them declines."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from agent_world import World, check_refused, people

from adapters.agent import desk
from adapters.agent.tray import Tray
from adapters.agent.turn import Outcome
from gateway.domain.errors import BadInputError, ConfigurationError, ConflictError, NotFoundError


@pytest.fixture
def guarded(tmp_path):
    """A world where two custodians approve each answer."""
    return World(tmp_path, policy={"release": "two-approve"})


@pytest.fixture
def exchange(guarded):
    """A request that waits for both of them."""
    asked = guarded.ask([people(0), people(1)])
    guarded.round()
    return asked


def approve(world, exchange, by):
    return desk.decide(world.agent, exchange, approved=True, by=by)


def kept(world, exchange):
    return world.folder / "approvals" / str(exchange)


def rewritten(world, exchange, change):
    """Change the decisions that lie in the agent's folder."""
    path = kept(world, exchange)
    decisions = json.loads(path.read_text())
    path.write_text(json.dumps(change(decisions)))


def test_one_approval_is_not_enough(guarded, exchange):
    """After the first approval the request still waits, and the desk tells how many approved it."""
    (shown,) = desk.pending(guarded.agent)
    assert (shown.approved_by, shown.needed) == ((), 2)
    assert approve(guarded, exchange, "a.shah").approved_by == ("a.shah",)
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}
    assert guarded.gateway.puts == []
    (shown,) = desk.pending(guarded.agent)
    assert (shown.approved_by, shown.needed) == (("a.shah",), 2)


def test_two_different_people_answer(guarded, exchange):
    """The second person's approval lets the answer out, and nothing waits for a third."""
    approve(guarded, exchange, "a.shah")
    approve(guarded, exchange, "b.lowe")
    assert desk.pending(guarded.agent) == []
    with pytest.raises(NotFoundError, match="no such request"):
        approve(guarded, exchange, "c.third")
    guarded.round()
    assert guarded.flags(exchange).flags.rows() == [(True, False), (False, True)]
    assert guarded.left() == []


def test_the_same_person_cannot_approve_twice(guarded, exchange):
    """One person counts once, however often that person approves."""
    approve(guarded, exchange, "a.shah")
    with pytest.raises(ConflictError, match=r"approved it already.*Another custodian approves"):
        approve(guarded, exchange, "a.shah")
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}


@pytest.mark.parametrize("by", ["b.lowe", "a.shah"])
def test_a_refusal_after_one_approval_declines(guarded, exchange, by):
    """One refusal declines at once, also that of a person who approved before."""
    approve(guarded, exchange, "a.shah")
    desk.decide(guarded.agent, exchange, approved=False, reason="Not now", by=by)
    with pytest.raises(NotFoundError, match="no such request"):
        approve(guarded, exchange, "c.third")
    check_refused(guarded, exchange, "declined", kind="request.declined")


def test_a_refusal_alone_declines(guarded, exchange):
    """Nobody else is needed for a refusal."""
    desk.decide(guarded.agent, exchange, approved=False, reason="Not now", by="a.shah")
    assert desk.pending(guarded.agent) == []
    check_refused(guarded, exchange, "declined", kind="request.declined")


def test_an_approval_of_another_bundle_does_not_count(guarded, exchange):
    """Both approve the very same bytes: what was approved of others makes no pair with it."""
    approve(guarded, exchange, "a.shah")
    rewritten(guarded, exchange, lambda old: [each | {"request": "f" * 64} for each in old])
    assert approve(guarded, exchange, "b.lowe").approved_by == ("b.lowe",)
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}
    approve(guarded, exchange, "a.shah")
    assert guarded.round().outcomes == {exchange: Outcome.REPLIED}


def test_the_first_approval_survives_a_restart(guarded, exchange):
    """An approval is durable: the second person may come to another process, on another day."""
    approve(guarded, exchange, "a.shah")
    guarded.agent = guarded.restarted()
    with pytest.raises(ConflictError, match="approved it already"):
        approve(guarded, exchange, "a.shah")
    approve(guarded, exchange, "b.lowe")
    guarded.agent = guarded.restarted()
    guarded.round()
    assert exchange in guarded.gateway.answers


def test_two_approvals_at_once_are_both_kept(guarded, exchange, monkeypatch):
    """Two commands at the same moment lose neither decision."""
    put = Tray.put

    def slowly(*args):
        time.sleep(0.1)  # long enough for the other to have looked before this is written
        put(*args)

    monkeypatch.setattr(Tray, "put", slowly)
    agents = [guarded.restarted(), guarded.restarted()]

    def decide(agent, by):
        desk.decide(agent, exchange, approved=True, by=by)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(decide, agents, ["a.shah", "b.lowe"]))
    guarded.round()
    assert exchange in guarded.gateway.answers


@pytest.mark.parametrize("approved", [True, False])
def test_a_decision_without_a_name_is_refused(guarded, exchange, approved):
    """Where two decide, each says who it is; otherwise one person could be taken for both."""
    with pytest.raises(BadInputError, match=r"--by.*asks for two"):
        desk.decide(guarded.agent, exchange, approved=approved, reason="" if approved else "Not now")


@pytest.mark.parametrize("by", ["", "A.Shah", "a shah", "a" * 41, "a\n", "é"])
def test_a_name_is_short_and_plain(guarded, exchange, by):
    """One person has one spelling: small letters, digits, dot, underscore, hyphen; 40 at most."""
    with pytest.raises(BadInputError, match="--by"):
        approve(guarded, exchange, by)
    assert not kept(guarded, exchange).exists()


def test_names_stay_at_the_partner(guarded, exchange):
    """The own log holds the names as commitments, which its openings open; the council gets none."""
    approve(guarded, exchange, "a.shah")
    approve(guarded, exchange, "b.lowe")
    guarded.round()
    declined = guarded.ask([people(0)])
    guarded.round()
    desk.decide(guarded.agent, declined, approved=False, reason="Not now", by="c.third")
    guarded.round()
    sent = b"".join(entry.leaf() for entry in guarded.entries()) + guarded.gateway.refusals[declined]
    opened = "".join(path.read_text() for path in (guarded.folder / "openings").iterdir())
    for name in ("a.shah", "b.lowe", "c.third"):
        assert name.encode() not in sent
        assert name in opened


def test_a_decision_of_an_earlier_release_still_counts(tmp_path):
    """A single approval as it was written before there were names answers its request."""
    world = World(tmp_path, policy={"release": "partner-approves"})
    exchange = world.ask([people(0)])
    world.round()
    (shown,) = desk.pending(world.agent)
    kept(world, exchange).write_text(json.dumps({"request": shown.digest, "approved": True, "reason": ""}))
    world.round()
    assert exchange in world.gateway.answers


def test_one_nameless_approval_of_an_earlier_release_is_one_of_two(guarded, exchange):
    """The older form is one person's word, no more."""
    (shown,) = desk.pending(guarded.agent)
    old = {"request": shown.digest, "approved": True, "reason": ""}
    kept(guarded, exchange).write_text(json.dumps(old))
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}
    approve(guarded, exchange, "a.shah")
    assert guarded.round().outcomes == {exchange: Outcome.REPLIED}


@pytest.mark.parametrize(
    "damage",
    [
        lambda old: old + old,  # one person twice
        lambda old: [old[0] | {"approved": "no"}],
        lambda old: [old[0] | {"by": "A"}],
        lambda old: [old[0] | {"more": 1}],
        lambda old: [{"approved": True}],
        lambda _: [],
        lambda _: "x",
        lambda _: [None],
    ],
)
def test_a_damaged_file_of_decisions_answers_nothing(guarded, exchange, damage):
    """Decisions are read strictly: what the desk did not write is an error with a way out, no approval."""
    approve(guarded, exchange, "a.shah")
    rewritten(guarded, exchange, damage)
    with pytest.raises(ConfigurationError, match=r"approvals.*decide again"):
        desk.pending(guarded.agent)
    assert guarded.round().failed == 1
    assert guarded.gateway.puts == []


def test_a_named_custodian_decides_alone_where_one_is_enough(tmp_path):
    """A name may be given under any agreement; it asks for nobody else."""
    world = World(tmp_path, policy={"release": "partner-approves"})
    exchange = world.ask([people(0)])
    world.round()
    approve(world, exchange, "a.shah")
    world.round()
    assert exchange in world.gateway.answers
