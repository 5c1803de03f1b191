"""The gateway's side of successions: which generation is heard when; what is told, logged, destroyed."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import FakePartyKeys
from jobworld import HEADER
from proofs import an_assertion, signed_in
from succession_job import a_rotating_job, bodies, council_taken, rotate_council, rotate_partner
from succession_world import Keys, succession

from gateway.bundle import errors
from gateway.bundle.succession import (
    LEAST_SCHEDULED,
    RotationReason,
    keys_taken,
    lineage_of,
)
from gateway.bundle.witness import verify_log_key
from gateway.domain import labels
from gateway.domain.errors import (
    ConflictError,
    NotFoundError,
    NotSignedInError,
    StoreAlteredError,
    VerificationError,
)
from gateway.domain.exchange import Status
from gateway.service import access, agents, agreements, answers, partners, successions
from gateway.service.constraint import ProofError

OVERLAP = LEAST_SCHEDULED + timedelta(days=29)


@pytest.fixture
def job():
    return a_rotating_job()


# --- exchanges over a rotation -------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["council", "partner", "both"])
def test_an_exchange_under_way_is_answered_and_opened(job, who):
    """Sent before a rotation, it is answered under the generations that it was sent between."""
    exchange = job.sent()
    if who != "partner":
        rotate_council(job)
    if who != "council":
        rotate_partner(job)
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    assert job.drive(exchange) == Status.RELEASED
    (told,) = bodies(job, "exchange.delivered")
    assert told["signed_by"] == FakePartyKeys("trust").identity.digest.hex()


def test_new_bundles_go_out_under_the_new_keys_once_the_partner_knows_them(job):
    """Before it has said so the council's old keys serve, for a time that they last; then the new ones."""
    old = job.context.keys.identity.fingerprint
    end = job.clock() + timedelta(days=2)
    document = rotate_council(job, until=end, reason=RotationReason.SUSPECTED)
    first = job.sent()
    with job.store.begin() as uow:
        assert uow.exchanges.get(first).expires_at == end
    council_taken(job)
    second = job.submit(content=_other_list()).exchange
    with job.store.begin() as uow:
        assert uow.exchanges.get(second).expires_at > end
    told = [body["keys"]["council"] for body in bodies(job, "exchange.permitted")]
    assert told == [old, document.identity.fingerprint]


def test_after_the_overlap_only_the_new_keys_are_left(job):
    """A partner that has not heard of them is asked under them all the same: the old ones count no more."""
    end = job.clock() + timedelta(days=1)
    document = rotate_council(job, until=end, reason=RotationReason.SUSPECTED)
    job.clock.now = end
    agents.publish_prekeys(
        job.context, job.registered, job.partner.make_prekeys(1, job.clock() + timedelta(days=9))
    )
    job.submit(content=_other_list())
    assert bodies(job, "exchange.permitted")[-1]["keys"]["council"] == document.identity.fingerprint


def test_an_answer_by_a_stolen_key_after_the_overlap_is_not_opened(job):
    """What the old key of a partner signs after the overlap answers nothing, for whatever was sent to it."""
    exchange = job.sent()
    rotate_partner(job, days=1, reason=RotationReason.SUSPECTED)
    answer = job.partner.answer(job, exchange)
    job.clock.advance(days=1)
    with pytest.raises(errors.WrongKeyError, match="accepted no more"):
        answers.receive_answer(job.context, job.registered, exchange, answer)
    assert not bodies(job, "exchange.delivered")


def test_a_repeated_submission_is_known_again_after_a_rotation(job):
    """An idempotency key of before, and a list that is under way, are found under the old keys too."""
    first = job.submit(idempotency_key="key-same")
    rotate_council(job)
    council_taken(job)
    assert job.submit(idempotency_key="key-same").exchange == first.exchange
    with pytest.raises(ConflictError, match="under way"):
        job.submit(idempotency_key="key-other")


def test_agreements_hold_on_and_their_signatures_are_verified_still(job):
    """Signed between the first generations, an agreement is shown, decided and replayed after both rotate."""
    rotate_council(job)
    rotate_partner(job)
    job.clock.now += OVERLAP
    document, held = agreements.show(job.context, "T-1")
    assert (document, held.signed_at is not None) == (job.document, True)
    with job.store.begin() as uow:
        assert agreements.usable(uow, held, job.context.keys.lineage).signed


