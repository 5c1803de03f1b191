"""The agent's side of successions: it follows the council's keys and replaces its own, killed at any step."""

from datetime import timedelta
from itertools import count

import pytest
from agent_world import World, people
from succession_world import Keys, succession

from adapters.agent import successions
from adapters.agent.certificates import kept
from adapters.agent.tray import Tray
from adapters.keys.files import create_party_keys
from adapters.keys.folder import SecretFolder
from adapters.keys.rotating import RotatingKeys
from adapters.transports.mailbox import MailboxClient
from audit.log import Log
from gateway.bundle import errors
from gateway.bundle.certificate import make_certificate
from gateway.bundle.format import bundle_digest
from gateway.bundle.open import open_answer, read_own_request
from gateway.bundle.succession import USUAL_OVERLAP, RotationReason, lineage_of
from gateway.domain.errors import ConflictError, VerificationError
from gateway.domain.retention import RetentionClock
from gateway.linkage.scheme import V1

SOON = timedelta(days=2)
EVERY = pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.long)])
"""Each fourth step of a job, and in the long run every one."""


class KilledError(BaseException):
    """Not an Exception, so that no handler of the agent sees it: like a kill."""


class OwnWorld(World):
    """A partner whose keys lie in files, and can be rotated."""

    def own_keys(self):
        folder = self.folder / "keys"
        if not folder.exists():
            create_party_keys(folder, "trust", "Trust")
        return RotatingKeys(folder)

    def rotate(self, until=None):
        reason = RotationReason.SUSPECTED if until else RotationReason.SCHEDULED
        return successions.rotate(self.agent, reason, until or USUAL_OVERLAP)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def own(tmp_path):
    return OwnWorld(tmp_path)


def council_rotates(world, *, days=None, reason=RotationReason.SCHEDULED, old=None):
    """The council's next generation, shown by the gateway from now on."""
    number = len(world.gateway.successions) + 1
    lineage = lineage_of(world.council.identity, tuple(world.gateway.successions))
    token = succession(lineage, Keys("council", number), old=old, now=world.clock(), days=days, reason=reason)
    world.gateway.successions.append(token)
    world.gateway.council_taken = ""
    return Keys("council", number)


def cut_short(world):
    return council_rotates(world, days=SOON.days, reason=RotationReason.SUSPECTED)


def answered(world, exchange, *, council, partner=None):
    """The answer as the gateway opens it: between the generations that the request was sent between."""
    request = world.gateway.requests[exchange]
    return open_answer(
        world.gateway.answers[exchange],
        request=read_own_request(request, council.identity),
        request_digest=bundle_digest(request),
        secret=world.gateway.secrets[exchange],
        sender=(partner or world.partner).identity,
        self_test=world.agent.self_test(V1),
        now=world.clock(),
    ).flags.rows()


# --- the council's keys --------------------------------------------------------------------------------


def test_the_councils_new_keys_are_followed_and_its_old_ones_still_served(world):
    """In overlap, requests of either generation are answered; the agent says once that it knows."""
    before = world.ask([people(0)])
    new = council_rotates(world)
    after = world.ask([people(1)], signed_by=new)
    world.round()
    assert answered(world, before, council=world.council) == [(True, False)]
    assert answered(world, after, council=new) == [(False, True)]
    assert world.agent.council.lineage.current.identity == new.identity
    assert world.gateway.council_taken == new.identity.digest.hex()
    world.gateway.successions.clear()
    world.round()
    (entry,) = [each for each in world.entries() if each.kind == successions.COUNCIL]
    assert entry.body["fingerprint"] == new.identity.fingerprint


def test_after_the_overlap_the_councils_old_keys_ask_nothing(world):
    """What is signed by a key that was stolen later is refused, before anything is decrypted."""
    cut_short(world)
    world.round()
    world.gateway.successions.clear()
    world.clock.now += SOON
    exchange = world.ask([people(0)])
    world.gateway.log.keys = Keys("council", 1)
    world.round()
    assert exchange not in world.gateway.answers
    assert world.refusal(exchange) == "rejected"


