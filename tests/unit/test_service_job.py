"""The main job through the use cases: from submission to flags, and every way it ends otherwise."""

import json

import pytest
from fakes import FakePartyKeys
from jobworld import HEADER, LIST, a_job

from audit.entry import Entry
from gateway.bundle.errors import WrongSignatureError
from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.domain.errors import BadInputError, ConflictError, NotAllowedError, NotFoundError, PartnerError
from gateway.domain.exchange import Role, Status
from gateway.domain.labels import TYP_ANSWER
from gateway.intake import BadListError
from gateway.service import agreements, answers, exchanges, partners, results, users
from gateway.service.sealing import SECRET
from gateway.service.submit import ExchangeRefusedError

PARENT = "p1,h1,Ann,Example,1985-03-02,f,LS1 4AP,crime.asb_intervention_12m,yes,no\n"


@pytest.fixture
def job():
    return a_job()


def status(job, exchange):
    return job.store.committed.exchanges[exchange].status


def test_flags_come_back_by_household(job):
    """Flags that the partner sets for a unit come back under that household's own id, and for no other."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange, {0: ["health.adult_mental_health"]})
    answers.receive_answer(job.context, job.registered, exchange, answer)
    assert job.drive(exchange) == "released"
    told = results.read(job.context, job.analyst, exchange)
    flagged = [unit for unit in told["units"] if unit["flags"]]
    assert [unit["flags"] for unit in flagged] == [["health.adult_mental_health"]]
    assert {unit["household_id"] for unit in told["units"]} == {"h1", "h2", "h3", "h4"}
    assert told["note"] == "no flag returned: not evidence of absence"


def test_rows_without_consent_never_leave(job):
    """A row without recorded consent is withheld with its reason and has no slot."""
    submitted = job.submit()
    assert [row["reason"] for row in submitted.withheld] == ["no-consent"]
    assert job.store.committed.exchanges[submitted.exchange].slots == 11


def test_every_step_stands_in_the_log_in_order(job):
    """Decision, authorisation to the partner, delivery and authorisation to the programme, in that order."""
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    assert [kind for kind in job.kinds() if kind.startswith("exchange.")] == [
        "exchange.permitted",
        "exchange.request-authorised",
        "exchange.delivered",
        "exchange.release-authorised",
    ]


def test_leaves_hold_nothing_of_persons(job):
    """No name, reference, list digest, count under ten or flag stands in a leaf."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange, {0: ["health.adult_mental_health"]})
    answers.receive_answer(job.context, job.registered, exchange, answer)
    job.drive(exchange)
    leaves = job.leaves()
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    for secret in ("Example1", "Ann", '"h1"', "p11", "LS1", digest, '"households":4', '"withheld":1'):
        assert secret not in leaves


def test_refusal_names_every_unmet_requirement_and_is_logged(job):
    """A purpose the policy refuses ends in one logged refusal, each requirement with its citation."""
    with pytest.raises(ExchangeRefusedError) as refused:
        job.submit(purpose="results-claim")
    assert all(unmet["citation"] and unmet["remedy"] for unmet in refused.value.decision["unmet"])
    assert job.kinds()[-1] == "exchange.refused"
    assert not job.store.committed.exchanges


def test_unknown_names_are_refused_and_never_logged(job):
    """An unknown dataset, purpose or framework is refused, and what was typed stays out of the log."""
    for changes in ({"dataset": "Ann-Example"}, {"purpose": "Ann-Example"}, {"framework": "Ann-Example"}):
        with pytest.raises(ExchangeRefusedError) as refused:
            job.submit(**changes)
        assert "Ann-Example" not in str(refused.value) + json.dumps(refused.value.decision)
    assert "Ann-Example" not in job.leaves()


def test_same_key_same_answer(job):
    """One idempotency key gives one exchange, however often the same list is submitted."""
    first = job.submit(idempotency_key="the-same-key")
    again = job.submit(idempotency_key="the-same-key")
    assert (again.exchange, again.repeated) == (first.exchange, True)
    assert len(job.store.committed.exchanges) == 1


def test_same_key_other_list(job):
    """An idempotency key that stood for another list is refused."""
    job.submit(idempotency_key="the-same-key")
    with pytest.raises(ConflictError, match="another request"):
        job.submit(LIST.replace("Ann", "Eve"), idempotency_key="the-same-key")


def test_refusal_is_repeated_under_its_key(job):
    """A refused submission is refused again under its key, and logged once."""
    for _ in range(2):
        with pytest.raises(ExchangeRefusedError):
            job.submit(purpose="results-claim", idempotency_key="the-same-key")
    assert job.kinds().count("exchange.refused") == 1


def test_two_keys_do_not_disclose_the_list_twice(job):
    """The same list under a new key is refused while the first is under way, and allowed after it ended."""
    first = job.submit()
    with pytest.raises(ConflictError, match=str(first.exchange)):
        job.submit()
    exchanges.cancel(job.context, job.analyst, first.exchange)
    assert job.submit().exchange != first.exchange


