"""The gateway and its witnesses: what it shows and keeps, whom it tells, and what waits for a cosignature."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakes import a_user
from jobworld import a_job, by_indicator
from witness_partner import APartner, Memory

from audit.checkpoint import NoteSigner, open_checkpoint, unsafe_read_checkpoint
from audit.cosignature import Cosigner, open_cosigned
from audit.entry import Entry
from audit.merkle import verify_consistency
from gateway.bundle.errors import MalformedError, WrongKeyError, WrongSignatureError
from gateway.bundle.witness import LogKey, verify_log_key
from gateway.domain.errors import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
    TooLargeError,
    VerificationError,
)
from gateway.domain.exchange import Role
from gateway.domain.principal import Principal
from gateway.domain.retention import RetentionClock
from gateway.service import answers, cosigned, exchanges, witnessing
from gateway.service.advance import LONGEST_WAIT
from gateway.service.exchanges import show
from gateway.service.release import release
from policies.document import from_document, to_document
from policies.loader import builtin, load
from policies.model import CosignedBy


@pytest.fixture
def job():
    made = a_job()
    made.context = replace(made.context, cosigned=Memory())
    return made


@pytest.fixture
def trust(job):
    return APartner(job)


# --- what a witness is shown -------------------------------------------------------------------------


def test_a_poll_shows_key_checkpoint_and_proof(job, trust):
    """The council signs for the log's key; the proof leads from what was seen to the newest checkpoint."""
    first = trust.state()
    key = verify_log_key(first["key"], job.context.keys.identity)
    old = open_checkpoint(first["checkpoint"].encode(), key.verifier)
    assert first["proof"] == []
    trust.announce()
    told = trust.state(old.size)
    new = open_checkpoint(told["checkpoint"].encode(), key.verifier)
    proof = [bytes.fromhex(node) for node in told["proof"]]
    verify_consistency(old.size, new.size, old.root, new.root, proof)
    assert trust.state(new.size)["proof"] == trust.state(new.size + 9)["proof"] == []


def test_a_poll_tells_what_the_gateway_has(trust):
    """The witness learns which of its keys and cosignatures are known there, and sends the rest."""
    assert (trust.state()["witness"], trust.state()["witnessed"]) == ("", 0)
    trust.announce().cosign()
    told = trust.state()
    assert told["witness"] == trust.cosigner.verifier.vkey
    assert told["witnessed"] == unsafe_read_checkpoint(told["checkpoint"].encode()).size


def test_a_key_document_of_another_council_is_refused(job):
    """The log key names its council, and is a key."""
    council = job.context.keys
    for told, error in (
        ({"council": "other", "vkey": job.store.signer.verifier.vkey}, WrongKeyError),
        ({"council": "council", "vkey": "no key"}, MalformedError),
    ):
        jws = council.sign(LogKey(**told).payload, "flagstone-log-key+jws")
        with pytest.raises(error):
            verify_log_key(jws, council.identity)


# --- announcing --------------------------------------------------------------------------------------


def test_a_witness_key_is_logged_once(job, trust):
    """The same key again changes nothing; another key of the partner takes its place, and is logged too."""
    trust.announce().announce()
    assert job.kinds().count("witness.announced") == 1
    APartner(job, seed=b"v" * 32).announce()
    assert job.kinds().count("witness.announced") == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"partner": "other"}, WrongKeyError),
        ({"vkey": "nonsense"}, MalformedError),
        (
            {"vkey": Cosigner("flagstone/other/witness", Ed25519PrivateKey.generate()).verifier.vkey},
            WrongKeyError,
        ),
        (
            {"vkey": NoteSigner("flagstone/trust/witness", Ed25519PrivateKey.generate()).verifier.vkey},
            MalformedError,
        ),
    ],
    ids=["partner", "no key", "name", "a log's key"],
)
def test_a_key_that_is_not_the_partner_s_witness_s_is_refused(job, trust, changes, error):
    """Partner, name and kind of key must all be this witness' own."""
    with pytest.raises(error):
        trust.announce(**changes)
    assert "witness.announced" not in job.kinds()