def test_a_setting_lets_the_custodian_confirm_first(world):
    """Until then the old keys serve; when their overlap is over nothing is answered, and no alarm raised."""
    world.changes["confirm_successions"] = True
    world.agent = world.restarted()
    new = cut_short(world)
    first = world.ask([people(0)])
    world.round()
    assert answered(world, first, council=world.council)
    assert world.agent.council.lineage.current.number == 0
    world.clock.now += SOON
    second = world.ask([people(1)], signed_by=new)
    with pytest.raises(errors.UnconfirmedError, match="confirm-keys"):
        world.round()
    assert "witness.alarm" not in world.kinds()
    with pytest.raises(VerificationError, match="another fingerprint"):
        successions.confirm(world.agent, world.council.identity.fingerprint)
    successions.confirm(world.agent, new.identity.fingerprint)
    world.gateway.successions.clear()
    world.gateway.log.keys = new
    world.round()
    assert answered(world, second, council=new) == [(False, True)]


def test_an_agent_that_was_away_for_the_whole_overlap_waits_for_its_custodian(world):
    """The old key, which may be stolen since, vouches for nothing after its time; not even for successors."""
    new = cut_short(world)
    world.clock.now += SOON
    exchange = world.ask([people(0)], signed_by=new)
    with pytest.raises(errors.UnconfirmedError):
        world.round()
    assert exchange not in world.gateway.answers
    successions.confirm(world.agent, new.identity.fingerprint)
    world.gateway.successions.clear()
    world.gateway.log.keys = new
    world.round()
    assert answered(world, exchange, council=new)


@pytest.mark.parametrize(
    ("signer", "code"), [(Keys("stranger"), "wrong-signature"), (None, "wrong-predecessor")]
)
def test_a_succession_that_does_not_follow_stops_the_round(world, signer, code):
    """A gateway that shows keys which the known ones do not vouch for is answered nothing."""
    exchange = world.ask([people(0)])
    if signer is None:
        stranger = lineage_of(Keys("stranger").identity, ())
        world.gateway.successions.append(
            succession(stranger, Keys("stranger", 1), now=world.clock(), old=Keys("stranger"))
        )
    else:
        council_rotates(world, old=signer)
    with pytest.raises(VerificationError) as caught:
        world.round()
    assert caught.value.code == code
    assert exchange not in world.gateway.answers
    assert world.agent.council.lineage.current.number == 0


def test_agreements_of_before_hold_on(world):
    """Countersigned between the first generations, an agreement is in force, and can be revoked, after."""
    council_rotates(world)
    world.round()
    world.agent = world.restarted()
    assert set(world.agent.agreements.in_force()) == {"A-1"}
    world.agent.agreements.revoke("A-1", world.clock())
    assert world.agent.agreements.in_force() == {}


@pytest.mark.parametrize(
    ("days", "outcome"),
    [(-1, "certificate.results-kept"), (0, "certificate.results-refused")],
)
def test_certificates_of_earlier_keys_verify_for_what_they_destroyed_in_their_time(world, days, outcome):
    """Fetched long after, one of before the overlap's end is kept; one dated after it is refused."""
    exchange = world.ask([people(0)])
    world.round()
    cut_short(world)
    world.round()
    world.gateway.successions.clear()
    end = world.clock() + SOON
    world.clock.now = end + timedelta(days=30)
    world.gateway.log.keys = Keys("council", 1)
    world.gateway.certificates[exchange, "results"] = make_certificate(
        world.council.identity,
        world.partner.identity,
        world.council.sign,
        exchange=exchange,
        request_digest="ab" * 32,
        clock=RetentionClock.RESULTS,
        destroyed_at=end + timedelta(days=days),
        log_entry=41,
        key_backup_days=30,
    )
    world.round()
    assert outcome in world.kinds(exchange)
    assert len(kept(world.restarted())) == (days < 0)


# --- its own keys --------------------------------------------------------------------------------------


def test_own_keys_are_replaced_while_requests_go_on(own):
    """The old serve until the gateway has accepted the new, and for what was sent to them; then the new."""
    old = own.partner.identity
    before = own.ask([people(0)])
    document = own.rotate()
    own.round()
    assert own.partner.identity == old
    own.round()
    assert own.partner.identity == document.identity == own.gateway.lineage.current.identity
    late = own.ask([people(1)], recipient=old.digest.hex(), static=old.exchange)
    after = own.ask([people(1)])
    own.round()
    first = own.partner.generation(0)
    assert answered(own, before, council=own.council, partner=first) == [(True, False)]
    assert answered(own, late, council=own.council, partner=first) == [(False, True)]
    assert answered(own, after, council=own.council) == [(False, True)]
    kinds = [kind for kind in own.kinds() if kind.startswith("keys.")]
    assert kinds == [successions.ANNOUNCED, successions.ACCEPTED]


