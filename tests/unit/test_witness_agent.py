"""The agent as witness of the council's log: what it cosigns, what it never does, and its alarm."""

import hashlib
import json

import pytest
from agent_world import ADULT, WITNESS, World, people
from council_log import CouncilLog

from adapters.agent.loop import run_once
from adapters.agent.witness import DivergenceError, Seen
from adapters.agent.witnessing import Evidence, accept_new_log, alarm, look_again
from audit.checkpoint import open_checkpoint
from audit.cosignature import open_cosigned
from gateway.bundle.witness import Reason
from gateway.domain.errors import BadInputError, ConfigurationError, ConflictError, NotFoundError


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def cosigned(world):
    """The newest checkpoint that the gateway got, verified."""
    return open_cosigned(world.gateway.cosigned[-1], world.gateway.log.verifier, [WITNESS.verifier], 1)[0]


def diverges(world, reason):
    """A round ends in this alarm; nothing is answered and no further cosignature leaves."""
    before = len(world.gateway.cosigned)
    with pytest.raises(DivergenceError) as caught:
        world.round()
    assert caught.value.why is reason
    assert len(world.gateway.cosigned) == before
    assert world.gateway.answers == {}


def test_it_announces_its_key_and_cosigns_what_it_is_shown(world):
    """The first round pins the log's key, announces the witness' own and cosigns the newest checkpoint."""
    assert world.gateway.witness == WITNESS.verifier.vkey
    assert cosigned(world).size == 2
    assert world.kinds().count("witness.pinned") == 1


def test_it_follows_the_log_and_cosigns_each_size_once(world):
    """A longer log is cosigned after its proof held; the same checkpoint again is neither signed nor sent."""
    world.gateway.log.append(5)
    world.round()
    world.round()
    assert [cosigned(world).size, len(world.gateway.cosigned)] == [7, 2]
    assert world.agent.witness.size() == 7


def test_the_copy_is_durable_before_the_cosignature_leaves(world):
    """Where the upload is lost, the agent holds the same note already, and hands that very one out later."""
    world.gateway.log.append()
    world.gateway.lose_next_acknowledgement = True
    kept = world.gateway.cosigned
    world.gateway.cosigned = []
    with pytest.raises(Exception, match="no connection"):
        world.round()
    (lost,) = world.gateway.cosigned
    assert world.agent.witness.seen().note.encode() == lost
    world.gateway.cosigned = kept
    world.clock.advance(minutes=1)
    world.agent = world.restarted()
    world.round()
    assert world.gateway.cosigned[-1] == lost


def test_a_cosignature_that_is_not_taken_stops_no_answer(world):
    """A gateway that turns a cosignature down is told on; requests are answered all the same."""
    world.gateway._cosignature = lambda request: __import__("httpx").Response(409)
    world.gateway.log.append()
    exchange = world.ask([people(0), people(1)])
    world.round()
    assert exchange in world.gateway.answers
    assert "cosignature-not-accepted" in [event["event"] for event in world.events]


