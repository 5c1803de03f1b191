"""The custodian's desk: requests approved and declined, agreements signed and revoked."""

from uuid import uuid4

import pytest
from agent_world import World, check_refused, people
from fakes import FakePartyKeys

from adapters.agent import desk
from adapters.agent.turn import Outcome
from gateway.domain.errors import BadInputError, ConflictError, NotFoundError, VerificationError


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def guarded(tmp_path):
    """A world where the custodian approves each answer."""
    return World(tmp_path, policy={"release": "partner-approves"})


def test_the_custodian_sees_the_request_and_approves(guarded):
    """Nothing is answered before the custodian's decision; what is shown is what the council signed."""
    exchange = guarded.ask([people(0), people(1, 2)])
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}
    assert guarded.gateway.puts == []
    (shown,) = desk.pending(guarded.agent)
    assert (shown.manifest.exchange, shown.manifest.slots) == (exchange, 3)
    desk.decide(guarded.agent, exchange, approved=True)
    assert desk.pending(guarded.agent) == []
    guarded.round()
    assert guarded.flags(exchange).flags.rows() == [(True, False), (False, True)]
    assert guarded.left() == []


def test_the_custodian_declines(guarded):
    """The council learns that the partner declines; the custodian's own words stay at the partner."""
    exchange = guarded.ask([people(0)])
    guarded.round()
    desk.decide(guarded.agent, exchange, approved=False, reason="Not in the families' interest")
    check_refused(guarded, exchange, "declined", kind="request.declined")
    exported = b"".join(entry.leaf() for entry in guarded.entries())
    assert b"interest" not in exported
    assert b"interest" not in guarded.gateway.refusals[exchange]
    opened = [path.read_text() for path in (guarded.folder / "openings").iterdir()]
    assert any("interest" in text for text in opened)


def test_a_refusal_needs_a_reason(guarded):
    """The partner's records say why a request was declined."""
    exchange = guarded.ask([people(0)])
    guarded.round()
    with pytest.raises(BadInputError, match="reason"):
        desk.decide(guarded.agent, exchange, approved=False, reason=" ")


def test_only_a_waiting_request_can_be_decided(guarded):
    """A decision on an unknown or settled exchange is an error, not a standing order."""
    with pytest.raises(NotFoundError, match="no such request"):
        desk.decide(guarded.agent, uuid4(), approved=True)
    exchange = guarded.ask([people(0)])
    guarded.round()
    desk.decide(guarded.agent, exchange, approved=True)
    with pytest.raises(NotFoundError, match="no such request"):
        desk.decide(guarded.agent, exchange, approved=False, reason="Too late")


def test_an_approval_of_another_request_counts_for_nothing(guarded):
    """A decision is bound to the bytes that were shown."""
    exchange = guarded.ask([people(0)])
    guarded.round()
    desk.decide(guarded.agent, exchange, approved=True)
    path = guarded.folder / "approvals" / str(exchange)
    path.write_text(path.read_text().replace('"request": "', '"request": "f'))
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}


def test_a_stray_file_in_the_agents_folder_does_no_harm(guarded):
    """What an editor or a person left between the agent's files is passed over."""
    (guarded.folder / "inbox" / "notes.txt").write_text("x")
    exchange = guarded.ask([people(0)])
    assert guarded.round().outcomes == {exchange: Outcome.PENDING}
    assert [each.manifest.exchange for each in desk.pending(guarded.agent)] == [exchange]


def test_a_request_that_the_gateway_lists_and_does_not_hand_out(world):
    """A listed exchange that can't be fetched (its permit ended) is passed over, without a mark."""
    exchange = world.ask([people(0)])
    world.gateway.mailbox[exchange] = b""
    assert world.round().outcomes == {exchange: Outcome.GONE}
    assert world.kinds(exchange) == []
    assert world.left() == []


def test_a_request_that_expires_while_it_waits(guarded):
    """An undecided request ends with its time."""
    exchange = guarded.ask([people(0)])
    guarded.round()
    guarded.clock.advance(days=8)
    check_refused(guarded, exchange, "expired")


def test_a_request_that_the_council_withdraws_while_it_waits(guarded):
    """A cancelled request disappears here too, prekey included, and the log says so."""
    exchange = guarded.ask([people(0)])
    guarded.round()
    guarded.gateway.mailbox.clear()
    assert guarded.round().outcomes == {exchange: Outcome.WITHDRAWN}
    assert guarded.left() == []
    assert guarded.kinds(exchange) == ["request.received", "request.withdrawn"]


def test_an_agreement_revoked_while_a_request_waits(guarded):
    """Revocation is effective at once: what was approved before is not answered any more."""
    exchange = guarded.ask([people(0)])
    guarded.round()
    desk.decide(guarded.agent, exchange, approved=True)
    desk.revoke(guarded.agent, "A-1")
    check_refused(guarded, exchange, "rejected")


def test_an_agreement_is_verified_and_countersigned(world):
    """Signing keeps a copy, logs it and hands the signature over; the same again does no harm."""
    world.document = world.agreement("A-2")
    world.propose(world.document)
    for _ in range(2):
        desk.sign(world.agent, desk.proposal(world.agent, "A-2"))
    world.countersigned("A-2")
    assert world.agent.agreements.get("A-2").document == world.document
    exchange = world.ask([people(0)])
    world.round()
    assert exchange in world.gateway.answers


def test_an_agreement_of_another_council_is_not_shown(world):
    """What the pinned council did not sign is no proposal."""
    world.propose(world.agreement("A-2"), keys=FakePartyKeys("stranger"))
    with pytest.raises(VerificationError, match="signature"):
        desk.proposal(world.agent, "A-2")


def test_an_agreement_with_other_keys_of_ours_is_not_shown(world):
    """An agreement that names keys which are not ours would let another answer in our name."""
    world.propose(world.agreement("A-2", partner=FakePartyKeys("impostor").identity))
    with pytest.raises(VerificationError, match="another partner"):
        desk.proposal(world.agent, "A-2")


def test_an_agreement_under_another_number_is_not_shown(world):
    """The gateway can't hand out one agreement in place of another."""
    world.gateway.proposals["A-3"] = world.propose(world.agreement("A-2"))
    with pytest.raises(VerificationError, match="another number"):
        desk.proposal(world.agent, "A-3")


def test_a_revoked_agreement_does_not_come_back(world):
    """Once revoked here, the same agreement can't be signed again."""
    desk.revoke(world.agent, "A-1")
    assert "A-1" in world.gateway.revocations
    with pytest.raises(ConflictError, match="revoked"):
        desk.sign(world.agent, desk.proposal(world.agent, "A-1"))
    check_refused(world, world.ask([people(0)]), "rejected")


def test_revocation_holds_when_the_gateway_cannot_be_told(world):
    """The partner's kill switch works without the gateway."""
    world.gateway.down = True
    with pytest.raises(Exception, match="no connection"):
        desk.revoke(world.agent, "A-1")
    world.gateway.down = False
    check_refused(world, world.ask([people(0)]), "rejected")


def test_an_altered_copy_of_an_agreement_permits_nothing(world):
    """Copies are verified at every use: a changed file is a refusal, not a wider permission."""
    path = world.folder / "agreements" / "A-1.json"
    path.write_text(path.read_text().replace('"partner_jws": "', '"partner_jws": "x'))
    check_refused(world, world.ask([people(0)]), "rejected")
