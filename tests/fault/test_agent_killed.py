"""An agent killed at any step and started again answers exactly once, or refuses exactly once.

Every durable effect of an answer (a file put or dropped, an entry appended, a prekey destroyed, a call to the
gateway) is made to fail once before and once after it took place, and a new agent goes on from the files.
"""

from collections import Counter
from itertools import count

import pytest
from agent_gateway import MemoryPrekeys
from agent_world import World, people

from adapters.agent import desk
from adapters.agent.tray import Tray
from adapters.transports.mailbox import MailboxClient
from audit.log import Log


class KilledError(BaseException):
    """Not an Exception, so that no handler of the agent sees it: like a kill."""


EFFECTS = [
    (Tray, "put"),
    (Tray, "drop"),
    (Log, "append"),
    (MemoryPrekeys, "make"),
    (MemoryPrekeys, "destroy"),
    (MailboxClient, "fetch_request"),
    (MailboxClient, "put_answer"),
    (MailboxClient, "put_refusal"),
    (MailboxClient, "publish_prekeys"),
    (MailboxClient, "put_signature"),
]


class Killer:
    """Kills at the effect number `at`, before or after it took place, and never again."""

    def __init__(self, monkeypatch, at, *, after):
        self.at, self.after, self.seen = at, after, 0
        for owner, name in EFFECTS:
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, original):
        def effect(*args, **kwargs):
            self.seen += 1
            if self.seen != self.at:
                return original(*args, **kwargs)
            if self.after:
                original(*args, **kwargs)
            raise KilledError

        return effect

    @property
    def struck(self):
        return self.seen >= self.at


def kill_everywhere(monkeypatch, tmp_path, start, job):
    """Run `job` on a fresh world once per effect and side of it; yield each world after job and restart."""
    for at in count(1):
        for after in (False, True):
            folder = tmp_path / f"{at}-{after}"
            folder.mkdir()
            world = start(folder)
            with monkeypatch.context() as patch:
                killer = Killer(patch, at, after=after)
                try:
                    job(world)
                except KilledError:
                    world.agent = world.restarted()
                    job(world)
            if not killer.struck:
                return
            yield world


def answered_once(world, exchange):
    assert list(world.gateway.answers) == [exchange]
    assert world.gateway.refusals == {}
    assert world.flags(exchange).flags.rows() == [(True, False), (False, True)]
    assert Counter(world.kinds(exchange)) == {"request.received": 1, "answer.sealed": 1}
    assert world.left() == []


def test_an_answer_killed_at_every_step_is_given_exactly_once(tmp_path, monkeypatch):
    """Wherever the agent dies between fetch and acknowledgement, the restarted one answers once."""
    asked = {}

    def start(folder):
        world = World(folder)
        asked[folder] = world.ask([people(0), people(1)])
        return world

    worlds = list(kill_everywhere(monkeypatch, tmp_path, start, World.round))
    assert len(worlds) >= 16
    for world in worlds:
        answered_once(world, asked[world.folder])


def test_a_refusal_killed_at_every_step_is_given_exactly_once(tmp_path, monkeypatch):
    """The same holds of a notice that there will be no answer."""
    asked = {}

    def start(folder):
        world = World(folder)
        asked[folder] = world.ask([people(0)], purpose="results-claim")
        return world

    for world in kill_everywhere(monkeypatch, tmp_path, start, World.round):
        exchange = asked[world.folder]
        assert list(world.gateway.refusals) == [exchange]
        assert world.gateway.answers == {}
        assert world.kinds(exchange) == ["request.rejected"]
        assert world.left() == []


def test_an_approved_answer_killed_at_every_step_is_given_exactly_once(tmp_path, monkeypatch):
    """A kill before, while or after the custodian decides loses no decision and repeats no answer."""
    asked = {}

    def start(folder):
        world = World(folder, policy={"release": "partner-approves"})
        asked[folder] = world.ask([people(0), people(1)])
        return world

    def job(world):
        world.round()
        for each in desk.pending(world.agent):
            desk.decide(world.agent, each.manifest.exchange, approved=True)
        world.round()

    for world in kill_everywhere(monkeypatch, tmp_path, start, job):
        answered_once(world, asked[world.folder])


