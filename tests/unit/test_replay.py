"""Past decisions come out the same, and a draft is tried on them before it is enforced."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from jobworld import LIST, Job, a_job

from gateway.domain.errors import NotFoundError, VerificationError
from gateway.domain.exchange import Granularity, Release
from gateway.service import agreements, policysets
from gateway.service.comparing import compare
from gateway.service.policysets import announce, replay
from gateway.service.sealing import SEAL_KEY
from gateway.service.submit import ExchangeRefusedError
from policies.model import PolicySet


@pytest.fixture
def job() -> Job:
    made = a_job()
    announce(made.context)
    return made


def _with(policies: PolicySet, **changes) -> PolicySet:
    changed = replace(policies.datasets["health-trust"], **changes)
    return replace(policies, datasets={**policies.datasets, "health-trust": changed})


def test_a_decision_is_replayed_from_what_was_kept(job):
    """The permit and the withheld rows come out the same, though the gateway has other policies by now."""
    submitted = job.submit()
    job.context = replace(job.context, policies=PolicySet())
    told = replay(job.context, submitted.exchange)
    assert told.decision == submitted.decision
    assert told.rows == len(submitted.withheld)


def test_a_decision_is_replayed_after_its_agreement_was_revoked(job):
    """What was revoked since was in force then."""
    submitted = job.submit()
    job.clock.now += timedelta(days=1)
    agreements.revoke(job.context, "T-1")
    assert replay(job.context, submitted.exchange).decision == submitted.decision


def test_rows_are_replayed_until_they_are_destroyed(job):
    """Once the exchange's key is gone the list's decision still replays, and the rows' no more."""
    submitted = job.submit()
    job.context.exchange_keys.destroy(submitted.exchange, SEAL_KEY)
    told = replay(job.context, submitted.exchange)
    assert told.decision == submitted.decision
    assert told.rows is None


def test_a_decision_that_comes_out_otherwise_is_an_error(job, monkeypatch):
    """A log that says something else than the policies of then is a failed verification."""
    submitted = job.submit()
    held = job.store.committed.exchanges
    held[submitted.exchange] = replace(held[submitted.exchange], purpose="support")
    with pytest.raises(VerificationError, match="comes out otherwise"):
        replay(job.context, submitted.exchange)
    monkeypatch.setattr(policysets, "ENGINE", "flagstone-policies/0")
    with pytest.raises(VerificationError, match="another version of the engine"):
        replay(job.context, submitted.exchange)


def test_a_set_that_was_never_kept_can_not_be_replayed():
    """Without its policy set a decision is not guessed at."""
    job = a_job()
    with pytest.raises(NotFoundError):
        replay(job.context, job.submit().exchange)


def test_a_new_set_is_logged_once(job):
    """The log says when another policy set came into use, and says it once."""
    announce(job.context)
    assert job.kinds().count("policies.in-use") == 1
    job.context = replace(job.context, policies=_with(job.context.policies, max_people=99))
    announce(job.context)
    assert job.kinds().count("policies.in-use") == 2


def test_a_draft_shows_who_would_lose(job):
    """A permit that the draft would refuse is a loss, with the reason."""
    job.submit()
    (told,) = compare(job.context, _with(job.context.policies, confidentiality=()), date(2026, 1, 1))
    assert (told.change, told.logged, told.draft) == ("loses", (), ("confidentiality",))
    assert "duty of confidentiality" in told.why[0]


def test_a_draft_shows_who_would_gain(job):
    """A refusal that the draft would permit is a gain."""
    with pytest.raises(ExchangeRefusedError):
        job.submit(purpose="support")
    policies = job.context.policies
    (route,) = policies.law["confidentiality.explicit-consent"]
    wider = replace(route, purposes=("identify", "support"))
    law = {**policies.law, route.id: (wider,)}
    draft = replace(_with(policies, purposes=("identify", "support")), law=law)
    (told,) = compare(job.context, draft, date(2026, 1, 1))
    assert (told.change, told.draft) == ("gains", ())
    assert "purpose-not-allowed" in told.logged


