"""What the use cases must also do, unseen in their result; found by mutation (tests/mutation.py)."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from fakes import an_exchange
from jobworld import HEADER, LIST, Job, a_job

from gateway.bundle.agreement import countersign
from gateway.domain.errors import (
    BadInputError,
    ConflictError,
    NotAllowedError,
    NotFoundError,
    StoreAlteredError,
)
from gateway.domain.exchange import Granularity, Status
from gateway.intake import BadListError
from gateway.service import agreements, answers, dispatch, release, results
from gateway.service.sealing import get_sealed
from gateway.service.submit import ExchangeRefusedError, _Request, check

FLAG = "health.adult_mental_health"


@pytest.fixture
def job() -> Job:
    return a_job()


def kept(job: Job, exchange):
    return job.store.committed.exchanges[exchange]


def last_leaf(job: Job) -> dict:
    return json.loads(job.leaves().splitlines()[-1])


def bind(job: Job, number: str) -> None:
    """An agreement over the policy as it is now, signed by both sides."""
    days = {"valid_from": date(2026, 1, 1), "valid_to": date(2026, 12, 31)}
    papers = {"dpia": "DPIA-1", "appropriate_policy_document": "APD-1"}
    document = agreements.propose(
        job.context, number=number, partner="trust", dataset="health-trust", **days, **papers
    )
    signed = countersign(document, job.partner.keys.sign)
    agreements.countersign(job.context, job.registered, number, signed)


def delivered(job: Job):
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    return exchange


# --- submitting -----------------------------------------------------------------------------------------


def test_a_list_is_checked_and_forgotten(job):
    """A check counts people and households, says which headers it read as which, and keeps nothing."""
    before = job.store.committed.copy()
    told = check(job.context, job.analyst, [LIST.encode()], dataset="health-trust")
    assert (told.people, told.households) == (12, 4)
    assert job.store.committed == before


def test_a_check_is_the_programme_s_and_strict(job):
    """A reviewer checks no list, and a list with a bad row does not pass for its good ones."""
    with pytest.raises(NotAllowedError):
        check(job.context, job.reviewer, [LIST.encode()], dataset=None)
    with pytest.raises(BadListError):
        check(job.context, job.analyst, [LIST.replace("1985-03-02", "1985-13-02", 1).encode()], dataset=None)


def test_postcodes_are_checked_as_the_dataset_says(job):
    """Four digits are a postcode for the dataset that takes any, and for no other, nor for an unknown one."""
    content = LIST.replace("LS1 4AP", "4223").encode()
    assert check(job.context, job.analyst, [content], dataset="demo-febrl").people == 12
    for dataset in ("health-trust", "nothing", None):
        with pytest.raises(BadListError):
            check(job.context, job.analyst, [content], dataset=dataset)


def test_a_reviewer_submits_nothing(job):
    """Submitting needs the role programme, and is refused before the list is read."""
    with pytest.raises(NotAllowedError):
        replace(job, analyst=job.reviewer).submit("no list at all")


def test_a_refusal_says_why_in_its_text(job):
    """The refusal's text names each unmet requirement, so that a log line or a terminal tells it."""
    with pytest.raises(ExchangeRefusedError) as refused:
        job.submit(purpose="results-claim")
    assert refused.value.decision["unmet"]
    assert all(unmet["requirement"] in str(refused.value) for unmet in refused.value.decision["unmet"])


def test_a_permitted_exchange_is_kept_as_it_was_asked(job):
    """A random version 4 id, the submission's moment, and as many days for the answer as the policy gives."""
    submitted = job.submit()
    exchange = kept(job, submitted.exchange)
    days = job.context.policies.datasets["health-trust"].answer_days
    assert submitted.exchange.version == 4
    assert exchange.submitted_at == job.clock()
    assert exchange.expires_at == job.clock() + timedelta(days=days)
    assert submitted.repeated is False


def test_a_list_of_which_no_row_may_go_is_a_refusal(job):
    """When every row is withheld the refusal says so as confirmed law that more consent can meet."""
    with pytest.raises(ExchangeRefusedError) as refused:
        job.submit(LIST.replace(",yes,yes\n", ",no,yes\n"))
    (unmet,) = refused.value.decision["unmet"]
    assert (unmet["code"], unmet["forbidden"], unmet["confirmed"]) == ("every-row-withheld", False, False)
    assert refused.value.decision["permitted"] is False
    assert job.kinds()[-1] == "exchange.refused"
    assert not job.store.committed.exchanges


