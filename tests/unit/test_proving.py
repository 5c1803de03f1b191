"""Evidence of one exchange: what it shows, to whom, and what it keeps to itself."""

import io
import json
import re
from dataclasses import replace
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jobworld import LIST, Job, a_job

from audit.checkpoint import unsafe_read_checkpoint
from audit.cosignature import Cosigner
from audit.entry import Entry
from audit.errors import EvidenceError, ExportError
from audit.evidence import verify_evidence
from audit.trust import Trust
from audit.verify import verify_export
from gateway.bundle.agreement import countersign
from gateway.domain.errors import BadInputError, NotAllowedError, NotFoundError
from gateway.domain.exchange import ExchangeId, Granularity
from gateway.service import agreements, answers, logs
from gateway.service.proving import REQUESTED, prove
from gateway.service.sealing import ACCOUNT_KEY, SEAL_KEY
from gateway.witness_ports import CosignedRecord

FLAG = "health.adult_mental_health"
PEOPLE = [f"p{h}{m}" for h in range(1, 5) for m in range(3)]


@pytest.fixture
def job() -> Job:
    return a_job()


def released(job: Job, met=None, content=LIST):
    exchange = job.submit(content).exchange
    job.drive(exchange)
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange, met))
    assert job.drive(exchange) == "released"
    return exchange


def verified(job: Job, data: bytes, seen: bytes | None = None):
    return verify_evidence(data, Trust(job.store.signer.verifier), seen)


def others(data: bytes, *but: str) -> list[str]:
    """References of persons and households that stand in the bytes anywhere, but for some."""
    return [ref for ref in [*PEOPLE, "h1", "h2", "h3", "h4"] if ref not in but and _holds(data, ref)]


def _holds(data: bytes, ref: str) -> bool:
    """As a word: hex digits and base64 hold such letters by chance."""
    return re.search(rf"(?<![0-9A-Za-z+/=]){ref}(?![0-9A-Za-z+/=])", data.decode()) is not None


def test_the_whole_job_is_proved(job):
    """Decision, authorisation, delivery, release; the law, the agreement's and the policy set's hashes."""
    exchange = released(job)
    held = verified(job, prove(job.context, job.reviewer, exchange))
    assert [entry.kind.removeprefix("exchange.") for entry in held.entries.values()] == [
        "permitted",
        "request-authorised",
        "delivered",
        "release-authorised",
    ]
    with job.store.begin() as uow:
        digest = uow.agreements.get("T-1").digest
    said = str(held)
    policies = job.context.policies.digest
    for told in (digest, policies, "Common-law duty", "council asked trust", str(exchange)):
        assert told in said
    assert said.startswith("Verified: 4 of the")


def test_nobody_is_shown_unless_asked_for(job):
    """Evidence without openings holds no reference, no flag, no small count, and no digest of the list."""
    exchange = released(job, {0: [FLAG]})
    data = prove(job.context, job.reviewer, exchange)
    assert others(data) == []
    assert verified(job, data).opened == verified(job, data).items == ()
    fields = json.loads(data)
    assert (fields["openings"], fields["items"]) == ([], [])
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    assert digest not in data.decode()


def test_one_person_is_proved_and_nobody_else_is_shown(job):
    """That the person was asked about, and what came back for the household; no other is named."""
    exchange = released(job, {unit: [FLAG] for unit in range(4)})
    data = prove(job.context, job.reviewer, exchange, person="p21")
    assert others(data, "p21", "h2") == []
    told = [each.value for each in verified(job, data).items]
    assert told == [
        {"person_id": "p21", "household_id": "h2"},
        {"household_id": "h2", "flags": [FLAG]},
    ]
    said = str(verified(job, data))
    assert "asked about: person p21 of household h2" in said
    assert f"given to the programme about household h2: {FLAG}" in said


def test_no_flag_is_said_to_be_no_evidence(job):
    """What came back empty reads so."""
    data = prove(job.context, job.reviewer, released(job), person="p21")
    assert "household h2: no flag returned: not evidence of absence" in str(verified(job, data))


def test_a_household_is_proved_whole(job):
    """By the household's reference each of its persons is proved, and no other household."""
    exchange = released(job)
    data = prove(job.context, job.reviewer, exchange, person="h3")
    assert others(data, "p30", "p31", "p32", "h3") == []
    told = [each.value for each in verified(job, data).items]
    assert sorted(each["person_id"] for each in told if "person_id" in each) == ["p30", "p31", "p32"]
    assert [each["flags"] for each in told if "flags" in each] == [[]]