def test_the_same_policies_change_nothing(job):
    """The set in use, as its own draft, agrees with every logged decision; earlier days are left out."""
    job.submit()
    with pytest.raises(ExchangeRefusedError):
        job.submit(purpose="results-claim")
    found = compare(job.context, job.context.policies, date(2026, 1, 1))
    assert [each.change for each in found] == ["same", "same"]
    assert all(each.logged == each.draft for each in found)
    assert compare(job.context, job.context.policies, date(2030, 1, 1)) == []


def _rules(policies, **changes):
    rules = replace(policies.datasets["health-trust"].row_rules, **changes)
    return _with(policies, row_rules=rules)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"indicators": ("health.child_substance",)}, "no longer asks: health.adult_mental_health"),
        ({"granularity": Granularity.PERSON_INDICATORS}, "granularity: person-indicators instead of"),
        ({"release": Release.TWO_APPROVE}, "release: two-approve instead of partner-approves"),
        ({"results_days": 30}, "results days: 30 instead of 90"),
    ],
)
def test_a_draft_that_would_give_something_else_says_what(job, changes, what):
    """A request that stays permitted is no "same" when another content would travel or stay."""
    job.submit()
    (told,) = compare(job.context, _with(job.context.policies, **changes), date(2026, 1, 1))
    assert told.change == "differs"
    assert any(line.startswith(what) for line in told.what)


def test_a_draft_judges_the_rows_anew(job):
    """Row rules of the draft are tried on what was kept of the list."""
    lines = LIST.splitlines(keepends=True)
    job.submit(
        "".join(each.replace("crime.asb_intervention_12m", "") if ",h4," in each else each for each in lines)
    )
    (wider,) = compare(job.context, _rules(job.context.policies, indicator_met=False), date(2026, 1, 1))
    assert (wider.change, wider.what) == ("differs", ("2 more rows would go",))
    (none,) = compare(job.context, _rules(job.context.policies, max_household=1), date(2026, 1, 1))
    assert (none.change, none.draft) == ("loses", ("list-too-small", "every-row-withheld"))


def test_a_rule_of_areas_is_said_not_to_be_tried(job):
    """Where people live was judged by the areas of then: what a draft's areas would do is not guessed."""
    job.submit()
    draft = _rules(job.context.policies, areas=("Leeds",))
    (told,) = compare(job.context, draft, date(2026, 1, 1))
    assert told.what == ("the rule of areas can't be tried on what was kept",)


def test_a_permitted_list_is_compared_with_its_true_size(job):
    """The exchange keeps how many households went: a draft's limits are tried on that number, not on nine."""
    submitted = job.submit()
    households = job.store.committed.exchanges[submitted.exchange].households
    policies = job.context.policies
    for limit, change in ((households, "same"), (households - 1, "loses")):
        (told,) = compare(job.context, _with(policies, max_households=limit), date(2026, 1, 1))
        assert told.change == change
    (told,) = compare(job.context, _with(policies, min_households=households + 1), date(2026, 1, 1))
    assert (told.change, told.draft) == ("loses", ("list-too-small",))


def test_what_can_no_longer_be_judged_is_said(job):
    """Once the rows' facts are destroyed the list alone is compared, and the answer says so."""
    submitted = job.submit()
    job.context.exchange_keys.destroy(submitted.exchange, SEAL_KEY)
    (told,) = compare(job.context, job.context.policies, date(2026, 1, 1))
    assert told.what == ("the row rules can't be tried: what they looked at is destroyed",)


def test_a_gain_says_what_stood_in_its_way(job):
    """Who asked, whom, and the requirement of then that the draft does away with."""
    with pytest.raises(ExchangeRefusedError):
        job.submit(purpose="support")
    policies = job.context.policies
    (route,) = policies.law["confidentiality.explicit-consent"]
    law = {**policies.law, route.id: (replace(route, purposes=("identify", "support")),)}
    draft = replace(_with(policies, purposes=("identify", "support")), law=law)
    (told,) = compare(job.context, draft, date(2026, 1, 1))
    assert told.change == "gains"
    assert "The dataset's policy allows the purpose (UK GDPR Article 5(1)(b))" in told.why
    assert (told.user, told.recipient) == (str(job.analyst.id), "trust")
