"""The two clocks of an exchange: on time, whole, repeatable after a crash at any step, and written down."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOON
from jobworld import LIST, Job, a_job

from audit.entry import Entry
from gateway.bundle.certificate import verify_certificate
from gateway.bundle.format import bundle_digest
from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.domain.alerts import Rule
from gateway.domain.errors import DestroyedError, FlagstoneError, LogUnavailableError
from gateway.domain.exchange import ExchangeId
from gateway.domain.legal_date import legal_date
from gateway.domain.retention import RetentionClock
from gateway.service import agreements, answers, certificates, exchanges, results
from gateway.service.erasure import destroy_due, destroy_returned
from gateway.service.policysets import announce, replay
from gateway.service.review_queue import found_at
from gateway.service.sealing import ACCOUNT_KEY, SEAL_KEY, SECRET, TAGS_KEY
from gateway.service.watching import Found

RESULTS, ACCOUNTING = RetentionClock.RESULTS, RetentionClock.ACCOUNTING
DESTROYED = {RESULTS: "exchange.results-destroyed", ACCOUNTING: "exchange.account-destroyed"}
DAYS = {RESULTS: 90, ACCOUNTING: 2192}


def released(job: Job, content: str = LIST) -> ExchangeId:
    """An exchange whose result can be read."""
    exchange = job.submit(content).exchange
    job.drive(exchange)
    met = {0: ["health.adult_mental_health"]}
    answers.receive_answer(job.context, job.registered, exchange, job.partner.answer(job, exchange, met))
    assert job.drive(exchange) == "released"
    return exchange


@pytest.fixture
def job() -> Job:
    made = a_job()
    announce(made.context)
    return made


def on_day(job: Job, days: int) -> None:
    """So many days after the fake clock's first, at the same hour."""
    job.clock.now = NOON + timedelta(days=days)


def names(job: Job, exchange: ExchangeId) -> set[str]:
    return {name for whose, name in job.context.exchange_keys.keys if whose == exchange}


def kinds_in_vault(job: Job, exchange: ExchangeId) -> set[str]:
    """What lies in the vault: of the account no more than that there is something."""
    kinds = [kind for whose, kind in job.store.committed.vault if whose == exchange]
    return {"accounting/" if kind.startswith("accounting/") else kind for kind in kinds}


def kept(job: Job, exchange: ExchangeId, clock: RetentionClock):
    return job.store.committed.retentions[exchange, clock]


def certified(job: Job, exchange: ExchangeId, clock: RetentionClock = RESULTS):
    jws = certificates.for_partner(job.context, job.registered, exchange, clock)
    council, partner = job.context.keys.identity, job.partner.keys.identity
    return verify_certificate(jws, council, partner, exchange=exchange, clock=clock)


def test_results_are_destroyed_on_their_day_and_not_before(job):
    """The day before, all is there; on the day, rows, key and stored outcome are gone, the account is not."""
    exchange = released(job)
    on_day(job, 89)
    destroy_due(job.context)
    assert results.read(job.context, job.analyst, exchange)["units"]
    on_day(job, 90)
    destroy_due(job.context)
    assert kinds_in_vault(job, exchange) == {"probe", "accounting/"}
    assert names(job, exchange) == {"probe", ACCOUNT_KEY, TAGS_KEY}
    assert job.store.committed.submissions == {}
    assert job.store.committed.mailbox == {}
    assert job.kinds()[-1] == DESTROYED[RESULTS]


def test_the_account_is_destroyed_on_its_day_and_not_before(job):
    """Years later the other clock ends, and with it the openings, the tags' key and the account's key."""
    exchange = released(job)
    on_day(job, 2191)
    destroy_due(job.context)
    assert {ACCOUNT_KEY, TAGS_KEY} <= names(job, exchange)
    on_day(job, 2192)
    destroy_due(job.context)
    assert kinds_in_vault(job, exchange) == {"probe"}
    assert names(job, exchange) == {"probe"}
    assert [kind for kind in job.kinds() if kind in DESTROYED.values()] == list(DESTROYED.values())


def test_that_a_list_was_nearly_another_goes_with_the_account(job):
    """An alert about an exchange, and the salt that opens its entry's commitment, end with its account."""
    exchange = released(job)
    alert = Found(Rule.NEAR_OVERLAP, str(exchange), NOON, {})
    with job.store.begin() as uow:
        found_at(job.context, uow, alert)
        found_at(job.context, uow, replace(alert, rule=Rule.NO_RECEIPT))
        uow.commit()
    on_day(job, 2191)
    destroy_due(job.context)
    assert len(job.store.committed.alerts) == 2
    on_day(job, 2192)
    destroy_due(job.context)
    assert [each.rule for each in job.store.committed.alerts.values()] == [Rule.NO_RECEIPT]


def test_a_day_is_one_in_london(job):
    """An exchange that ended at 23:30 UTC in summer ended on the next day there, and is kept a day longer."""
    exchange = job.submit().exchange
    job.clock.now = job.clock.now.replace(month=6, day=30, hour=23, minute=30)
    exchanges.cancel(job.context, job.analyst, exchange)
    assert kept(job, exchange, RESULTS).due == legal_date(job.clock()) + timedelta(days=90)
    assert legal_date(job.clock()).day == 1


