"""Requests that an agent does not answer: each ends in a signed notice, an entry of its log, and no bits."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from agent_world import ADULT, NOW, REGISTER, World, check_refused, people
from fakes import FakePartyKeys

from adapters.agent.council import Council
from adapters.agent.limits import Limits
from adapters.agent.loop import StaleClockError
from adapters.agent.tray import Tray
from adapters.agent.turn import Outcome
from adapters.registers.files import CsvRegister
from adapters.registers.register import Columns
from gateway.domain.errors import (
    ConfigurationError,
    VerificationError,
)
from gateway.linkage.secret import one_time_public


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_request_signed_with_the_wrong_key(world):
    """Only the pinned council is answered."""
    exchange = world.ask([people(0)], signed_by=FakePartyKeys("stranger"))
    check_refused(world, exchange, "rejected")


def test_a_request_made_with_a_wrong_static_key(world):
    """A secret that the two sides do not share is found out before anything is decrypted."""
    exchange = world.ask([people(0)])
    other = replace(world.council.identity, exchange=one_time_public(bytes(32)))
    world.agent = replace(world.agent, council=Council(Tray(world.folder / "council-keys"), other))
    check_refused(world, exchange, "rejected")


def test_a_request_for_a_prekey_that_is_gone(world):
    """A prekey is used once; a request for one that is destroyed says so."""
    exchange = world.ask([people(0)], prekey="never-made")
    check_refused(world, exchange, "no-prekey")


def test_no_prekeys_left(world):
    """An agent whose prekeys ran out leaves new ones at its next look, and is answered for."""
    world.gateway.prekeys.clear()
    world.round()
    assert len(world.gateway.prekeys) >= 20
    exchange = world.ask([people(0)])
    world.round()
    assert exchange in world.gateway.answers


def test_prekeys_are_not_topped_up_without_need(world):
    """A full stock stays as it is: the gateway limits how many may lie there."""
    before = set(world.gateway.prekeys)
    world.round()
    assert set(world.gateway.prekeys) == before


def test_a_request_of_another_scheme_version(world):
    """A scheme that this installation does not know is refused by name, never answered with no flags."""
    world.document = world.agreement("A-2", scheme="v2")
    world.agent.agreements.sign(world.propose(world.document), world.document)
    exchange = world.ask([people(0)], scheme="v2")
    check_refused(world, exchange, "unknown-scheme")


def test_a_failed_self_test(tmp_path):
    """An installation whose tokens would match nobody's says so: an error notice, never an empty answer."""

    def failing(_):
        raise VerificationError("other tokens")

    world = World(tmp_path, self_test=failing)
    exchange = world.ask([people(0)])
    check_refused(world, exchange, "self-test-failed", kind="request.failed")


@pytest.mark.parametrize(("hours", "side"), [(-2, "ahead of"), (2, "behind")])
def test_a_stale_clock(world, hours, side):
    """With a clock that differs from the gateway's nothing is answered, and the error tells by how much."""
    exchange = world.ask([people(0)])
    world.gateway.offset = timedelta(hours=hours) / 2
    with pytest.raises(StaleClockError, match=f"3600 s {side} the gateway's"):
        world.round()
    assert world.gateway.puts == []
    world.gateway.offset = timedelta(0)
    world.round()
    assert exchange in world.gateway.answers


def test_an_exchange_id_sent_twice(world):
    """The second request under one id is refused and logged, whoever it is about; then it is left alone."""
    exchange = world.ask([people(0)])
    world.round()
    first = world.gateway.answers.copy()
    world.ask([people(1)], exchange=exchange)
    world.gateway.answers.clear()
    world.round()
    assert world.gateway.answers == {}
    assert world.refusal(exchange) == "rejected"
    assert world.kinds(exchange) == ["request.received", "answer.sealed", "request.replayed"]
    world.gateway.mailbox[exchange] = world.gateway.requests[exchange]
    assert world.round().outcomes == {exchange: Outcome.IGNORED}
    assert len(world.kinds(exchange)) == 3
    assert len(first) == 1