# --- what comes in, waits and is told ------------------------------------------------------------------


def test_a_succession_is_accepted_once_and_logged(job):
    """The entry says which keys follow which, why and until when; the same again does nothing."""
    token = rotate_partner(job)
    successions.receive(job.context, job.registered, token)
    (body,) = bodies(job, "partner.keys-succeeded")
    assert body["fingerprint"] == Keys("trust", 1).identity.fingerprint == job.registered.identity.fingerprint
    assert body["before"] == FakePartyKeys("trust").identity.fingerprint
    assert (body["sequence"], body["reason"], body["partner"]) == (1, "scheduled", "trust")


def test_a_succession_of_another_partner_is_refused(job):
    """Signed in as one partner, nobody brings keys for another."""
    stranger = FakePartyKeys("police")
    partners.add(job.context, stranger.identity.to_json(), stranger.identity.fingerprint)
    token = succession(lineage_of(stranger.identity, ()), Keys("police", 1), old=stranger, now=job.clock())
    with pytest.raises(errors.WrongPredecessorError):
        successions.receive(job.context, job.registered, token)
    assert not bodies(job, "partner.keys-succeeded")


@pytest.mark.parametrize("why", ["the operator wants to", "it comes after its overlap"])
def test_keys_wait_until_their_fingerprint_is_confirmed(job, why):
    """Until then the old keys serve and the new ones do nothing; a wrong fingerprint changes nothing."""
    if why == "the operator wants to":
        job.context = replace(job.context, confirm_successions=True)
    lineage, new = job.registered.lineage, Keys("trust", 1)
    token = succession(lineage, new, now=job.clock(), days=1, reason=RotationReason.SUSPECTED)
    if why != "the operator wants to":
        job.clock.advance(days=1)
    successions.receive(job.context, job.registered, token)
    successions.receive(job.context, job.registered, token)
    assert len(bodies(job, "partner.keys-waiting")) == 1
    assert job.registered.identity == FakePartyKeys("trust").identity
    assert successions.waiting(job.context, "trust").fingerprint == new.identity.fingerprint
    with pytest.raises(VerificationError, match="another fingerprint"):
        successions.confirm(job.context, "trust", FakePartyKeys("trust").identity.fingerprint)
    successions.confirm(job.context, "trust", new.identity.fingerprint.lower())
    assert job.registered.identity == new.identity
    assert len(bodies(job, "partner.keys-succeeded")) == 1
    with pytest.raises(NotFoundError):
        successions.confirm(job.context, "trust", new.identity.fingerprint)


def test_a_partner_can_not_fill_the_log_with_successions(job):
    """A handful in a day is accepted, the next has to wait, and the keys of before stay."""
    for _ in range(successions.MAX_A_DAY):
        rotate_partner(job, days=1, reason=RotationReason.SUSPECTED)
    current = job.registered.identity
    with pytest.raises(ConflictError, match="in a day"):
        rotate_partner(job, days=1, reason=RotationReason.SUSPECTED)
    assert job.registered.identity == current


def test_an_access_token_of_the_old_keys_lives_its_five_minutes_and_no_more_are_made(job):
    """A rotation signs no agent out; the old sign-in key, stolen later, signs nobody in, overlap or not."""
    holder = signed_in(job.context, an_assertion(job.context, job.partner.keys))
    old = job.context.keys.generation(0)
    job.clock.advance(seconds=10)
    rotate_council(job)
    job.clock.advance(seconds=100)
    assert reached(job, holder)
    job.clock.advance(seconds=300)
    claims = json.loads(base64.urlsafe_b64decode(holder.token.split(".")[1] + "=="))
    issued = int(job.clock().timestamp())
    forged = claims | {"iat": issued, "exp": issued + 300}
    holder.token = old.sign_in(json.dumps(forged).encode(), labels.TYP_ACCESS)
    with pytest.raises(NotSignedInError, match="not valid"):
        reached(job, holder)


def reached(job, holder) -> bool:
    """Whether the gateway lets the agent in, with a new nonce where it wants one."""
    try:
        shown = holder.presented()
        return access.partner_of(job.context, holder.token, shown).partner.identity.slug == "trust"
    except ProofError as error:
        holder.nonce = error.nonce
    return access.partner_of(job.context, holder.token, holder.presented()).partner.identity.slug == "trust"