def test_what_is_left_of_a_list_is_decided_anew():
    """A list that the row rules shrink below the policy's least number is refused, and kept nowhere."""
    job = a_job(sign=False)
    known = job.context.policies.datasets
    policy = replace(known["health-trust"], min_people=12)
    policies = replace(job.context.policies, datasets={**known, policy.id: policy})
    job.context = replace(job.context, policies=policies)
    bind(job, "T-2")
    with pytest.raises(ExchangeRefusedError) as refused:
        job.submit()  # 12 people, of whom one gave no consent
    assert "list-too-small" in [unmet["code"] for unmet in refused.value.decision["unmet"]]
    assert not job.store.committed.exchanges


def test_a_known_dataset_is_named_in_the_entry_of_its_refusal(job):
    """The entry names the dataset when it is ours, and `unknown` for what somebody typed."""
    for dataset, told in (("health-trust", "health-trust"), ("Ann", "unknown")):
        with pytest.raises(ExchangeRefusedError):
            job.submit(dataset=dataset, purpose="results-claim")
        assert last_leaf(job)["body"]["dataset"] == told


def test_withheld_rows_are_kept_for_the_results(job):
    """The rows that stayed behind come back with the results, each with its reason."""
    exchange = delivered(job)
    job.drive(exchange)
    withheld = results.read(job.context, job.analyst, exchange)["withheld"]
    assert [row["reason"] for row in withheld] == ["no-consent"]


def test_the_entry_of_a_permit_commits_to_list_and_request(job):
    """The list's digest and the request's stand in the leaf as commitments beside the small counts."""
    job.submit()
    assert {"list", "request"} < last_leaf(job)["body"]["commitments"].keys()


def test_the_partner_named_is_part_of_what_a_key_stands_for(job):
    """One idempotency key can't mean two partners."""
    job.submit(idempotency_key="the-same-key")
    with pytest.raises(ConflictError, match="another request"):
        job.submit(idempotency_key="the-same-key", partner="trust")


# --- sending, and its end -------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "ends"), [(-1, Status.AUTHORISED), (0, Status.EXPIRED)])
def test_the_time_to_answer_ends_to_the_moment(job, late, ends):
    """At the moment when the answer's time is over nothing is sent any more; a moment before, it is."""
    exchange = job.submit().exchange
    job.clock.now = kept(job, exchange).expires_at + timedelta(microseconds=late)
    assert dispatch.authorise(job.context, exchange) is ends
    assert kept(job, exchange).status is ends


def test_what_never_left_does_not_count_as_disclosed(job):
    """An exchange that ran out before it was authorised disclosed nothing; one that was sent did."""
    for sent in (False, True):
        exchange = job.submit().exchange
        if sent:
            job.drive(exchange)
        job.clock.now = kept(job, exchange).expires_at
        (dispatch.expire if sent else dispatch.authorise)(job.context, exchange)
        assert kept(job, exchange).status is Status.EXPIRED
        body = last_leaf(job)["body"]
        assert (body["counts_as_disclosed"], body["receipt"]) == (sent, False)


def test_waiting_ends_only_where_somebody_waits(job):
    """What has not been sent, or was answered, does not expire."""
    prepared = job.submit().exchange
    dispatch.expire(job.context, prepared)
    assert kept(job, prepared).status is Status.PREPARED
    dispatch.authorise(job.context, prepared)
    dispatch.send(job.context, prepared)
    answers.receive_answer(job.context, job.registered, prepared, job.partner.answer(job, prepared))
    dispatch.expire(job.context, prepared)
    assert kept(job, prepared).status is Status.DELIVERED


def test_authorising_names_the_status_that_stands(job):
    """Authorising what is under way or ended changes nothing and says where it stands."""
    exchange = delivered(job)
    before = job.kinds()
    assert dispatch.authorise(job.context, exchange) is Status.DELIVERED
    dispatch.send(job.context, exchange)
    assert job.kinds() == before


# --- the answer and its release -------------------------------------------------------------------------


def test_an_answer_is_kept_with_its_receipt(job):
    """The delivery's entry says how old the register is and commits to receipt and answer."""
    exchange = delivered(job)
    body = last_leaf(job)["body"]
    assert body["register_date"] == "2026-11-01"
    assert body["commitments"].keys() == {"receipt", "answer"}
    assert kept(job, exchange).status is Status.DELIVERED