def by_person(job: Job) -> None:
    """Answers by person from now on, under an agreement that says so."""
    policy = replace(job.context.policies.datasets["health-trust"], granularity=Granularity.PERSON_INDICATORS)
    policies = job.context.policies
    job.context = replace(
        job.context, policies=replace(policies, datasets={**policies.datasets, policy.id: policy})
    )
    agreements.revoke(job.context, "T-1")
    job.document = agreements.propose(
        job.context,
        number="T-2",
        partner="trust",
        dataset=policy.id,
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    signed = countersign(job.document, job.partner.keys.sign)
    agreements.countersign(job.context, job.registered, "T-2", signed)


def test_where_answers_are_by_person_the_others_of_the_household_stay_unsaid(job):
    """What came back for one person is proved, and nothing of those who live there too."""
    by_person(job)
    exchange = released(job, {unit: [FLAG] for unit in range(11)})
    data = prove(job.context, job.reviewer, exchange, person="p21")
    assert others(data, "p21", "h2") == []
    told = [each.value for each in verified(job, data).items]
    assert told[1:] == [{"person_id": "p21", "household_id": "h2", "flags": [FLAG]}]
    whole = verified(job, prove(job.context, job.reviewer, exchange, person="h2"))
    assert len(whole.items) == 6


def test_a_reference_of_both_means_the_person(job):
    """Where a person_id is also a household_id the person is meant, so that no household is shown by it."""
    exchange = released(job, content=LIST.replace("p21,", "h3,"))
    data = prove(job.context, job.reviewer, exchange, person="h3")
    told = [each.value for each in verified(job, data).items]
    assert told[0] == {"person_id": "h3", "household_id": "h2"}
    assert [each["household_id"] for each in told] == ["h2", "h2"]


def test_openings_show_counts_receipt_and_digests_and_no_person(job):
    """Opened: small counts, the digests, the partner's receipt; whom it was about stays unsaid."""
    exchange = released(job, {0: [FLAG]})
    data = prove(job.context, job.reviewer, exchange, openings=True)
    opened = {each.path: each.value for each in verified(job, data).opened}
    assert opened["counts/units_flagged"] == 1
    assert opened["counts/households"] == 4
    assert opened["request"] == job.store.committed.exchanges[exchange].request_digest.hex()
    assert opened["receipt"].count(".") == 2
    assert others(data) == []


@pytest.mark.parametrize("ref", ["p99", "p42", "", "*", "P21"])
def test_a_person_who_was_not_asked_about(job, ref):
    """A reference of nobody, or of a withheld row, is an error that does not repeat it."""
    exchange = released(job)
    with pytest.raises(NotFoundError, match="nobody of this exchange has this reference") as error:
        prove(job.context, job.reviewer, exchange, person=ref)
    assert not ref or ref not in str(error.value)


def test_before_sending_nobody_was_asked_about(job):
    """A permit discloses nothing: there is no item to prove until the request is authorised."""
    exchange = job.submit().exchange
    with pytest.raises(NotFoundError, match="nobody was asked about"):
        prove(job.context, job.reviewer, exchange, person="p21")
    assert len(verified(job, prove(job.context, job.reviewer, exchange)).entries) == 1


def test_an_unknown_exchange(job):
    """There is no evidence of what is not there, and nothing is recorded."""
    before = job.kinds()
    with pytest.raises(NotFoundError):
        prove(job.context, job.reviewer, ExchangeId(job.reviewer.id))
    assert job.kinds() == before


def test_only_a_reviewer_may(job):
    """The programme's own user gets none, and nothing is recorded."""
    exchange, before = released(job), job.kinds()
    with pytest.raises(NotAllowedError):
        prove(job.context, job.analyst, exchange)
    assert job.kinds() == before


def test_each_request_is_recorded_and_names_nobody(job):
    """Who asked, when and for how much is in the log before anything is handed out; for whom is not."""
    exchange = released(job)
    prove(job.context, job.reviewer, exchange, person="p21", openings=True)
    with pytest.raises(NotFoundError):
        prove(job.context, job.reviewer, exchange, person="p99")
    first, second = [Entry.parse(leaf) for leaf in job.store.committed.leaves[-2:]]
    assert first.kind == second.kind == REQUESTED
    assert first.body["actor"]["id"] == str(job.reviewer.id)
    assert (first.body["openings"], first.body["one_person"]) == (True, True)
    assert first.body["exchange"] == str(exchange)
    assert set(first.body["commitments"]) == {"person"}
    assert others(first.leaf() + second.leaf()) == []


def test_who_asked_before_stands_in_no_evidence(job):
    """Evidence is of the exchange; that others got evidence of it is nobody else's business."""
    exchange = released(job)
    first = prove(job.context, job.reviewer, exchange, person="p21")
    again = prove(job.context, job.reviewer, exchange)
    assert verified(job, again).entries.keys() == verified(job, first).entries.keys()
    assert verified(job, again).checkpoint.size == verified(job, first).checkpoint.size + 1


def test_after_the_results_clock_the_account_is_still_proved(job):
    """With the results' key gone, that the person was asked about is proved; what came back is not shown."""
    exchange = released(job, {0: [FLAG]})
    job.context.exchange_keys.destroy(exchange, SEAL_KEY)
    data = prove(job.context, job.reviewer, exchange, person="p21", openings=True)
    held = verified(job, data)
    assert [each.value for each in held.items] == [{"person_id": "p21", "household_id": "h2"}]
    assert "counts/units_flagged" not in {each.path for each in held.opened}


def test_after_both_clocks_nothing_opens_and_old_evidence_verifies(job):
    """The account's key gone too, no person and no value can be proved; the entries, and old files, can."""
    exchange = released(job)
    old = prove(job.context, job.reviewer, exchange, person="p21", openings=True)
    for key in (SEAL_KEY, ACCOUNT_KEY):
        job.context.exchange_keys.destroy(exchange, key)
    for asked in ({"person": "p21"}, {"openings": True}):
        with pytest.raises(NotFoundError, match="its clock has run out"):
            prove(job.context, job.reviewer, exchange, **asked)
    assert job.kinds()[-2:] == [REQUESTED, REQUESTED]
    assert len(verified(job, prove(job.context, job.reviewer, exchange)).entries) == 4
    assert len(verified(job, old).items) == 2


def test_an_older_checkpoint_is_led_on(job):
    """With a checkpoint that the reader has, the file proves that the log extends it."""
    with job.store.begin() as uow:
        seen = uow.log.checkpoint()
    exchange = released(job)
    held = verified(job, prove(job.context, job.reviewer, exchange, seen=seen), seen)
    assert held.older == held.seen
    assert "are those that you saw before" in str(held)


@pytest.mark.parametrize("seen", [b"", b"noise", b"log\n0\n" + b"A" * 43 + b"=\n\n"])
def test_what_is_no_checkpoint_is_refused(job, seen):
    """A file that is no checkpoint can't be led on from."""
    exchange = released(job)
    with pytest.raises(BadInputError):
        prove(job.context, job.reviewer, exchange, seen=seen)


def test_a_checkpoint_of_a_longer_log_is_refused(job):
    """A checkpoint ahead of the log is another log's, or the log was rolled back."""
    with job.store.begin() as uow:
        note = uow.log.checkpoint()
    line = note.split(b"\n")
    ahead = b"\n".join([line[0], b"100000", *line[2:]])
    exchange = released(job)
    with pytest.raises(BadInputError, match="longer"):
        prove(job.context, job.reviewer, exchange, seen=ahead)


WITNESS = Cosigner("trust/witness", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def cosigned_now(job: Job) -> int:
    """The partner's witness cosigns the newest checkpoint; its size."""
    with job.store.begin() as uow:
        note = uow.log.checkpoint()
        size, origin = unsafe_read_checkpoint(note).size, uow.log.verifier.name
        line = WITNESS.cosign(note, job.clock())
        uow.cosignatures.keep(CosignedRecord(origin, size, "trust", note + line, job.clock()))
        uow.commit()
    return size


def test_evidence_stands_under_a_cosigned_checkpoint_that_holds_it(job):
    """A quorum of witnesses is met by evidence, once one of them has cosigned the last entry."""
    exchange = released(job)
    trust = Trust(job.store.signer.verifier, (WITNESS.verifier,), 1)
    with pytest.raises(EvidenceError, match="0 of the trusted witnesses"):
        verify_evidence(prove(job.context, job.reviewer, exchange), trust)
    size = cosigned_now(job)
    held = verify_evidence(prove(job.context, job.reviewer, exchange), trust)
    assert held.checkpoint.size == size
    assert [each.witness for each in held.cosigned] == [WITNESS.verifier]


def test_a_newer_entry_is_not_left_out_for_a_cosignature(job):
    """What was cosigned before the exchange ended does not cut its evidence short."""
    exchange = job.submit().exchange
    cosigned_now(job)
    job.drive(exchange)
    held = verified(job, prove(job.context, job.reviewer, exchange))
    assert [entry.kind for entry in held.entries.values()][-1] == "exchange.request-authorised"
    assert not held.cosigned


def test_an_export_reaches_to_what_so_many_witnesses_cosigned(job):
    """Asked for a number of witnesses, the export ends at their checkpoint and carries their lines."""
    job.submit()
    size = cosigned_now(job)
    trust = Trust(job.store.signer.verifier, (WITNESS.verifier,), 1)
    data = b"".join(logs.export(job.context, job.reviewer, cosigned=1))
    assert verify_export(io.BytesIO(data), trust).checkpoint.size == size
    with pytest.raises(ExportError, match="0 of the trusted witnesses"):
        verify_export(io.BytesIO(b"".join(logs.export(job.context, job.reviewer))), trust)
    with pytest.raises(NotFoundError, match="so many witnesses"):
        b"".join(logs.export(job.context, job.reviewer, cosigned=2))
