"""Failed sign-ins and keys in the log: each reason told, nothing typed, a bounded number of entries."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import FakePartyKeys
from jobworld import a_job
from proofs import signed_in

from audit.entry import Entry
from gateway.domain import labels
from gateway.domain.errors import LogUnavailableError, NotSignedInError
from gateway.service import access, partners, users
from gateway.service.constraint import Presented
from gateway.service.ownkeys import announce_keys
from gateway.service.policysets import announce
from gateway.service.signins import log_denials


@pytest.fixture
def job():
    return a_job()


def bodies(job, kind):
    entries = map(Entry.parse, job.store.committed.leaves)
    return [dict(entry.body) for entry in entries if entry.kind == kind]


def logged(job):
    """What the log says of failures, once their minute is over: (caller, reason, count)."""
    job.clock.advance(minutes=1)
    log_denials(job.context)
    return [(body["caller"], body["reason"], body["count"]) for body in bodies(job, "access.denied")]


def assertion(job, signer="trust", **changes) -> str:
    now = int(job.clock().timestamp())
    claims = {
        "iss": "trust",
        "sub": "trust",
        "aud": "urn:flagstone:council",
        "iat": now,
        "exp": now + 60,
        "jti": "one",
    }
    payload = json.dumps(claims | changes).encode()
    return FakePartyKeys(signer).sign_in(payload, labels.TYP_ASSERTION)


def _revoked(job):
    token = users.add(job.context, "leaver", job.analyst.role)
    users.revoke(job.context, "leaver")
    access.user_of(job.context, token)


def _replayed(job):
    for _ in range(2):
        signed_in(job.context, assertion(job))


def _partner_gone(job):
    holder = signed_in(job.context, assertion(job))
    partners.revoke(job.context, "trust")
    access.partner_of(job.context, holder.token, holder.presented())


def _proof_replayed(job):
    holder = signed_in(job.context, assertion(job))
    shown = holder.presented()
    for _ in range(2):
        access.partner_of(job.context, holder.token, shown)


def _proof_missing(job):
    holder = signed_in(job.context, assertion(job))
    access.partner_of(job.context, holder.token, replace(holder.presented(), proofs=()))


FAILURES = {
    "a malformed user token": (
        lambda job: access.user_of(job.context, "Ann-Example-1985"),
        ("user", "unknown-token"),
    ),
    "an unknown user token": (
        lambda job: access.user_of(job.context, "fst_" + "A" * 43),
        ("user", "unknown-token"),
    ),
    "a revoked user": (_revoked, ("user", "revoked")),
    "an assertion of another key": (
        lambda job: signed_in(job.context, assertion(job, signer="police")),
        ("agent", "bad-assertion"),
    ),
    "an assertion of nobody": (
        lambda job: signed_in(job.context, "not.a.token"),
        ("agent", "bad-assertion"),
    ),
    "a clock that is wrong": (
        lambda job: signed_in(job.context, assertion(job, iat=1, exp=61)),
        ("agent", "stale-assertion"),
    ),
    "an assertion that lives too long": (
        lambda job: signed_in(job.context, assertion(job, exp=int(job.clock().timestamp()) + 99)),
        ("agent", "stale-assertion"),
    ),
    "an assertion used twice": (_replayed, ("agent", "replayed-assertion")),
    "an access token of nobody": (
        lambda job: access.partner_of(job.context, "not.a.token", Presented("GET", "")),
        ("agent", "bad-access-token"),
    ),
    "a proof used twice": (_proof_replayed, ("agent", "replayed-proof")),
    "a token without a proof": (_proof_missing, ("agent", "bad-proof")),
    "an access token of a revoked partner": (_partner_gone, ("agent", "bad-access-token")),
}


@pytest.mark.parametrize(("attempt", "told"), FAILURES.values(), ids=FAILURES)
def test_each_failure_is_logged_with_its_reason(job, attempt, told):
    """What failed is told by kind of caller and reason code, once its minute is over."""
    with pytest.raises(NotSignedInError):
        attempt(job)
    assert bodies(job, "access.denied") == []
    assert logged(job) == [(*told, 1)]


def test_nothing_that_was_typed_is_logged(job):
    """An entry has a kind of caller, a reason, a count and a minute; no token, no name, no address."""
    for typed in ("Ann-Example-1985", "fst_Ann-Example-1985"):
        with pytest.raises(NotSignedInError):
            access.user_of(job.context, typed)
    logged(job)
    (body,) = bodies(job, "access.denied")
    assert body.keys() == {"actor", "caller", "reason", "count", "since", "until"}
    assert "Example" not in job.leaves() + repr(job.store.committed.sign_ins)


def test_an_attacker_cannot_fill_the_log(job):
    """A thousand failures of one reason in one minute are one entry with their number."""
    for _ in range(1000):
        with pytest.raises(NotSignedInError):
            access.user_of(job.context, "fst_" + "A" * 43)
    assert logged(job) == [("user", "unknown-token", 1000)]
    assert logged(job) == [("user", "unknown-token", 1000)], "and not again"
    assert job.store.committed.sign_ins == {}


def test_minutes_are_told_apart(job):
    """Failures of two minutes are two entries, each with its own minute."""
    for _ in range(2):
        with pytest.raises(NotSignedInError):
            access.user_of(job.context, "no token")
        job.clock.advance(minutes=1)
    log_denials(job.context)
    first, second = (body["since"] for body in bodies(job, "access.denied"))
    assert (first, second) == ("2026-11-22T12:00:00+00:00", "2026-11-22T12:01:00+00:00")


def test_counts_outlive_a_log_that_cannot_be_written(job):
    """While the log refuses, the counts stay; afterwards they are logged in full."""
    with pytest.raises(NotSignedInError):
        access.user_of(job.context, "no token")
    job.clock.now += timedelta(minutes=1)

    def broken():
        raise LogUnavailableError("no log")

    job.store.hooks.before_append = broken
    with pytest.raises(LogUnavailableError):
        log_denials(job.context)
    job.store.hooks.before_append = lambda: None
    assert logged(job) == [("user", "unknown-token", 1)]


def test_a_good_sign_in_counts_nothing(job):
    """Who signs in leaves no failure, whether user or agent."""
    access.somebody(job.context, users.new_token(job.context, "analyst"), Presented("GET", ""))
    holder = signed_in(job.context, assertion(job))
    access.somebody(job.context, holder.token, holder.presented())
    assert job.store.committed.sign_ins == {}


def test_keys_are_logged_when_they_come_into_use(job):
    """A gateway that starts says which keys it has, once; with other keys it says so again, and what was."""
    announce_keys(job.context)
    announce_keys(job.context)
    fingerprint = job.context.keys.identity.fingerprint
    (body,) = bodies(job, "keys.in-use")
    assert (body["fingerprint"], "before" in body) == (fingerprint, False)
    renewed = replace(job.context, keys=FakePartyKeys("renewed"))
    announce_keys(renewed)
    assert bodies(job, "keys.in-use")[-1]["before"] == fingerprint


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda job: partners.revoke(job.context, "trust"), "partner.revoked"),
        (lambda job: users.add(job.context, "new", job.analyst.role), "user.added"),
        (lambda job: users.new_token(job.context, "analyst"), "user.token-replaced"),
        (lambda job: users.revoke(job.context, "analyst"), "user.revoked"),
    ],
)
def test_parties_and_users_leave_an_entry(job, act, kind):
    """Every change of who may do something is logged with it."""
    act(job)
    assert job.kinds()[-1] == kind


def test_enrolment_leaves_an_entry(job):
    """A partner that is added is in the log with its fingerprint."""
    (body,) = bodies(job, "partner.added")
    assert body["fingerprint"] == job.partner.keys.identity.fingerprint


def test_a_new_log_says_anew_what_is_in_use(job):
    """After a relink the new log names the keys and the policy set that it begins with, changed or not."""
    for _ in range(2):
        announce_keys(job.context)
        announce(job.context)
    job.store.set_log_aside()
    for _ in range(2):
        announce_keys(job.context)
        announce(job.context)
    assert job.kinds() == ["keys.in-use", "policies.in-use"]
    assert bodies(job, "keys.in-use")[-1].keys() == {"actor", "fingerprint"}


def test_going_back_to_an_earlier_policy_set_is_told(job):
    """Each change of the set in use has an entry, a return to one that was in use before included."""
    narrower = replace(job.context, policies=replace(job.context.policies, datasets={}))
    for context in (job.context, narrower, job.context):
        announce(context)
    assert job.kinds().count("policies.in-use") == 3