def test_the_receipt_is_the_signed_manifest(job):
    """What is sealed as the receipt is the answer's signed manifest, the bytes before the ciphertext."""
    exchange = job.sent()
    data = job.partner.answer(job, exchange)
    answers.receive_answer(job.context, job.registered, exchange, data)
    with job.store.begin() as uow:
        openings = get_sealed(job.context, uow, exchange, f"accounting/openings/{last_leaf(job)['id']}")
    assert openings["receipt"]["value"].encode() == data.split(b"\n", 1)[0]


def test_another_partner_s_exchange_does_not_exist(job):
    """A partner that is not asked can neither answer nor learn that there is a question."""
    exchange = job.sent()
    stranger = replace(job.registered, identity=job.context.keys.identity)
    with pytest.raises(NotFoundError):
        answers.receive_answer(job.context, stranger, exchange, job.partner.answer(job, exchange))
    assert kept(job, exchange).status is Status.SENT


def test_a_release_counts_what_it_gave(job):
    """The number of units with a flag is committed in the entry, and is the true one."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange, {2: [FLAG]})
    answers.receive_answer(job.context, job.registered, exchange, answer)
    assert release.release(job.context, exchange) is Status.RELEASED
    with job.store.begin() as uow:
        openings = get_sealed(job.context, uow, exchange, f"openings/{last_leaf(job)['id']}")
        with pytest.raises(NotFoundError):
            uow.vault.get(exchange, "flags")
    assert openings["counts/units_flagged"]["value"] == 1


def test_a_release_twice_says_released(job):
    """Releasing what was released says so, and logs nothing."""
    exchange = delivered(job)
    release.release(job.context, exchange)
    before = job.kinds()
    assert release.release(job.context, exchange) is Status.RELEASED
    assert job.kinds() == before


def test_nothing_is_released_before_it_was_delivered(job):
    """A release that comes too early changes nothing and says where the exchange stands."""
    exchange = job.sent()
    assert release.release(job.context, exchange) is Status.SENT
    assert kept(job, exchange).status is Status.SENT


def test_a_header_alone_is_no_list(job):
    """A list without rows is refused, and nothing is kept."""
    with pytest.raises(BadInputError, match="not one row"):
        job.submit(HEADER)
    assert not job.store.committed.exchanges


def test_a_result_by_person_names_person_and_household():
    """Where flags are by person each unit is a person in the household that its handle stands for."""
    exchange = an_exchange(granularity=Granularity.PERSON_INDICATORS)
    slots = {"households": ["h1", "h2"], "people": [["p3", 1], ["p1", 0]]}
    answer = {"flags": [[FLAG], []], "register_date": "2026-11-01", "register_complete": {}}
    assert release._result(exchange, answer, slots)["units"] == [
        {"household_id": "h2", "person_id": "p3", "flags": [FLAG]},
        {"household_id": "h1", "person_id": "p1", "flags": []},
    ]


def test_flags_and_units_must_be_as_many():
    """Flags for more or fewer units than were asked about are given to nobody."""
    slots = {"households": ["h1", "h2"], "people": []}
    answer = {"flags": [[FLAG]], "register_date": "2026-11-01", "register_complete": {}}
    with pytest.raises(ValueError, match="zip"):
        release._result(an_exchange(), answer, slots)


def test_a_prekey_that_nobody_signed_is_named(job):
    """A stored prekey whose document does not verify is an altered store, and nothing is sealed for it."""
    prekeys = job.store.committed.prekeys
    for key, record in prekeys.items():
        prekeys[key] = replace(record, jws="nobody.signed.this")
    with pytest.raises(StoreAlteredError, match="prekey"):
        job.submit()
    assert not job.store.committed.exchanges


def test_no_partner_named_is_one_thing(job):
    """An empty partner and none at all are the same request, and repeat under one key."""
    first = job.submit(idempotency_key="the-same-key")
    again = job.submit(idempotency_key="the-same-key", partner="")
    assert (again.exchange, again.repeated) == (first.exchange, True)


def test_the_key_of_the_digests_stands_in_no_repr():
    """A traceback that shows the request does not show the key that its digests are made with."""
    request = _Request(None, "health-trust", "identify", "local", None, "k", None, b"a key of digests")
    assert "a key of digests" not in repr(request)