def test_after_the_overlap_own_old_keys_are_destroyed_and_open_nothing(own):
    """A request to them is refused, and there is no key that could open it."""
    old = own.partner.identity
    own.rotate(until=SOON)
    own.round()
    own.round()
    exchange = own.ask([people(0)], recipient=old.digest.hex(), static=old.exchange)
    own.clock.now += SOON
    own.round()
    assert exchange not in own.gateway.answers
    assert own.refusal(exchange) == "rejected"
    assert own.partner.held() == (1,)
    assert own.kinds()[-1] != successions.ANNOUNCED
    assert successions.ENDED in own.kinds()


def test_a_lost_acknowledgement_locks_nobody_out(own):
    """The gateway knows the new keys only, the agent does not know that, and the overlap is over."""
    own.rotate(until=SOON)
    own.gateway.lose_next_succession = True
    with pytest.raises(Exception, match="no connection"):
        own.round()
    assert own.partner.lineage.current.number == 0
    own.clock.now += SOON
    own.agent = own.restarted()
    exchange = own.ask([people(0)], recipient=own.gateway.lineage.current.digest, static=_next(own).exchange)
    own.round()
    assert own.partner.lineage.current.number == 1
    assert answered(own, exchange, council=own.council) == [(True, False)]


def _next(own):
    return own.partner.prepare().identity


@EVERY
def test_a_rotation_of_own_keys_killed_at_every_step_ends_well(tmp_path, monkeypatch, stride):
    """Wherever the agent dies, what was asked before is answered, and the new keys come into use."""
    for number, (at, after) in enumerate((at, after) for at in count(1, stride) for after in (False, True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        own = OwnWorld(folder)
        exchange, old = own.ask([people(0)]), own.partner.generation(0)
        with monkeypatch.context() as patch:
            seen = _kill_at(patch, at, after=after)
            try:
                _rotate_and_go_on(own)
            except KilledError:
                own.agent = own.restarted()
                _rotate_and_go_on(own)
        assert own.partner.lineage.current.number == 1
        assert own.partner.identity == own.gateway.lineage.current.identity
        assert answered(own, exchange, council=own.council, partner=old) == [(True, False)]
        if seen[0] < at:
            break
    assert at > 20


def _rotate_and_go_on(own):
    if own.partner.lineage.current.number == 0 and own.partner.pending() is None:
        own.rotate()
    for _ in range(3):
        own.round()


@EVERY
def test_following_the_council_killed_at_every_step_ends_well(tmp_path, monkeypatch, stride):
    """Wherever the agent dies, it knows the council by its new keys in the end, and answers under them."""
    for number, (at, after) in enumerate((at, after) for at in count(1, stride) for after in (False, True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder)
        new = council_rotates(world)
        exchange = world.ask([people(0)], signed_by=new)
        with monkeypatch.context() as patch:
            seen = _kill_at(patch, at, after=after)
            try:
                world.round()
            except KilledError:
                world.agent = world.restarted()
                if world.agent.council.lineage.current.number:
                    world.gateway.successions.clear()  # a gateway lists what is not known here
                world.round()
        assert world.gateway.council_taken == new.identity.digest.hex()
        assert answered(world, exchange, council=new) == [(True, False)]
        if seen[0] < at:
            break
    assert at > 8


def _kill_at(patch, at, *, after):
    """Kill at the effect number `at`, before or after it; how many there were."""
    seen = [0]

    def wrapped(original):
        def effect(*args, **kwargs):
            seen[0] += 1
            if seen[0] == at and not after:
                raise KilledError
            result = original(*args, **kwargs)
            if seen[0] == at:
                raise KilledError
            return result

        return effect

    effects = [(SecretFolder, "_put_one"), (Tray, "put"), (Tray, "drop"), (Log, "append")]
    effects += [(MailboxClient, name) for name in ("put_succession", "put_council_keys", "put_answer")]
    for owner, name in effects:
        patch.setattr(owner, name, wrapped(getattr(owner, name)))
    return seen


def test_keys_that_are_on_their_way_are_not_made_again(own):
    """The gateway may have accepted the first succession: a second one would tell the two sides two dates."""
    own.rotate()
    with pytest.raises(ConflictError, match="made already"):
        own.rotate(until=SOON)