def test_bad_rows_keep_nothing(job):
    """A list with a bad row is refused whole, names line and column, and leaves no trace in the store."""
    before = job.kinds()
    with pytest.raises(BadListError) as bad:
        job.submit(LIST.replace("1985-03-02", "1985-13-02", 1))
    assert [(row.line, row.column) for row in bad.value.rows] == [(2, "dob")]
    assert job.kinds() == before


def test_accept_valid_goes_on(job):
    """With accept_valid the good rows go on and the bad ones are told by line."""
    submitted = job.submit(LIST.replace("1985-03-02", "1985-13-02", 1), accept_valid=True)
    assert [row.line for row in submitted.rejected] == [2]


@pytest.mark.parametrize(
    ("rows", "lines"),
    [(PARENT, []), (PARENT + PARENT.replace("p1", "p2").replace("Ann", "Bob"), [2, 3])],
    ids=["a household of one", "no dependent child"],
)
def test_lists_that_would_single_out_or_have_no_child(job, rows, lines):
    """A household of one and a list with no dependent child are refused, logged, and nothing leaves."""
    with pytest.raises(ExchangeRefusedError) as refused:
        job.submit(HEADER + rows)
    assert [row["line"] for row in refused.value.withheld] == lines
    assert job.kinds()[-1] == "exchange.refused"
    assert not job.transport.sent


def test_no_prekeys_left():
    """Without prekeys nothing is kept, and the error says whose agent to look at."""
    job = a_job(prekeys=0)
    with pytest.raises(PartnerError, match="no prekeys"):
        job.submit()
    assert not job.store.committed.exchanges
    assert "exchange.permitted" not in job.kinds()


def test_unsigned_agreement_refuses():
    """A proposal that the partner has not countersigned permits nothing."""
    job = a_job(sign=False)
    with pytest.raises(ExchangeRefusedError) as refused:
        job.submit()
    assert any("sign" in unmet["requirement"] for unmet in refused.value.decision["unmet"])


def test_agreement_expired_between_submission_and_dispatch(job):
    """An agreement that ends before dispatch cancels the exchange, says why, and nothing leaves."""
    exchange = job.submit().exchange
    job.clock.advance(days=60)
    assert job.drive(exchange) == "cancelled"
    assert not job.transport.sent
    assert '"counts_as_disclosed":false' in job.leaves().splitlines()[-1]


def test_agreement_revoked_before_the_agent_fetches(job):
    """After a revocation the waiting bundle is no longer handed out."""
    exchange = job.sent()
    with job.store.begin() as uow:
        uow.mailbox.post("trust", exchange, b"bundle")
        uow.commit()
    agreements.revoke(job.context, "T-1")
    with pytest.raises(NotFoundError):
        answers.fetch_request(job.context, job.registered, exchange)


def test_agreement_revoked_before_release(job):
    """A delivered answer is not released when the agreement was revoked meanwhile."""
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    agreements.revoke(job.context, "T-1")
    assert job.drive(exchange) == "cancelled"
    with pytest.raises(ConflictError, match="nothing is released"):
        results.read(job.context, job.analyst, exchange)


def test_no_answer_in_time(job):
    """Without an answer the exchange expires and counts as disclosed without receipt."""
    exchange = job.sent()
    job.clock.now = job.store.committed.exchanges[exchange].expires_at
    assert job.drive(exchange) == "expired"
    assert '"counts_as_disclosed":true' in job.leaves().splitlines()[-1]


def test_answering_twice(job):
    """The same bytes are acknowledged again; other bytes are refused and change nothing."""
    exchange = job.sent()
    answer = job.partner.answer(job, exchange)
    other = job.partner.answer(job, exchange, {0: ["health.adult_mental_health"]})
    answers.receive_answer(job.context, job.registered, exchange, answer)
    answers.receive_answer(job.context, job.registered, exchange, answer)
    with pytest.raises(ConflictError, match="other bytes"):
        answers.receive_answer(job.context, job.registered, exchange, other)
    job.drive(exchange)
    assert not any(unit["flags"] for unit in results.read(job.context, job.analyst, exchange)["units"])


def test_answer_signed_by_another_key(job):
    """An answer that somebody else signed is refused by name, and the exchange goes on waiting."""
    exchange = job.sent()
    ciphertext = job.partner.answer(job, exchange).split(b"\n", 1)[1]
    manifest = FakePartyKeys("impostor").sign(b"{}", TYP_ANSWER).encode()
    with pytest.raises(WrongSignatureError):
        answers.receive_answer(job.context, job.registered, exchange, manifest + b"\n" + ciphertext)
    assert status(job, exchange) is Status.SENT