def test_an_answer_that_two_approve_killed_at_every_step_is_given_exactly_once(tmp_path, monkeypatch):
    """A kill around either approval leaves it kept or to be repeated; both are needed, none counts twice."""
    asked = {}

    def start(folder):
        world = World(folder, policy={"release": "two-approve"})
        asked[folder] = world.ask([people(0), people(1)])
        return world

    def job(world):
        world.round()
        for by in ("a.shah", "b.lowe"):
            for each in desk.pending(world.agent):
                if by not in each.approved_by:
                    desk.decide(world.agent, each.manifest.exchange, approved=True, by=by)
                    world.round()

    for world in kill_everywhere(monkeypatch, tmp_path, start, job):
        answered_once(world, asked[world.folder])


def test_a_replay_killed_at_every_step_is_refused_exactly_once(tmp_path, monkeypatch):
    """A second request under one id finds no gap: no restarted agent takes it for the first."""
    asked = {}

    def start(folder):
        world = World(folder)
        exchange = world.ask([people(0), people(1)])
        world.round()
        world.gateway.answers.clear()
        asked[folder] = world.ask([people(1), people(0)], exchange=exchange)
        return world

    for world in kill_everywhere(monkeypatch, tmp_path, start, World.round):
        exchange = asked[world.folder]
        assert world.gateway.answers == {}
        assert world.kinds(exchange).count("request.received") == 1
        assert world.kinds(exchange).count("request.replayed") == 1
        assert world.left() == []


def test_signing_killed_at_every_step_ends_in_one_signature(tmp_path, monkeypatch):
    """An agreement half signed is signed whole when the command is given again."""

    def start(folder):
        world = World(folder)
        world.document = world.agreement("A-2")
        world.propose(world.document)
        return world

    def job(world):
        desk.sign(world.agent, desk.proposal(world.agent, "A-2"))

    for world in kill_everywhere(monkeypatch, tmp_path, start, job):
        world.countersigned("A-2")
        assert world.agent.agreements.get("A-2").document == world.document


def test_an_unacknowledged_answer_is_sent_again_with_the_same_bytes(tmp_path):
    """Answering twice is sending the same bytes twice: a lost acknowledgement leads to no second answer."""
    world = World(tmp_path)
    exchange = world.ask([people(0), people(1)])
    world.gateway.lose_next_acknowledgement = True
    with pytest.raises(Exception, match="no connection"):
        world.round()
    world.agent = world.restarted()
    world.round()
    assert world.gateway.puts == [("answer", exchange)] * 2
    answered_once(world, exchange)


def test_an_answer_that_the_gateway_turns_away_is_logged_and_not_repeated(tmp_path):
    """When the gateway holds another answer already, the agent notes it and does not press on."""
    world = World(tmp_path)
    exchange = world.ask([people(0)])
    world.gateway.answers[exchange] = b"another"
    world.round()
    world.round()
    assert world.gateway.puts[0] == ("answer", exchange)
    assert world.kinds(exchange)[:3] == ["request.received", "answer.sealed", "reply.not-accepted"]
    assert [what for what, _ in world.gateway.puts].count("answer") == 1
    assert world.left() == []


@pytest.mark.parametrize("persisted", [False, True])
def test_nothing_is_sent_while_the_log_cannot_be_written(tmp_path, monkeypatch, persisted):
    """Log before send: if an append fails, whether or not it took place, nothing reaches the gateway."""
    from audit.errors import StoreError
    from gateway.domain.errors import LogUnavailableError

    world = World(tmp_path)
    exchange = world.ask([people(0), people(1)])
    original = Log.append

    def failing(self, entries):
        if entries[0].kind == "answer.sealed":
            if persisted:
                original(self, entries)
            raise StoreError("no space")
        return original(self, entries)

    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", failing)
        with pytest.raises(LogUnavailableError, match="can't be written"):
            world.round()
    assert world.gateway.puts == []
    world.agent = world.restarted()
    world.round()
    answered_once(world, exchange)