def test_an_exchange_id_sent_twice_to_a_restarted_agent(world):
    """The log is the memory: a new process knows every id that was accepted."""
    exchange = world.ask([people(0)])
    world.round()
    world.ask([people(1)], exchange=exchange)
    world.gateway.answers.clear()
    world.agent = world.restarted()
    world.round()
    assert world.gateway.answers == {}
    assert world.kinds(exchange)[-1] == "request.replayed"


def test_a_refused_request_is_not_considered_again(world):
    """An id that was refused once is settled, too: no second look at other contents."""
    exchange = world.ask([people(0)], signed_by=FakePartyKeys("stranger"))
    world.round()
    world.gateway.refusals.clear()
    world.ask([people(0)], exchange=exchange)
    world.round()
    assert world.gateway.answers == {}
    assert world.kinds(exchange) == ["request.rejected", "request.replayed"]


def test_a_request_under_an_agreement_that_was_not_countersigned(world):
    """The gateway's word on agreements counts for nothing: the agent needs its own copy."""
    world.document = world.agreement("A-2")
    world.propose(world.document)
    exchange = world.ask([people(0)])
    check_refused(world, exchange, "rejected")


@pytest.mark.parametrize(
    "excess",
    [
        {"purpose": "results-claim"},
        {"framework": "national"},
        {"dataset": "police-force"},
        {"indicators": (ADULT, "health.adult_substance")},
        {"identifiers": ("forename", "surname", "dob", "nino")},
        {"overlap_permille": 1000},
        {"granularity": "person-indicators"},
        {"agreement_digest": "11" * 32},
    ],
    ids=lambda excess: next(iter(excess)),
)
def test_a_request_that_exceeds_its_agreement(world, excess):
    """A manifest that goes beyond the signed terms in any way is refused, though the council signed it."""
    from gateway.domain.exchange import Granularity

    if "granularity" in excess:
        excess = {"granularity": Granularity(excess["granularity"])}
    exchange = world.ask([people(0)], **excess)
    check_refused(world, exchange, "rejected")


def test_a_request_may_not_do_away_with_the_custodian(tmp_path):
    """Where the agreement asks for approval, a request that claims automatic release is refused."""
    from gateway.domain.exchange import Release

    world = World(tmp_path, policy={"release": "partner-approves"})
    exchange = world.ask([people(0)], release=Release.AUTOMATIC)
    check_refused(world, exchange, "rejected")


def test_a_request_outside_the_agreements_dates(world):
    """An agreement that ended yesterday permits nothing today."""
    world.document = world.agreement("A-2", valid_to=date(2026, 11, 21))
    world.agent.agreements.sign(world.propose(world.document), world.document)
    exchange = world.ask([people(0)])
    check_refused(world, exchange, "rejected")


def test_more_people_than_this_partner_answers(tmp_path):
    """The partner's own limit on people holds below the agreement's."""
    world = World(tmp_path, limits=Limits(max_people_per_request=2))
    small, large = world.ask([people(0, 1)]), world.ask([people(0, 1, 2)])
    world.round()
    assert small in world.gateway.answers
    assert world.refusal(large) == "limits"


def test_more_exchanges_than_this_partner_answers_in_a_day(tmp_path):
    """The partner's own limit holds for any 24 hours, restarts included."""
    world = World(tmp_path, limits=Limits(max_exchanges_per_day=2))
    exchanges = [world.ask([people(0)]) for _ in range(3)]
    world.round()
    assert world.refusal(exchanges[2]) == "limits"
    world.agent = world.restarted()
    world.clock.advance(hours=23)
    fourth = world.ask([people(0)])
    world.round()
    assert world.refusal(fourth) == "limits"
    world.clock.advance(hours=2)
    fifth = world.ask([people(0)])
    world.round()
    assert fifth in world.gateway.answers


@pytest.mark.parametrize("limits", [{"max_people_per_request": 0}, {"max_exchanges_per_day": 0}])
def test_a_limit_of_none_is_an_error_of_configuration(limits):
    """Zero is no limit anyone means: it is refused when the agent starts."""
    with pytest.raises(ConfigurationError, match="limit"):
        Limits(**limits)


