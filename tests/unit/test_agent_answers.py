"""What an agent answers, end to end but for the gateway: real bundles, matching, log and files."""

from datetime import timedelta

import polars as pl
import pytest
from agent_world import ADULT, CHILD, REGISTER, World, people, person, register_of

from adapters.agent.answering import answer
from adapters.agent.turn import Outcome

NONE = [False, False]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_flags_come_back_per_household(world):
    """A household has an indicator's flag when any member that is on the register has it."""
    exchange = world.ask([people(0, 2), people(1), people(2), people(7)])
    assert world.round().outcomes == {exchange: Outcome.REPLIED}
    rows = world.flags(exchange).flags.rows()
    assert rows == [(True, False), (False, True), (False, False), (False, False)]


def test_flags_come_back_per_person(tmp_path):
    """With person granularity each slot has its own row of bits, in the order of the slots."""
    world = World(tmp_path, policy={"granularity": "person-indicators"})
    exchange = world.ask([people(1, 7), people(0)])
    world.round()
    assert world.flags(exchange).flags.rows() == [(False, True), (False, False), (True, False)]


def test_one_bit_comes_back_per_household(tmp_path):
    """With the narrowest granularity a household has one bit: any indicator of any member."""
    world = World(tmp_path, policy={"granularity": "household-any"})
    exchange = world.ask([people(0, 1), people(2), people(7)])
    world.round()
    assert world.flags(exchange).flags.rows() == [(True,), (False,), (False,)]


def test_objected_absent_and_unflagged_people_are_the_same_bits(tmp_path):
    """Nobody can tell from an answer whether a person objected, is not known, has no flag, or is tied."""
    world = World(tmp_path, register=pl.concat([REGISTER, register_of((person(0), {ADULT: True}))]))
    absent, *others = (world.ask([people(number)]) for number in (7, 3, 2, 0))
    world.round()
    for exchange in others:
        assert world.flags(exchange).flags.equals(world.flags(absent).flags)
        assert len(world.flags(exchange).manifest.payload) == len(world.flags(absent).manifest.payload)
        assert len(world.gateway.answers[exchange]) == len(world.gateway.answers[absent])
        assert world.kinds(exchange) == world.kinds(absent)


def test_an_objectors_look_alike_is_not_matched_instead(tmp_path):
    """Objections are honoured after resolving, so a similar record does not take the objector's place."""
    twin = person(3, forename="Danny", surname=person(3)["surname"])
    rows = pl.concat([REGISTER, register_of((twin, {ADULT: True, CHILD: True}))])
    world = World(tmp_path, register=rows)
    exchange = world.ask([people(3)])
    world.round()
    assert world.flags(exchange).flags.rows() == [(False, False)]


def test_a_tie_is_no_match(tmp_path):
    """Two equal records for one person give no flag: a wrong match would disclose a stranger's data."""
    rows = pl.concat([REGISTER, register_of((person(0), {ADULT: True}))])
    world = World(tmp_path, register=rows)
    exchange = world.ask([people(0)])
    world.round()
    assert world.flags(exchange).flags.rows() == [(False, False)]


def test_batches_do_not_change_the_answer(tmp_path, monkeypatch):
    """A register read in small batches gives the same flags and completeness as one read whole."""
    world = World(tmp_path)
    exchange = world.ask([people(0, 2), people(1), people(3), people(25)])
    monkeypatch.setattr("adapters.agent.answering.BATCH", 3)
    world.round()
    rows = world.flags(exchange).flags.rows()
    assert rows == [(True, False), (False, True), (False, False), (True, True)]


def test_an_answer_attests_the_register(tmp_path):
    """Every answer says of which day the register is and how complete its columns are, in permille."""
    rows = pl.concat([REGISTER.with_columns(nhs_number=pl.lit(None, pl.String))])
    rows[0, "nhs_number"] = "9990000018"
    world = World(tmp_path, register=rows)
    exchange = world.ask([people(0)])
    world.round()
    attestation = world.flags(exchange).manifest.attestation
    assert attestation.register_date == world.clock().date()
    assert attestation.register_complete["surname"] == 1000
    assert attestation.register_complete["nhs_number"] == 1000 // REGISTER.height


def test_no_name_of_the_register_outlives_its_batch(world):
    """What the agent keeps of the register is flags of candidate records: no identifying column."""
    from adapters.agent import answering
    from adapters.agent.admission import open_first

    exchange = world.ask([people(0)])
    opened = open_first(world.agent, exchange, world.gateway.requests[exchange])
    scan = answering._scan(opened, world.agent.open_register(world.clock().date()), any_postcode=False)
    assert set(scan.flags.columns) == {"record", "objected", ADULT, CHILD}
    assert scan.flags.height < REGISTER.height
    assert answer(opened, world.agent.open_register(world.clock().date())).flags.rows() == [(True, False)]


def test_an_acknowledged_exchange_leaves_no_file_and_no_prekey(world):
    """After the acknowledgement nothing remains that could open the request again."""
    before = set(world.prekeys.private)
    exchange = world.ask([people(0)])
    world.round()
    assert world.left() == []
    assert len(before - set(world.prekeys.private)) == 1
    assert world.kinds(exchange) == ["request.received", "answer.sealed"]


def test_the_log_holds_no_figure_about_matches(world):
    """Entries tell who asked what under which agreement; people counts are commitments, matches nothing."""
    world.ask([people(0, 1, 2, 3)])
    world.round()
    for entry in world.entries():
        assert not any(isinstance(value, int) for value in entry.body.values())
        text = entry.leaf().decode().lower()
        assert not any(word in text for word in ("match", "tied", "objected", "found", "abel", "quilter"))
    received = next(entry for entry in world.entries() if entry.kind == "request.received")
    assert set(received.body["commitments"]) == {"people", "request"}


def test_two_requests_of_one_round_are_both_answered(world):
    """Every waiting exchange gets its turn, oldest first."""
    exchanges = [world.ask([people(0)]), world.ask([people(1)])]
    world.round()
    assert [exchange for _, exchange in world.gateway.puts] == exchanges


def test_an_expired_request_is_refused_as_expired(world):
    """A request that comes too late is not answered, and the notice says why."""
    exchange = world.ask([people(0)])
    world.clock.advance(days=8)
    world.round()
    assert world.gateway.answers == {}
    assert world.refusal(exchange) == "expired"


def test_an_answer_expires_with_its_request(world):
    """The gateway can hold an answer to the date that it set itself."""
    exchange = world.ask([people(0)])
    world.round()
    assert world.flags(exchange).manifest.expires_at == world.clock() + timedelta(days=7)