def test_an_empty_log_is_looked_at_and_not_cosigned(tmp_path, monkeypatch):
    """Size 0 proves nothing and is never cosigned; the first entry after it is."""
    monkeypatch.setattr(
        "agent_gateway.CouncilLog", lambda council: CouncilLog(council, entries=0), raising=True
    )
    world = World(tmp_path)
    assert world.gateway.cosigned == []
    world.gateway.log.append()
    world.round()
    assert cosigned(world).size == 1


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (lambda keys: CouncilLog(keys, entries=1), Reason.SMALLER),
        (lambda keys: CouncilLog(keys, entries=0), Reason.SMALLER),
        (lambda keys: CouncilLog(keys, entries=2), Reason.OTHER_ROOT),
        (lambda keys: CouncilLog(keys, entries=9), Reason.INCONSISTENT),
        (lambda keys: CouncilLog(keys, entries=9, seed=b"x" * 32), Reason.OTHER_KEY),
        (lambda keys: CouncilLog(keys, entries=9, seed=b"x" * 32, follows=("not a note",)), Reason.OTHER_KEY),
    ],
    ids=["smaller", "empty", "other root", "fork", "other key", "false link"],
)
def test_another_history_raises_the_alarm_and_stops_everything(world, other, reason):
    """Evidence is kept whole, the own log and the gateway are told once, and nothing is answered any more."""
    exchange = world.ask([people(0), people(1)])
    honest, seen = world.gateway.log, world.agent.witness.seen()
    world.gateway.log = other(world.council)
    diverges(world, reason)
    evidence = alarm(world.agent)
    assert (evidence.seen, evidence.seen_key) == (seen.note, seen.key)
    assert evidence.shown == world.gateway.log.shown()["checkpoint"]
    assert world.agent.witness.seen() == seen
    world.gateway.log = honest  # showing the right one again does not undo it
    world.agent = world.restarted()
    diverges(world, reason)
    assert world.kinds().count("witness.alarm") == 1
    (notice,) = world.gateway.alarms
    assert (notice.reason, notice.seen, notice.shown) == (reason, evidence.seen, evidence.shown)
    assert exchange not in world.gateway.answers
    assert [event["why"] for event in world.events if event["event"] == "witness-alarm"] == [reason] * 2


def test_the_own_log_holds_none_of_the_gateways_texts(world):
    """A log is for ever, and another party's text may hold anything: the log names it by its digest."""
    old = world.agent.witness.seen().note
    world.gateway.log = CouncilLog(
        world.council, name="flagstone/council/2", seed=b"n" * 32, entries=4, follows=(old,)
    )
    diverges(world, Reason.NEW_LOG)
    evidence = alarm(world.agent)
    accept_new_log(world.agent)
    raised, accepted = (e for e in world.entries() if e.kind in {"witness.alarm", "witness.new-log-accepted"})
    texts = {name: getattr(evidence, name) for name in ("seen", "shown", "shown_key")}
    for name, text in texts.items():
        assert json.dumps(text)[1:-1].encode() not in raised.leaf() + accepted.leaf()
        assert raised.body[name] == hashlib.sha256(text.encode()).hexdigest()
    assert {name: accepted.body[name] for name in ("seen", "shown")} == {
        name: raised.body[name] for name in ("seen", "shown")
    }
    (kept,) = (name for name in world.agent.witness.tray.names() if name.startswith("alarm-"))
    assert Evidence.from_bytes(world.agent.witness.tray.get(kept), kept).shown == evidence.shown


def test_a_checkpoint_that_nobody_signed_raises_the_alarm(world, monkeypatch):
    """A note without the log key's signature over it is evidence of a gateway that makes things up."""
    shown = world.gateway.log.shown()
    forged = shown["checkpoint"].replace("\n2\n", "\n3\n", 1)
    monkeypatch.setattr(world.gateway.log, "shown", lambda seen: shown | {"checkpoint": forged})
    diverges(world, Reason.NOT_SIGNED)


def test_a_key_that_the_council_did_not_sign_raises_the_alarm(world, monkeypatch):
    """Only the pinned council says which key its log has."""
    strange = CouncilLog(world.partner).shown()["key"]
    honest = world.gateway.log.shown
    monkeypatch.setattr(world.gateway.log, "shown", lambda seen: honest(seen) | {"key": strange})
    diverges(world, Reason.OTHER_KEY)