def test_a_key_document_must_be_signed_by_the_partner(job, trust):
    """Another partner's signature announces nothing."""
    other = APartner(job, "police", b"p" * 32)
    with pytest.raises(WrongSignatureError):
        witnessing.announce(job.context, trust.registered, other.key_jws())


def test_one_key_is_one_witness(job, trust):
    """Two partners with one key, or the log's own key, would count twice: refused."""
    trust.announce()
    with pytest.raises(ConflictError):
        APartner(job, "police").announce()
    log = job.store.signer
    own = Cosigner("flagstone/trust/witness", log._keys[0][1]).verifier.vkey
    with pytest.raises(ConflictError):
        trust.announce(vkey=own)


# --- cosignatures ------------------------------------------------------------------------------------


def test_the_served_checkpoint_carries_the_cosignatures_it_has(job, trust):
    """The newest checkpoint comes with its cosignatures; with a number, the newest that has so many."""
    police = APartner(job, "police", b"p" * 32).announce()
    trust.announce()
    note = trust.note()
    trust.cosign(note)
    police.cosign()
    size = unsafe_read_checkpoint(note).size
    verifiers = [trust.cosigner.verifier, police.cosigner.verifier]
    served = cosigned.checkpoint(job.context, job.reviewer)
    assert open_cosigned(served, job.store.signer.verifier, verifiers, 2)[0].size == size
    trust.alarm()  # the log grows
    bare = cosigned.checkpoint(job.context, job.reviewer)
    assert open_cosigned(bare, job.store.signer.verifier, verifiers)[1] == ()
    trust.cosign()
    served = cosigned.checkpoint(job.context, job.reviewer, 2)
    assert open_cosigned(served, job.store.signer.verifier, verifiers, 2)[0].size == size
    newer = cosigned.checkpoint(job.context, job.reviewer, 1)
    assert unsafe_read_checkpoint(newer).size == size + 1
    with pytest.raises(NotFoundError):
        cosigned.checkpoint(job.context, job.reviewer, 3)
    with pytest.raises(NotAllowedError):
        cosigned.checkpoint(job.context, job.analyst)


def test_a_cosignature_is_kept_outside_the_database_first(job, trust):
    """Where the database fails, the memory outside has it already; others' signatures are dropped."""
    trust.announce()
    stranger = Cosigner("stranger", Ed25519PrivateKey.generate())
    note = trust.note()

    def fail():
        raise RuntimeError("the database is gone")

    job.store.hooks.before_commit = fail
    with pytest.raises(RuntimeError):
        trust.cosign(note + stranger.cosign(note, job.clock()))
    assert job.context.cosigned.all() == {"trust": note}


def test_an_older_cosignature_does_not_take_the_newer_one_s_place(job, trust):
    """A late upload is kept in the database, and the memory outside stays at the newest."""
    trust.announce()
    old = trust.note()
    trust.alarm()
    new = trust.note()
    trust.cosign(new)
    trust.cosign(old)
    trust.cosign(old)
    assert job.context.cosigned.all() == {"trust": new}
    assert len(job.store.committed.cosigned) == 2


def test_what_is_no_cosignature_of_our_log_is_refused(job, trust):
    """A strange key, log, text or length, or a witness without a key: nothing is kept."""
    with pytest.raises(ConflictError):
        trust.cosign()
    trust.announce()
    shown = trust.state()["checkpoint"].encode()
    other_log = NoteSigner("flagstone/other", Ed25519PrivateKey.generate())
    foreign = other_log.sign(
        unsafe_read_checkpoint(shown).text.replace(job.store.signer.name, other_log.name, 1)
    )
    for note in (
        b"no note",
        shown,
        shown + Cosigner("flagstone/trust/witness", Ed25519PrivateKey.generate()).cosign(shown, job.clock()),
        foreign + trust.cosigner.cosign(foreign, job.clock()),
    ):
        with pytest.raises(VerificationError):
            trust.cosign(note)
    with pytest.raises(TooLargeError):
        trust.cosign(b"x" * 9000)
    assert job.context.cosigned.all() == {}