def test_custodian_declines(job):
    """A signed refusal ends the exchange as declined, is recorded, and still counts as disclosed."""
    exchange = job.sent()
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    notice = make_refusal(exchange, digest, RefusalCode.DECLINED, job.clock(), job.partner.keys.sign)
    answers.receive_refusal(job.context, job.registered, exchange, notice)
    assert status(job, exchange) is Status.DECLINED
    assert job.kinds()[-1] == "exchange.declined"


@pytest.mark.parametrize("code", [RefusalCode.SELF_TEST_FAILED, RefusalCode.UNKNOWN_SCHEME])
def test_agent_that_cannot_answer(job, code):
    """A failed self-test or an unknown scheme ends the exchange as failed, never as an empty answer."""
    exchange = job.sent()
    digest = job.store.committed.exchanges[exchange].request_digest.hex()
    notice = make_refusal(exchange, digest, code, job.clock(), job.partner.keys.sign)
    answers.receive_refusal(job.context, job.registered, exchange, notice)
    assert status(job, exchange) is Status.FAILED
    with pytest.raises(ConflictError):
        results.read(job.context, job.analyst, exchange)


def test_secret_dies_when_the_exchange_closes(job):
    """After release neither the exchange secret nor the request bundle can be found any more."""
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    with pytest.raises(NotFoundError):
        job.context.exchange_keys.get(exchange, SECRET)
    assert (exchange, "request") not in job.store.committed.vault


def test_cancel_before_and_after_sending(job):
    """Cancelling says in the log whether the list had already left."""
    kept = job.submit().exchange
    exchanges.cancel(job.context, job.analyst, kept)
    assert '"counts_as_disclosed":false' in job.leaves().splitlines()[-1]
    left = job.sent()
    exchanges.cancel(job.context, job.analyst, left)
    assert '"counts_as_disclosed":true' in job.leaves().splitlines()[-1]


def test_roles_are_kept_apart(job):
    """Reviewers neither submit nor read results; another programme user's exchange does not exist."""
    exchange = job.sent()
    with pytest.raises(NotAllowedError):
        results.read(job.context, job.reviewer, exchange)
    stranger = type(job.analyst)(
        exchange, "x", job.analyst.role, b"", job.analyst.created_at, job.analyst.revoked_at
    )
    with pytest.raises(NotFoundError):
        exchanges.show(job.context, stranger, exchange)


def test_revoked_partner_gets_nothing_more(job):
    """An exchange prepared before its partner was revoked is cancelled at dispatch."""
    exchange = job.submit().exchange
    partners.revoke(job.context, "trust")
    assert job.drive(exchange) == "cancelled"
    assert not job.transport.sent


def test_every_step_may_be_repeated(job):
    """Driving an exchange again at any stage changes nothing and logs nothing twice."""
    exchange = job.sent()
    job.drive(exchange)
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    before = job.kinds()
    job.drive(exchange)
    assert job.kinds() == before


def test_results_wait_for_their_release(job):
    """Before the release nothing can be read, whatever the exchange's status."""
    exchange = job.submit().exchange
    with pytest.raises(ConflictError, match="prepared"):
        results.read(job.context, job.analyst, exchange)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_users_have_printable_names(job, name):
    """A user's name is 1 to 200 printable characters."""
    with pytest.raises(BadInputError, match="name"):
        users.add(job.context, name, Role.PROGRAMME)


def test_the_council_is_not_its_own_partner(job):
    """The council's own identity document is refused in enrolment."""
    own = job.context.keys.identity
    with pytest.raises(ConflictError, match="council"):
        partners.add(job.context, own.to_json(), own.fingerprint)


def test_each_disclosure_says_under_which_law_and_policies(job):
    """The decision is taken anew at each: its entry names gateway, conditions, route and policy set."""
    exchange = job.sent()
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    with job.store.begin() as uow:
        found = [Entry.parse(leaf) for leaf in uow.log.leaves(0, uow.log.size())]
    entries = {each.kind: each.body for each in found}
    for kind in ("request-authorised", "delivered", "release-authorised"):
        told = entries[f"exchange.{kind}"]["legal_basis"]
        assert told["policy_set"] == job.context.policies.digest
        roles = {ground["role"] for ground in told["grounds"]}
        assert {"gateway-request", "gateway-answer", "lawful-basis", "confidentiality"} <= roles


def test_a_refusal_names_whom_it_was_meant_for_and_what_it_would_have_asked(job):
    """Recipient and agreement where there is one, and the indicators: refusals are found by recipient too."""
    with pytest.raises(ExchangeRefusedError):
        job.submit(purpose="results-claim")
    body = json.loads(job.leaves().rpartition("\n")[2])["body"]
    assert (body["recipient"], body["agreement"]) == ("trust", "T-1")
    assert body["indicators_asked"] == list(
        job.context.policies.datasets["health-trust"].asked(job.context.policies.frameworks["local"])
    )