@pytest.mark.parametrize("how", ["released", "declined", "cancelled", "expired", "revoked"])
def test_every_end_starts_the_clocks(job, how):
    """However an exchange ends, its days count from that day; before it they don't run."""
    exchange = job.sent()
    assert kept(job, exchange, RESULTS).due is None
    on_day(job, 3)
    if how == "released":
        answer = job.partner.answer(job, exchange)
        answers.receive_answer(job.context, job.registered, exchange, answer)
    elif how == "declined":
        decline(job, exchange)
    elif how == "cancelled":
        exchanges.cancel(job.context, job.analyst, exchange)
    elif how == "revoked":
        answer = job.partner.answer(job, exchange)
        answers.receive_answer(job.context, job.registered, exchange, answer)
        agreements.revoke(job.context, "T-1")
    else:
        on_day(job, 40)
    day = legal_date(job.clock())
    job.drive(exchange)
    assert {clock: kept(job, exchange, clock).due for clock in DAYS} == {
        clock: day + timedelta(days=days) for clock, days in DAYS.items()
    }


def decline(job: Job, exchange: ExchangeId) -> None:
    digest = bundle_digest(job.transport.sent[exchange][1]).hex()
    code = RefusalCode.DECLINED
    notice = make_refusal(exchange, digest, code, job.clock(), job.partner.keys.sign)
    answers.receive_refusal(job.context, job.registered, exchange, notice)


def test_a_later_policy_does_not_move_a_clock(job):
    """The days are those of the policy that the exchange was decided under."""
    exchange = released(job)
    longer = replace(job.context.policies.datasets["health-trust"], results_days=366)
    policies = replace(job.context.policies, datasets={"health-trust": longer})
    job.context = replace(job.context, policies=policies)
    on_day(job, 90)
    destroy_due(job.context)
    assert SEAL_KEY not in names(job, exchange)


def test_what_is_destroyed_says_so(job):
    """Reading says on which day; `show` has it too; a replay says that rows can't be derived any more."""
    exchange = released(job)
    on_day(job, 90)
    with pytest.raises(DestroyedError, match="about to be destroyed"):  # before the sweep comes by
        results.read(job.context, job.analyst, exchange)
    destroy_due(job.context)
    with pytest.raises(DestroyedError, match="destroyed on 2027-02-20"):
        results.read(job.context, job.analyst, exchange)
    told = exchanges.show(job.context, job.analyst, exchange)
    assert (told["results_destroyed_at"], told["accounting_destroyed_at"]) == (job.clock(), None)
    assert replay(job.context, exchange).rows is None


def test_a_repeated_submission_gets_its_rows_from_what_is_sealed(job):
    """The stored outcome holds no row of the list, so that nothing of one lies outside the keys."""
    first = job.submit(idempotency_key="the-same-key")
    assert len(first.withheld) == 1
    assert job.submit(idempotency_key="the-same-key").withheld == first.withheld
    (kept_outcome,) = job.store.committed.submissions.values()
    assert json.loads(kept_outcome.outcome).keys() == {"decision"}


def test_the_entry_and_the_certificate_agree(job):
    """The certificate names exchange, request, clock, moment, the entry's number and the days."""
    exchange = released(job)
    on_day(job, 90)
    destroy_due(replace(job.context, key_backup_days=14))
    told = certified(job, exchange)
    with job.store.begin() as uow:
        assert told.request_digest == uow.exchanges.get(exchange).request_digest.hex()
        entry = Entry.parse(next(iter(uow.log.leaves(told.log_entry, told.log_entry + 1))))
    assert (entry.kind, entry.body["exchange"]) == (DESTROYED[RESULTS], str(exchange))
    assert (entry.body["kept_days"], entry.body["due"]) == (90, "2027-02-20")
    assert (told.key_backup_days, entry.body["key_backup_days"]) == (14, 14)
    assert (told.clock, told.destroyed_at) == (RESULTS, job.clock())
    assert entry.body["actor"]["id"] == "gateway"


def test_a_second_sweep_does_nothing(job):
    """One entry and one certificate a clock, however often the sweep comes by."""
    exchange = released(job)
    on_day(job, 90)
    destroy_due(job.context)
    before = job.store.committed
    destroy_due(job.context)
    assert job.store.committed is before
    assert certificates.of_exchange(job.context, job.analyst, exchange)[0]["clock"] == "results"


# --- a crash at each step ----------------------------------------------------------------------------


class Killed(BaseException):
    """What no handler catches."""


def _kill() -> None:
    raise Killed


def whole_or_pending(job: Job, exchange: ExchangeId) -> None:
    """What must hold at any moment: no key is gone without an entry, no certificate while a key lives."""
    logged = DESTROYED[RESULTS] in job.kinds()
    now = kept(job, exchange, RESULTS)
    assert logged == (now.destroyed_at is not None)
    assert logged or SEAL_KEY in names(job, exchange)
    assert not logged or "result" not in kinds_in_vault(job, exchange)
    assert now.certificate is None or SEAL_KEY not in names(job, exchange)