def test_a_killed_alarm_is_finished(world, monkeypatch):
    """Killed after the evidence was kept, the next start writes the entry and tells the gateway."""
    monkeypatch.setattr(
        "adapters.agent.witnessing._sound", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    world.gateway.log = CouncilLog(world.council, entries=9)
    with pytest.raises(KeyboardInterrupt):
        world.round()
    assert "witness.alarm" not in world.kinds()
    monkeypatch.undo()
    world.agent = world.restarted()
    diverges(world, Reason.INCONSISTENT)
    assert world.kinds().count("witness.alarm") == len(world.gateway.alarms) == 1


def test_after_the_custodian_looked_a_fork_raises_it_again(world):
    """Looking again keeps the evidence and what was seen: the true log is answered, the fork is not."""
    honest, fork = world.gateway.log, CouncilLog(world.council, entries=9)
    world.gateway.log = fork
    diverges(world, Reason.INCONSISTENT)
    with pytest.raises(BadInputError):
        look_again(world.agent, " ")
    look_again(world.agent, "The council restored its service")
    diverges(world, Reason.INCONSISTENT)
    look_again(world.agent, "They say that it is mended")
    world.gateway.log = honest
    world.round()
    assert alarm(world.agent) is None
    assert len([name for name in world.agent.witness.tray.names() if name.startswith("alarm-")]) == 1
    assert world.kinds().count("witness.alarm-closed") == 2
    with pytest.raises(NotFoundError):
        look_again(world.agent, "Nothing stands")


def test_a_linked_log_waits_for_the_custodian_and_is_then_followed(world):
    """A new log that names what was cosigned last stops the agent until its custodian says yes."""
    seen = world.agent.witness.seen()
    world.gateway.log = CouncilLog(
        world.council, name="flagstone/council/2", seed=b"n" * 32, entries=4, follows=("x", seen.note)
    )
    diverges(world, Reason.NEW_LOG)
    accept_new_log(world.agent)
    world.gateway.cosigned = []
    exchange = world.ask([people(0), people(1)])
    world.round()
    assert exchange in world.gateway.answers
    assert cosigned(world).origin == "flagstone/council/2"
    assert "witness.new-log-accepted" in world.kinds()


def test_a_fork_is_never_accepted(world):
    """Accepting is for a linked log alone, and not without an alarm."""
    with pytest.raises(NotFoundError):
        accept_new_log(world.agent)
    world.gateway.log = CouncilLog(world.council, entries=9)
    diverges(world, Reason.INCONSISTENT)
    with pytest.raises(ConflictError, match="never accepted"):
        accept_new_log(world.agent)
    diverges(world, Reason.INCONSISTENT)


def test_a_link_to_an_older_checkpoint_is_no_link(world):
    """A new log that names less than this witness cosigned would hide what lies between."""
    older = world.agent.witness.seen().note
    world.gateway.log.append(3)
    world.round()
    world.gateway.log = CouncilLog(
        world.council, name="flagstone/council/2", seed=b"n" * 32, follows=(older,)
    )
    diverges(world, Reason.OTHER_KEY)


def test_a_witness_that_lost_its_memory_answers_nothing(world):
    """Without the file it can't tell a log that was rolled back: it stops instead of beginning anew."""
    (world.folder / "witness" / "seen.json").unlink()
    world.agent = world.restarted()
    with pytest.raises(ConfigurationError, match="lost"):
        run_once(world.agent)


def test_a_damaged_memory_is_refused(world):
    """A file that is not what this agent wrote stops it, and the text quotes nothing of it."""
    (world.folder / "witness" / "seen.json").write_bytes(b'{"key": 7}')
    with pytest.raises(ConfigurationError, match="damaged"):
        run_once(world.agent)


def test_a_memory_with_another_s_cosignature_is_refused(world):
    """What the file says was cosigned must be cosigned by this witness."""
    seen = world.agent.witness.seen()
    log = world.gateway.log
    assert open_checkpoint(seen.note.encode(), log.verifier).size == 2
    bare = Seen(key=seen.key, note=log.shown()["checkpoint"])
    (world.folder / "witness" / "seen.json").write_bytes(bare.to_bytes())
    with pytest.raises(ConfigurationError):
        run_once(world.agent)


def test_evidence_can_be_checked_by_others(world):
    """The file holds both notes, both keys as the council signed them, and the proof."""
    world.gateway.log = CouncilLog(world.council, entries=9)
    diverges(world, Reason.INCONSISTENT)
    told = json.loads((world.folder / "witness" / "alarm.json").read_bytes())
    key = world.agent.witness.key(told["shown_key"])
    assert world.agent.witness.key(told["seen_key"]) == key
    sizes = [open_checkpoint(told[name].encode(), key.verifier).size for name in ("seen", "shown")]
    assert sizes == [2, 9]
    assert told["proof"]
    assert ADULT not in json.dumps(told)