@pytest.mark.parametrize("change", [0, 1], ids=["other root", "longer"])
def test_a_cosigned_checkpoint_that_the_log_does_not_hold_is_refused(job, trust, change):
    """A note that our own key signed once, over a log that was lost or forked, is not kept."""
    trust.announce()
    now = unsafe_read_checkpoint(trust.state()["checkpoint"].encode())
    forked = job.store.signer.sign(replace(now, size=now.size + change, root=b"r" * 32).text)
    with pytest.raises(VerificationError):
        trust.cosign(forked + trust.cosigner.cosign(forked, job.clock()))


# --- alarms ------------------------------------------------------------------------------------------


def test_an_alarm_is_logged_and_shown_to_reviewers(job, trust):
    """The notice is in the list, and the entry commits to it: a partner's texts may hold anything."""
    trust.announce().cosign()
    jws = trust.alarm()
    trust.alarm()
    assert job.kinds().count("witness.alarm") == 1
    told = cosigned.witnesses(job.context, job.reviewer)
    (alarm,) = told["alarms"]
    assert (alarm["partner"], alarm["reason"], alarm["notice"]) == ("trust", "other-root", jws)
    (witness,) = told["witnesses"]
    assert (witness["partner"], witness["key"]) == ("trust", trust.cosigner.verifier.vkey)
    entry = Entry.parse(job.store.committed.leaves[-1])
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("seen", "shown")}
    assert {name: entry.body[name] for name in digests} == digests
    assert entry.body["notice"] == hashlib.sha256(jws.encode()).hexdigest()
    with pytest.raises(NotAllowedError):
        cosigned.witnesses(job.context, job.analyst)


def test_an_alarm_must_be_the_partner_s_own(job, trust):
    """A notice that names or is signed by another is refused, and so is a flood of them."""
    with pytest.raises(WrongKeyError):
        trust.alarm(partner="other")
    for number in range(witnessing.MAX_ALARMS):
        trust.alarm(seen=str(number))
    with pytest.raises(ConflictError):
        trust.alarm(seen="one more")
    job.clock.advance(days=2)
    trust.alarm(seen="another day")
    assert job.kinds().count("witness.alarm") == witnessing.MAX_ALARMS + 1


# --- release -----------------------------------------------------------------------------------------


def waiting(*by):
    """A delivered exchange under a policy that waits for these."""
    policies = by_indicator(load(builtin()))
    trusts = replace(policies.datasets["health-trust"], cosigned_by=tuple(map(CosignedBy, by)) or None)
    job = a_job(policies=replace(policies, datasets={**policies.datasets, "health-trust": trusts}))
    trust = APartner(job).announce()
    police = APartner(job, "police", b"p" * 32).announce()
    before = [each.note() for each in (trust, police)]
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    for each, note in zip((trust, police), before, strict=True):
        each.cosign(note)
    return job, exchange, trust, police


def waits(job, exchange):
    return show(job.context, job.reviewer, exchange)["waits_for"]


def test_a_policy_that_asks_for_none_waits_for_none():
    """By default a release waits for no cosignature."""
    job, exchange, *_ = waiting()
    assert waits(job, exchange) == []
    assert release(job.context, exchange) == "released"


def test_release_waits_until_the_delivery_is_cosigned():
    """A cosignature from before the delivery is not enough; each asked-for witness must cover its entry."""
    job, exchange, trust, police = waiting("partner", "outside")
    assert job.drive(exchange) == "delivered"
    assert waits(job, exchange) == ["partner", "outside"]
    trust.cosign()
    assert job.drive(exchange) == "delivered"
    assert waits(job, exchange) == ["outside"]
    police.cosign()
    assert job.drive(exchange) == "released"
    assert waits(job, exchange) == []