def test_keys_of_a_later_time_are_refused(job):
    """A succession that begins tomorrow is a wrong clock, and waits for nobody."""
    token = succession(job.registered.lineage, Keys("trust", 1), now=job.clock() + timedelta(days=1))
    with pytest.raises(errors.NotYetValidError):
        successions.receive(job.context, job.registered, token)


def test_after_a_suspicion_prekeys_of_before_are_dropped(job):
    """Whoever held the old signing key may have left some; scheduled, they serve on."""
    with job.store.begin() as uow:
        before = uow.prekeys.available("trust", job.clock())
    rotate_partner(job)
    with job.store.begin() as uow:
        assert uow.prekeys.available("trust", job.clock()) == before
    rotate_partner(job, days=2, reason=RotationReason.SUSPECTED)
    with job.store.begin() as uow:
        assert uow.prekeys.available("trust", job.clock()) == 0


def test_a_poll_tells_what_an_agent_does_not_know(job):
    """Successions after the identity that it names, and the log's key signed by that very identity."""
    first = job.context.keys.identity
    quiet = agents.state(job.context, job.registered)["keys"]
    assert quiet == {"successions": [], "taken": None, "own": FakePartyKeys("trust").identity.digest.hex()}
    rotate_council(job)
    told = agents.state(job.context, job.registered, 0, first.digest.hex())
    assert told["keys"]["successions"] == list(job.context.keys.successions)
    assert told["keys"]["taken"] == ""
    verify_log_key(told["log"]["key"], first)
    council_taken(job)
    current = job.context.keys.identity
    told = agents.state(job.context, job.registered, 0, current.digest.hex())
    assert told["keys"]["successions"] == []
    assert told["keys"]["taken"] == current.digest.hex()
    verify_log_key(told["log"]["key"], current)


def test_keys_that_were_never_the_councils_are_not_acknowledged(job):
    """An acknowledgement of a stranger's identity is refused, and none is logged."""
    token = keys_taken("trust", FakePartyKeys("stranger").identity, job.clock(), job.partner.keys.sign)
    with pytest.raises(errors.WrongKeyError):
        successions.take(job.context, job.registered, token)
    assert not bodies(job, "keys.succession-taken")


def test_a_store_in_which_a_succession_was_altered_goes_no_further(job):
    """Whoever writes into the database can't give a partner other keys."""
    rotate_partner(job)
    kept = job.store.committed.successions
    other = succession(lineage_of(FakePartyKeys("trust").identity, ()), Keys("police", 7), old=Keys("police"))
    kept["trust", 1] = replace(kept["trust", 1], document=other)
    with pytest.raises(StoreAlteredError, match="does not hold"):
        job.registered  # noqa: B018


# --- the end of an overlap -----------------------------------------------------------------------------


def test_the_end_of_an_overlap_is_logged_once_and_the_old_keys_destroyed(job):
    """Each side's; and nothing before its time."""
    rotate_council(job)
    rotate_partner(job)
    successions.end_overlaps(job.context)
    assert job.context.keys.held() == (0, 1)
    job.clock.now += OVERLAP
    for _ in range(2):
        successions.end_overlaps(job.context)
    assert job.context.keys.held() == (1,)
    assert [body["sequence"] for body in bodies(job, "keys.succession-ended")] == [0]
    assert [body["partner"] for body in bodies(job, "partner.keys-ended")] == ["trust"]


def test_old_keys_stay_while_an_exchange_of_before_is_open(job):
    """They answer for nothing, but know a repeated submission again; the last open exchange ends that."""
    exchange = job.sent()
    end = job.clock() + timedelta(days=1)
    job.clock.advance(hours=1)
    rotate_council(job, until=end, reason=RotationReason.SUSPECTED)
    job.clock.now = end
    successions.end_overlaps(job.context)
    assert job.context.keys.held() == (0, 1)
    job.clock.advance(days=100)
    job.drive(exchange)
    successions.end_overlaps(job.context)
    assert job.context.keys.held() == (1,)


def _other_list():
    names = [("Eve", "1984-01-02"), ("Fay", "2013-01-02"), ("Gus", "2015-01-02")]
    rows = [
        f"q{h}{m},k{h},{name},Sample{h},{dob},f,LS1 4AP,crime.asb_intervention_12m,yes,yes\n"
        for h in range(1, 5)
        for m, (name, dob) in enumerate(names)
    ]
    return HEADER + "".join(rows)
