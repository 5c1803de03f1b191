"""Keys that take another's place: logged, followed by witnesses, and destroyed once nothing needs them."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_keys import FakeKeys
from fake_store import FakeStore
from fakes import NOON, FakePartyKeys
from jobworld import a_job

from adapters.agent.council import Council
from adapters.agent.tray import Tray
from adapters.agent.witness import DivergenceError, Witness
from adapters.keys.files import FileExchangeKeys
from adapters.keys.logkey import FileSuccessions, LogSigner
from adapters.keys.places import Places
from adapters.keys.search import SEARCH, FileSearchSeal, opener_of, sealed_for
from adapters.keys.upkeep import Home, due
from adapters.keys.wrapping import SEALING
from adapters.transports.mailbox import LogShown
from audit.checkpoint import NoteVerifier, open_checkpoint, signatures_by
from audit.cosignature import Cosigner
from audit.entry import Entry
from audit.errors import NoteError
from audit.trust import Trust
from gateway.bundle.witness import LogKey, Reason
from gateway.domain.errors import BadInputError, LogUnavailableError, NotFoundError
from gateway.domain.exchange import ExchangeId
from gateway.domain.labels import TYP_LOG_KEY
from gateway.key_ports import Use
from gateway.service import agents, keyrotation
from gateway.service.keyrotation import LOG, announce, rotate, sweep
from gateway.service.recording import record, the_gateway

NAME = "flagstone/borough"
OVERLAP = timedelta(days=90)


@pytest.fixture
def keys():
    made = FakeKeys()
    made.create(LOG, Use.SIGN, NOON)
    return made


@pytest.fixture
def job(keys, tmp_path):
    (tmp_path / "log-key").mkdir(mode=0o700)
    made = a_job(store=FakeStore(LogSigner(keys, NAME)))
    made.context = replace(made.context, log_successions=FileSuccessions(tmp_path / "log-key"))
    return made


class AnAgent:
    """A witness that polls the council of a job."""

    def __init__(self, job, folder):
        self.job = job
        cosigner = Cosigner("flagstone/trust/witness", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
        self.witness = Witness(
            Tray(folder), cosigner, Council(Tray(folder / "council"), job.context.keys.identity)
        )

    def shown(self, **changes):
        told = agents.state(self.job.context, self.job.registered, self.witness.size())["log"]
        return LogShown.model_validate(told | changes)

    def poll(self, **changes):
        return self.witness.look(self.shown(**changes), self.job.clock())

    @property
    def pinned(self):
        return self.witness.key(self.witness.seen().key).vkey


@pytest.fixture
def agent(job, tmp_path):
    agent = AnAgent(job, tmp_path / "witness")
    agent.poll()
    return agent


def entries(job, kind):
    found = [Entry.parse(leaf) for leaf in job.store.committed.leaves]
    return [entry for entry in found if entry.kind == kind]


def checkpoint(job):
    with job.store.begin() as uow:
        return uow.log.checkpoint()


def test_a_rotation_stands_in_the_log_under_both_keys(job, keys):
    """The entry names both keys, and its checkpoint is signed by the former and the new one."""
    old = job.store.signer.verifier
    rotate(job.context, keys, LOG)
    new = job.store.signer.verifier
    (entry,) = entries(job, "keys.rotated")
    assert (entry.body["key_kind"], entry.body["generation"]) == (LOG, 2)
    assert (entry.body["before"], entry.body["key"]) == (old.vkey, new.vkey)
    assert new.key != old.key
    signed = {key.key for key, _ in signatures_by(checkpoint(job), new.keys)[1]}
    assert signed == {old.key, new.key}
    assert open_checkpoint(checkpoint(job), old).size == len(job.store.committed.leaves)


def test_the_log_goes_on_under_the_new_key(job, keys):
    """One log before, in and after the overlap; the former key verifies it till that is over."""
    old = job.store.signer.verifier
    rotate(job.context, keys, LOG)
    job.sent()
    assert open_checkpoint(checkpoint(job), old)
    job.clock.now += OVERLAP
    sweep(job.context, {LOG: keys}, lambda _: set(), OVERLAP)
    with job.store.begin() as uow:
        record(job.context, uow, "keys.in-use", actor=the_gateway(job.context), body={}, at=job.clock())
        uow.commit()
    with pytest.raises(NoteError, match="no trusted key"):
        open_checkpoint(checkpoint(job), old)
    both = Trust.parse(json.dumps(Trust(job.store.signer.verifier).to_json()).encode())
    assert both.log.earlier == (NoteVerifier(NAME, old.key),)
    assert both.open(checkpoint(job))


def test_a_witness_follows_at_its_next_poll(job, keys, agent):
    """The agent pins the new key, cosigns under it, and says no alarm."""
    old = agent.pinned
    rotate(job.context, keys, LOG)
    note = agent.poll()
    assert agent.pinned == job.store.signer.verifier.vkey != old
    assert agent.witness.cosigned().size == len(job.store.committed.leaves)
    assert open_checkpoint(note.encode(), job.store.signer.verifier)
    job.sent()
    agent.poll()
    assert agent.witness.cosigned().size == len(job.store.committed.leaves)


def test_a_witness_that_slept_through_several_rotations_follows(job, keys, agent):
    """Each key announced the next, so the chain leads from the pinned one to the newest, overlaps over."""
    for _ in range(3):
        rotate(job.context, keys, LOG)
        job.clock.now += timedelta(days=1)
        sweep(job.context, {LOG: keys}, lambda _: set(), timedelta(days=1))
    job.sent()
    agent.poll()
    assert agent.pinned == job.store.signer.verifier.vkey


def test_a_key_that_is_not_announced_yet_is_shown_to_no_witness(job, keys, agent):
    """Between the new key and its entry a poll finds the former, which signs too: no alarm."""
    pinned = agent.pinned
    keys.create(LOG, Use.SIGN, job.clock())
    job.sent()
    agent.poll()
    assert agent.pinned == pinned
    announce(job.context, keys, LOG)
    keys.create(LOG, Use.SIGN, job.clock())
    agent.poll()
    assert agent.pinned == job.store.signer.verifier.earlier[0].vkey != pinned
    announce(job.context, keys, LOG)
    agent.poll()
    assert agent.pinned == job.store.signer.verifier.vkey


def _without(shown, _):
    return {"successions": ()}


def _forged(shown, job):
    step = shown.successions[0]
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    leaf = json.loads(step.leaf)
    leaf["body"]["key"] = NoteVerifier(NAME, other).vkey
    return {
        "successions": [
            {"leaf": json.dumps(leaf, sort_keys=True, separators=(",", ":")), "proof": step.proof}
        ]
    }


def _of_new_key_alone(shown, job):
    step = shown.successions[0]
    lines = step.proof.split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("— "))
    signed = [line for line in lines[first:] if line]
    newest = job.store.signer.verifier.key_id
    kept = [line for line in signed if base64.b64decode(line.split(" ")[2])[:4] == newest]
    return {"successions": [{"leaf": step.leaf, "proof": "\n".join([*lines[:first], *kept]) + "\n"}]}


def _another_council_key(shown, job):
    other = NoteVerifier(NAME, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    key = LogKey(council="council", vkey=other.vkey)
    return {"key": FakePartyKeys("council").sign(key.payload, TYP_LOG_KEY)}


@pytest.mark.parametrize("harm", [_without, _forged, _of_new_key_alone, _another_council_key])
def test_no_key_is_taken_that_the_pinned_one_did_not_announce(job, keys, agent, harm):
    """Without the entry, with another key in it, signed by the new key alone, or on the council's word alone:
    an alarm, and nothing is cosigned or pinned.
    """
    before, pinned = agent.witness.cosigned(), agent.pinned
    rotate(job.context, keys, LOG)
    with pytest.raises(DivergenceError) as raised:
        agent.poll(**harm(agent.shown(), job))
    assert raised.value.why is Reason.OTHER_KEY
    assert (agent.witness.cosigned(), agent.pinned) == (before, pinned)


def test_a_fork_is_found_under_the_new_key_too(job, keys, agent):
    """A new key is no way around consistency: a smaller tree raises the alarm."""
    rotate(job.context, keys, LOG)
    agent.poll()
    old_tree = agent.shown()
    job.sent()
    agent.poll()
    with pytest.raises(DivergenceError) as raised:
        agent.witness.look(old_tree, job.clock())
    assert raised.value.why is Reason.SMALLER


def test_a_rotation_cut_short_is_finished(job, keys, monkeypatch):
    """A new key whose entry could not be written is announced later, once."""

    def fails():
        raise LogUnavailableError("no", place="log")

    job.store.hooks.before_append = fails
    with pytest.raises(LogUnavailableError):
        rotate(job.context, keys, LOG)
    assert entries(job, "keys.rotated") == []
    job.store.hooks.before_append = lambda: None
    for _ in range(2):
        announce(job.context, keys, LOG)
    assert len(entries(job, "keys.rotated")) == 1
    assert len(job.context.log_successions.all()) == 1


def test_a_former_log_key_signs_till_the_overlap_is_over_and_is_destroyed_then(job, keys):
    """Not a day before; with an entry; and one destruction cut short makes no second entry."""
    rotate(job.context, keys, LOG)
    job.clock.now += OVERLAP - timedelta(days=1)
    assert sweep(job.context, {LOG: keys}, lambda _: set(), OVERLAP) == []
    job.clock.now += timedelta(days=1)
    destroy, keys.destroy = keys.destroy, lambda *_: (_ for _ in ()).throw(OSError("no disk"))
    with pytest.raises(OSError, match="no disk"):
        sweep(job.context, {LOG: keys}, lambda _: set(), OVERLAP)
    keys.destroy = destroy
    gone = sweep(job.context, {LOG: keys}, lambda _: set(), OVERLAP)
    assert [str(key.ref) for key in gone] == ["log.1"]
    assert [entry.body["generation"] for entry in entries(job, "keys.destroyed")] == [1]
    with pytest.raises(NotFoundError):
        keys.sign(gone[0].ref, b"x")


def test_a_sealing_key_ends_once_no_file_needs_it(job, keys, tmp_path):
    """What was sealed for the former key opens, new secrets are sealed for the new one, and the former is
    destroyed a day after it is needed no more.
    """
    at, files = job.clock(), FileExchangeKeys(tmp_path / "exchange-keys", keys)
    one, two = (ExchangeId(job.context.new_id()) for _ in range(2))
    files.put(one, "seal", b"raw" * 8)
    keys.create(SEALING, Use.SEAL, at)
    files.put(two, "seal", b"a" * 32)
    files.put(two, "seal", b"a" * 32)
    home = Home(tmp_path, Places())
    assert b"a" * 32 not in (tmp_path / "exchange-keys" / f"{two}.seal").read_bytes()
    rotate(job.context, keys, SEALING)
    files.put(one, "accounting", b"b" * 32)
    assert files.get(one, "seal") == b"raw" * 8
    assert (files.get(two, "seal"), files.get(one, "accounting")) == (b"a" * 32, b"b" * 32)
    job.clock.now += timedelta(days=2)
    assert sweep(job.context, {SEALING: keys}, home.needed, OVERLAP) == []
    files.destroy(two, "seal")
    assert [str(key.ref) for key in sweep(job.context, {SEALING: keys}, home.needed, OVERLAP)] == [
        "sealing.1"
    ]
    assert files.get(one, "accounting") == b"b" * 32


def test_a_search_key_ends_with_the_last_tags_that_were_sealed_to_it(job, keys, tmp_path):
    """Both generations open what was sealed to them; the former goes with its last sealed secret."""
    keys.create(SEARCH, Use.AGREE, job.clock())
    seal, files = FileSearchSeal(keys), FileExchangeKeys(tmp_path / "exchange-keys", keys)
    one, two = (ExchangeId(job.context.new_id()) for _ in range(2))
    files.put(one, "tags", seal.seal(one, b"1" * 32))
    rotate(job.context, keys, SEARCH)
    files.put(two, "tags", seal.seal(two, b"2" * 32))
    opened = opener_of(keys, keys.known(SEARCH))
    assert [sealed_for(files.get(each, "tags"))[0] for each in (one, two)] == [1, 2]
    assert (opened(one, files.get(one, "tags")), opened(two, files.get(two, "tags"))) == (
        b"1" * 32,
        b"2" * 32,
    )
    job.clock.now += timedelta(days=2)
    home = Home(tmp_path, Places())
    assert sweep(job.context, {SEARCH: keys}, home.needed, OVERLAP) == []
    files.destroy(one, "tags")
    (gone,) = sweep(job.context, {SEARCH: keys}, home.needed, OVERLAP)
    assert str(gone.ref) == "search.1"


def test_what_concerns_partners_does_not_rotate_so(job, keys):
    """An organisation's identity is another's business."""
    with pytest.raises(BadInputError):
        rotate(job.context, keys, "signing")


def test_a_key_is_due_by_its_kinds_days(job, keys):
    """Retired keys, and kinds without a setting, are never due."""
    (key,) = keys.known(LOG)
    assert due(key, {LOG: 10}) == key.created + timedelta(days=10)
    assert due(key, {}) is None
    assert due(replace(key, retired=key.created), {LOG: 10}) is None
    assert keyrotation.USES[LOG] is Use.SIGN