def test_a_custodian_is_not_told_what_only_others_rows_say():
    """Whom a release waits for is found among others' witnesses: no answer, rather than a wrong one."""
    job, exchange, trust, _ = waiting("partner", "outside")
    job.drive(exchange)
    trust.cosign()
    custodian = a_user("Cass", Role.CUSTODIAN, partner="trust")
    acting = job.context.acting_for(Principal("custodian", str(custodian.id), "trust"))
    assert show(acting, custodian, exchange)["waits_for"] == []


def test_a_revoked_partner_s_witness_is_no_outside_witness():
    """Who is no longer a partner vouches for nothing; the answering partner is not its own outsider."""
    job, exchange, trust, police = waiting("outside")
    police.cosign()
    trust.cosign()
    with job.store.begin() as uow:
        uow.partners.revoke("police", job.clock())
        uow.commit()
    assert waits(job, exchange) == ["outside"]
    assert release(job.context, exchange) == "delivered"


def test_a_release_does_not_wait_for_ever():
    """A week after the last day for an answer it ends, the flags go, and the clocks of retention start."""
    job, exchange, *_ = waiting("outside")
    end = job.store.committed.exchanges[exchange].expires_at + LONGEST_WAIT
    job.clock.now = end - timedelta(seconds=1)
    assert job.drive(exchange) == "delivered"
    job.clock.now = end
    assert job.drive(exchange) == "expired"
    assert (exchange, "flags") not in job.store.committed.vault
    assert job.store.committed.retentions[exchange, RetentionClock.RESULTS].due is not None
    entry = Entry.parse(job.store.committed.leaves[-1])
    assert (entry.kind, entry.body["counts_as_disclosed"], entry.body["receipt"]) == (
        "exchange.expired",
        True,
        True,
    )


def test_who_asked_may_stop_waiting_for_a_witness():
    """A delivered exchange that waits can be cancelled; what was sent and answered stays disclosed."""
    job, exchange, *_ = waiting("outside")
    exchanges.cancel(job.context, job.analyst, exchange)
    assert job.store.committed.exchanges[exchange].status == "cancelled"
    assert (exchange, "flags") not in job.store.committed.vault
    job, exchange, *_ = waiting()
    with pytest.raises(ConflictError, match="too late"):
        exchanges.cancel(job.context, job.analyst, exchange)


def test_expiry_is_checked_while_it_waits():
    """An agreement that ends while the release waits cancels it, and the answer is not kept."""
    job, exchange, *_ = waiting("partner")
    job.clock.advance(days=400)
    assert release(job.context, exchange) == "cancelled"


def test_the_key_changes_no_digest_of_a_policy_without_it():
    """A dataset that asks for no cosignature has the digest that it had before the key existed."""
    policies = by_indicator(load(builtin()))
    assert all("cosigned_by" not in each.to_json() for each in policies.datasets.values())
    asking = replace(policies.datasets["health-trust"], cosigned_by=(CosignedBy.PARTNER,))
    assert asking.digest != policies.datasets["health-trust"].digest
    both = replace(policies, datasets={"health-trust": asking})
    assert from_document(to_document(both), both.digest) == both


# --- a database that was set back --------------------------------------------------------------------


def test_a_database_behind_a_cosigned_checkpoint_is_found(job, trust):
    """Set back to before a cosigned checkpoint, the log is refused with the way out, however it grows."""
    trust.announce()
    backup = job.store.committed.copy()
    trust.alarm()
    trust.cosign()
    cosigned.check_not_rolled_back(job.context)
    job.store.committed = backup
    with pytest.raises(cosigned.RolledBackError, match="relink"):
        cosigned.check_not_rolled_back(job.context)
    for _ in range(2):  # grown again, to the same size and beyond: other entries
        with job.store.begin() as uow:
            uow.log.append([Entry(uuid4(), "log.exported", job.clock(), {"other": True})])
            uow.commit()
        with pytest.raises(cosigned.RolledBackError):
            cosigned.check_not_rolled_back(job.context)
