"""What the use cases leave in the store, whom they believe, and what a caller learns of others."""

import contextlib
from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest
from fakes import FakePartyKeys
from jobworld import Job, a_job

from audit.checkpoint import open_checkpoint
from audit.merkle import leaf_hash, verify_inclusion
from gateway.bundle.agreement import countersign
from gateway.domain.errors import NotFoundError, StoreAlteredError
from gateway.domain.exchange import ExchangeId
from gateway.service import agreements, answers, exchanges, logs, partners
from gateway.service.submit import ExchangeRefusedError


@pytest.fixture
def job() -> Job:
    return a_job()


def remembered(job: Job, council: str):
    """What the store keeps of one refused submission to a council that has other keys."""
    job.context = replace(job.context, keys=FakePartyKeys(council))
    job.store.committed.submissions.clear()
    with contextlib.suppress(ExchangeRefusedError):
        job.submit(dataset="no-such", idempotency_key="a-family-name")
    (kept,) = job.store.committed.submissions.values()
    return kept


def test_a_stored_digest_of_a_list_can_not_be_guessed_at(job):
    """The digests of list and idempotency key need the council's key: a database alone tests no guess."""
    one, other = remembered(job, "council"), remembered(job, "council-two")
    assert remembered(job, "council").request_digest == one.request_digest
    assert one.request_digest != other.request_digest
    assert one.key_hash != other.key_hash


def alter(held: dict, key, **changes) -> None:
    held[key] = replace(held[key], **changes)


def other_keys(job: Job) -> None:
    """Somebody puts keys of his own under the partner's name."""
    stranger = FakePartyKeys("stranger").identity
    enrolled = job.registered
    swapped = replace(enrolled.identity, signing=stranger.signing, exchange=stranger.exchange)
    alter(job.store.committed.partners, "trust", identity=swapped)


def other_recipient(job: Job) -> None:
    """Somebody turns a signed agreement over to another partner."""
    partners.add(
        job.context, FakePartyKeys("other").identity.to_json(), FakePartyKeys("other").identity.fingerprint
    )
    alter(job.store.committed.agreements, "T-1", partner="other")


def other_prekey(job: Job) -> None:
    """Somebody puts one-time keys of his own beside the partner's signatures."""
    for key in job.store.committed.prekeys:
        alter(job.store.committed.prekeys, key, public=FakePartyKeys("stranger").identity.exchange)


@pytest.mark.parametrize("tamper", [other_keys, other_recipient, other_prekey])
def test_a_list_is_sealed_for_keys_that_were_signed_alone(job, tamper):
    """Keys, partner and prekey come from signed documents: an altered row stops the submission."""
    tamper(job)
    with pytest.raises(StoreAlteredError):
        job.submit()
    assert not job.store.committed.exchanges


def test_keys_altered_after_the_submission_stop_the_sending(job):
    """A partner's keys are compared with the agreement's again before the bundle leaves."""
    exchange = job.submit().exchange
    other_keys(job)
    with pytest.raises(StoreAlteredError):
        job.drive(exchange)
    assert not job.transport.sent


def agree(job: Job, number: str, first: date, last: date) -> None:
    """One more agreement for the same dataset, signed by both."""
    document = agreements.propose(
        job.context,
        number=number,
        partner="trust",
        dataset="health-trust",
        valid_from=first,
        valid_to=last,
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    signature = countersign(document, job.partner.keys.sign)
    agreements.countersign(job.context, job.registered, number, signature)


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2027, 1, 1), date(2027, 12, 31)), (date(2025, 1, 1), date(2025, 12, 31))],
    ids=["not begun", "over"],
)
def test_an_agreement_in_force_comes_before_one_of_another_year(job, first, last):
    """A renewal signed ahead of its first day, or a late copy of an old one, hides none in force."""
    job.clock.advance(hours=1)
    agree(job, "T-2", first, last)
    exchange = job.submit().exchange
    assert job.store.committed.exchanges[exchange].agreement == "T-1"


def test_a_revoked_partner_is_a_refusal_in_the_log(job):
    """A list for a partner that was revoked is refused by a decision, which the log holds."""
    partners.revoke(job.context, "trust")
    with pytest.raises(ExchangeRefusedError):
        job.submit()
    assert job.kinds()[-1] == "exchange.refused"


def test_nobody_learns_what_others_have(job):
    """What is somebody else's is refused in the very words in which what does not exist is refused."""
    exchange = job.sent()
    other = FakePartyKeys("other").identity
    partners.add(job.context, other.to_json(), other.fingerprint)
    with job.store.begin() as uow:
        stranger = uow.partners.get("other")
    colleague = replace(job.analyst, id=uuid4())
    ctx, nothing = job.context, ExchangeId(uuid4())
    for ask, theirs, none in [
        (lambda what: agreements.of_partner(ctx, stranger, what), "T-1", "T-9"),
        (lambda what: answers.receive_answer(ctx, stranger, what, b""), exchange, nothing),
        (lambda what: answers.fetch_request(ctx, stranger, what), exchange, nothing),
        (lambda what: exchanges.show(ctx, colleague, what), exchange, nothing),
    ]:
        told = []
        for what in (theirs, none):
            with pytest.raises(NotFoundError) as refused:
                ask(what)
            told.append(str(refused.value))
        assert told[0] == told[1]


def test_a_proof_leads_to_the_checkpoint_beside_it(job):
    """An entry appended while a proof is read changes neither the proof nor the checkpoint it leads to."""
    overtake = [lambda: partners.revoke(job.context, "trust")]

    class OvertakenStore:
        @contextlib.contextmanager
        def begin(self):
            with job.store.begin() as uow:
                for name in ("size", "checkpoint"):
                    setattr(uow.log, name, self.and_then(getattr(uow.log, name)))
                yield uow

        def and_then(self, read):
            def overtaken():
                found = read()
                while overtake:
                    overtake.pop()()
                return found

            return overtaken

    told = logs.proof(replace(job.context, store=OvertakenStore()), job.reviewer, 0)
    signed = open_checkpoint(told["checkpoint"].encode(), job.store.signer.verifier)
    path = [bytes.fromhex(node) for node in told["proof"]]
    verify_inclusion(leaf_hash(told["leaf"].encode()), 0, signed.size, path, signed.root)
    assert told["size"] == signed.size