@pytest.mark.parametrize("hook", ["before_append", "after_append", "before_commit", "after_commit"])
@pytest.mark.parametrize("time", [1, 2])
def test_killed_in_a_transaction_the_next_sweep_goes_on(job, hook, time):
    """Killed before or after the first or second commit took effect: all of it follows, once."""
    exchange = released(job)
    on_day(job, 90)
    left = [time]

    def kill() -> None:
        left[0] -= 1
        if left[0] == 0:
            _kill()

    setattr(job.store.hooks, hook, kill)
    try:
        destroy_due(job.context)
    except Killed:
        whole_or_pending(job, exchange)
    setattr(job.store.hooks, hook, lambda: None)
    finish(job, exchange)


@pytest.mark.parametrize("name", [SECRET, SEAL_KEY])
@pytest.mark.parametrize("after", [False, True])
def test_killed_between_commit_and_keys_the_next_sweep_goes_on(job, monkeypatch, name, after):
    """Killed before or after a key was destroyed, with the entry already there: the rest follows, once."""
    exchange = released(job)
    on_day(job, 90)
    keys = job.context.exchange_keys
    destroy = type(keys).destroy

    def kill(whose, key):
        if key == name:
            if after:
                destroy(keys, whose, key)
            _kill()
        destroy(keys, whose, key)

    monkeypatch.setattr(keys, "destroy", kill)
    with pytest.raises(Killed):
        destroy_due(job.context)
    whole_or_pending(job, exchange)
    assert kept(job, exchange, RESULTS).certificate is None
    monkeypatch.undo()
    finish(job, exchange)


def finish(job: Job, exchange: ExchangeId) -> None:
    destroy_due(job.context)
    whole_or_pending(job, exchange)
    assert job.kinds().count(DESTROYED[RESULTS]) == 1
    assert certified(job, exchange).log_entry == job.kinds().index(DESTROYED[RESULTS])
    assert names(job, exchange) == {"probe", ACCOUNT_KEY, TAGS_KEY}


def test_an_unwritable_log_keeps_everything(job):
    """Nothing is destroyed that the log doesn't say."""
    exchange = released(job)
    on_day(job, 90)

    def refuse() -> None:
        raise LogUnavailableError("no disk", place="log")

    job.store.hooks.before_append = refuse
    with pytest.raises(LogUnavailableError):
        destroy_due(job.context)
    assert SEAL_KEY in names(job, exchange)
    assert {"result", "slots"} <= kinds_in_vault(job, exchange)


def test_one_that_can_not_be_destroyed_does_not_keep_the_others(job, monkeypatch):
    """A key that can't be removed is an error each sweep, uncertified; the other exchanges go."""
    stuck, other = released(job), released(job, LIST.replace("Example", "Sample"))
    on_day(job, 90)
    keys = job.context.exchange_keys
    destroy = type(keys).destroy

    def fail(whose, key):
        if whose == stuck:
            raise PermissionError
        destroy(keys, whose, key)

    monkeypatch.setattr(keys, "destroy", fail)
    for _ in range(2):
        with pytest.raises(FlagstoneError, match="PermissionError"):
            destroy_due(job.context)
    assert certified(job, other)
    assert kept(job, stuck, RESULTS).certificate is None
    monkeypatch.undo()
    destroy_due(job.context)
    assert certified(job, stuck)


def test_keys_that_come_back_are_destroyed_again(job):
    """A key folder put back from a backup: at the next start it is destroyed again, and logged."""
    exchange = released(job)
    backup = dict(job.context.exchange_keys.keys)
    on_day(job, 90)
    destroy_due(job.context)
    for (whose, name), key in backup.items():
        job.context.exchange_keys.put(whose, name, key)
    destroy_returned(job.context)
    assert names(job, exchange) == {"probe", ACCOUNT_KEY, TAGS_KEY}
    assert job.kinds()[-1] == "exchange.keys-destroyed-again"
    before = job.store.committed
    destroy_returned(job.context)
    assert job.store.committed is before


def test_entries_and_certificates_name_nobody(job):
    """No reference of a person or household, no name, no count under ten: ids, days and codes alone."""
    exchange = released(job)
    on_day(job, 2192)
    destroy_due(job.context)
    told = [
        entry for entry in map(Entry.parse, job.store.committed.leaves) if entry.kind in DESTROYED.values()
    ]
    assert len(told) == 2
    for entry in told:
        assert set(entry.body) == {
            *(
                "actor",
                "exchange",
                "recipient",
                "dataset",
                "purpose",
                "framework",
                "agreement",
                "granularity",
            ),
            *("indicators_asked", "clock", "kept_days", "due", "key_backup_days"),
        }
    said = "".join([entry.leaf().decode() for entry in told])
    said += "".join(str(certified(job, exchange, clock).payload) for clock in RetentionClock)
    for mark in ("Ann", "Ben", "Cat", "Example", "p11", "h1", "LS1", "1985"):
        assert mark not in said