def test_a_register_that_cannot_be_read(tmp_path):
    """An error of the register is told as one, and never as people without flags."""
    world = World(tmp_path)
    world.agent = replace(
        world.agent, open_register=lambda today: CsvRegister(tmp_path / "none.csv", today, Columns())
    )
    exchange = world.ask([people(0)])
    check_refused(world, exchange, "register-error", kind="request.failed")


@pytest.mark.parametrize(
    "register",
    [REGISTER.drop("objected"), REGISTER.drop(ADULT), REGISTER.clear()],
    ids=["no-objections", "no-indicator", "no-rows"],
)
def test_a_register_that_cannot_give_an_answer(tmp_path, register):
    """Without objections, an indicator asked for, or any row there is no answer, only an error."""
    world = World(tmp_path, register=register)
    exchange = world.ask([people(0)])
    check_refused(world, exchange, "register-error", kind="request.failed")


def test_no_event_tells_more_than_ids_and_codes(world):
    """What the loop writes to standard error holds no person, and no count but of prekeys."""
    world.ask([people(0)])
    world.ask([people(0)], purpose="results-claim")
    world.round()
    allowed = {"event", "exchange", "agreement", "kind", "why", "detail", "code", "status", "count"}
    assert {"request-accepted", "request-refused"} <= {event["event"] for event in world.events}
    for event in world.events:
        assert set(event) <= allowed
        assert "Abel" not in str(event)


def test_a_poisoned_request_does_not_stop_the_others(tmp_path):
    """An unforeseen failure with one exchange is told by its type; the rest are answered."""
    calls = []

    def once(today):
        calls.append(today)
        if len(calls) == 1:
            raise ZeroDivisionError("Abel Quilter")
        return world.restarted().open_register(today)

    world = World(tmp_path)
    world.agent = replace(world.agent, open_register=once)
    first, second = world.ask([people(0)]), world.ask([people(1)])
    assert world.round().failed == 1
    assert second in world.gateway.answers
    assert "Quilter" not in str(world.events)
    world.round()
    assert first in world.gateway.answers


def test_the_frames_of_the_world_are_what_they_seem():
    """The register of these tests has its people once, so that a missing flag is the agent's doing."""
    assert REGISTER.select(pl.struct("forename", "surname", "dob").is_duplicated().any()).item() is False


ENDED = NOW.date() - timedelta(days=1)


@pytest.mark.parametrize("paper", ["dpia_to", "appropriate_policy_document_to"])
def test_a_paper_of_the_agreement_that_ran_out(world, paper):
    """The agent looks at the last day of each paper itself: nothing is answered past it."""
    world.document = world.agreement("A-2", **{paper: ENDED})
    world.agent.agreements.sign(world.propose(world.document), world.document)
    check_refused(world, world.ask([people(0)]), "rejected")


@pytest.mark.parametrize(
    "span",
    [{"valid_from": "2015-04-01", "valid_to": ENDED.isoformat()}, {"valid_from": "2999-01-01"}],
    ids=["ended", "not-begun"],
)
def test_a_policy_that_is_not_in_force(tmp_path, span):
    """The policy that both sides signed has days of its own, and the agent keeps to them."""
    world = World(tmp_path, policy={"span": span})
    check_refused(world, world.ask([people(0)]), "rejected")


def test_an_agreement_revoked_while_the_register_is_matched(tmp_path):
    """What ends during the matching is found before the answer is sent, not in the next round."""
    world = World(tmp_path)
    opened = world.agent.open_register

    def revoked_meanwhile(today):
        world.agent.agreements.revoke("A-1", NOW)
        return opened(today)

    world.agent = replace(world.agent, open_register=revoked_meanwhile)
    check_refused(world, world.ask([people(0)]), "rejected")


def test_an_agreement_that_ends_while_the_register_is_matched(tmp_path):
    """A long matching may end on another day than it began, and the agreement with it."""
    world = World(tmp_path)
    world.document = world.agreement("A-2", valid_to=NOW.date())
    world.agent.agreements.sign(world.propose(world.document), world.document)
    opened = world.agent.open_register

    def slow(today):
        world.clock.advance(hours=20)
        return opened(today)

    world.agent = replace(world.agent, open_register=slow)
    check_refused(world, world.ask([people(0)]), "rejected")
