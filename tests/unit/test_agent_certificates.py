"""The agent takes certificates of destruction by itself, believes the pinned council alone, keeps them."""

from uuid import uuid4

import pytest
from agent_world import ADULT, World, people
from fakes import FakePartyKeys

from adapters.agent.certificates import kept
from adapters.agent.journal import Journal
from adapters.agent.tray import Tray
from adapters.transports.mailbox import MailboxClient
from gateway.bundle.certificate import make_certificate
from gateway.domain.errors import VerificationError
from gateway.domain.retention import RetentionClock

RESULTS = RetentionClock.RESULTS


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def answered(world):
    exchange = world.ask([people(0)])
    world.round()
    assert world.gateway.answers
    return exchange


def certify(world, exchange, clock=RESULTS, *, signer=None, about=None, recipient=None):
    """Put a certificate into the gateway's list; it may be another than the one that is listed."""
    world.gateway.certificates[exchange, clock.value] = make_certificate(
        world.council.identity,
        (recipient or world.partner).identity,
        (signer or world.council).sign,
        exchange=about or exchange,
        request_digest="ab" * 32,
        clock=clock,
        destroyed_at=world.clock(),
        log_entry=41,
        key_backup_days=30,
    )


def entry_of(world, kind):
    (entry,) = [entry for entry in world.entries() if entry.kind == kind]
    return entry


def test_a_certificate_is_kept_logged_and_acknowledged(world):
    """Both clocks' certificates land in the folder and the log, once; the gateway lists them no more."""
    exchange = answered(world)
    for clock in RetentionClock:
        certify(world, exchange, clock)
    world.round()
    world.round()
    assert world.gateway.certificates == {}
    assert {each.certificate.clock for each in kept(world.restarted())} == set(RetentionClock)
    body = entry_of(world, "certificate.results-kept").body
    assert (body["exchange"], body["log_entry"], body["key_backup_days"]) == (str(exchange), 41, 30)


def test_a_lost_acknowledgement_is_made_up_for(world):
    """Listed again, it is taken again: one file, one entry."""
    exchange = answered(world)
    certify(world, exchange)
    world.gateway.lose_next_acknowledgement = True
    world.round()
    assert world.gateway.certificates
    world.gateway.lose_next_acknowledgement = False
    world.round()
    assert world.gateway.certificates == {}
    assert entry_of(world, "certificate.results-kept")


@pytest.mark.parametrize(
    "forged",
    [
        {"signer": FakePartyKeys("somebody")},
        {"about": uuid4()},
        {"recipient": FakePartyKeys("police")},
    ],
    ids=["another signer", "another exchange", "another partner"],
)
def test_what_is_not_the_council_s_word_on_this_exchange_is_refused(world, forged):
    """Not kept, not acknowledged, logged once; the agent goes on answering."""
    exchange = answered(world)
    certify(world, exchange, **forged)
    world.round()
    world.round()
    assert kept(world.agent) == []
    assert world.gateway.taken == []
    assert entry_of(world, "certificate.results-refused").body["exchange"] == str(exchange)
    assert answered(world)


def test_a_tampered_or_endless_certificate_is_refused(world):
    """A changed byte, or more bytes than a certificate has: refused."""
    exchange = answered(world)
    certify(world, exchange)
    jws = world.gateway.certificates[exchange, "results"]
    world.gateway.certificates[exchange, "results"] = jws[:-4] + "AAAA"
    world.gateway.certificates[exchange, "accounting"] = "a" * 5000
    world.round()
    assert entry_of(world, "certificate.results-refused")
    assert entry_of(world, "certificate.accounting-refused").body["why"] == "too-large"


def test_of_an_exchange_that_it_never_saw_the_agent_keeps_nothing(world):
    """Cancelled before it was fetched: the own log says so, and the gateway is not asked for ever."""
    stranger = uuid4()
    certify(world, stranger)
    world.round()
    assert kept(world.agent) == []
    assert entry_of(world, "certificate.results-unknown").body["exchange"] == str(stranger)
    assert world.gateway.certificates == {}


def test_one_that_is_gone_again_is_passed_over(world):
    """Listed, then not there: the round goes on."""
    exchange = answered(world)
    certify(world, exchange)
    world.gateway.certificates[exchange, "later-clock"] = "from a later release"
    world.gateway.certificates[exchange, "accounting"] = ""
    world.round()
    assert len(kept(world.agent)) == 1


class Killed(BaseException):
    """What no handler catches."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("whose", "name"),
    [(Tray, "put"), (Journal, "record"), (MailboxClient, "take_certificate")],
    ids=["file", "entry", "acknowledgement"],
)
def test_killed_at_any_step_it_is_taken_once(world, monkeypatch, whose, name, after):
    """Killed before or after file, entry or acknowledgement, it goes on at the next start, once."""
    exchange = answered(world)
    certify(world, exchange)
    step = getattr(whose, name)

    def kill(self, *given):
        if after:
            step(self, *given)
        raise Killed

    monkeypatch.setattr(whose, name, kill)
    with pytest.raises(Killed):
        world.round()
    monkeypatch.undo()
    world.agent = world.restarted()
    world.round()
    assert world.gateway.certificates == {}
    assert [each.certificate.exchange for each in kept(world.agent)] == [exchange]
    assert entry_of(world, "certificate.results-kept")


def test_a_file_that_was_changed_is_not_shown(world):
    """What lies in the folder is verified each time that it is read."""
    exchange = answered(world)
    certify(world, exchange)
    world.round()
    (path,) = (world.folder / "certificates").iterdir()
    path.write_bytes(path.read_bytes()[:-3] + b"AAA")
    with pytest.raises(VerificationError):
        kept(world.agent)


def test_the_log_says_which_copies_are_deleted(world):
    """Once answered, request, prekey and reply are gone from the folder, and the own log says so, once."""
    exchange = answered(world)
    assert world.left() == []
    body = entry_of(world, "copies.deleted").body
    assert (body["exchange"], body["deleted"]) == (str(exchange), ["prekey", "reply", "request"])
    assert ADULT not in str(body)


def test_a_withdrawn_request_s_copies_are_deleted_too(tmp_path):
    """One that waits for the custodian and is cancelled at the council leaves nothing but entries."""
    (tmp_path / "other").mkdir()
    waiting = World(tmp_path / "other", policy={"release": "partner-approves"})
    exchange = waiting.ask([people(0)])
    waiting.round()
    assert waiting.left() == [str(exchange)]
    waiting.gateway.mailbox.clear()
    waiting.round()
    assert waiting.left() == []
    assert entry_of(waiting, "copies.deleted").body["deleted"] == ["prekey", "request"]
