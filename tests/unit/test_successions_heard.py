"""Which generation of a partner's keys is heard when, for everything that a partner signs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from proofs import an_assertion, signed_in
from succession_job import a_rotating_job, rotate_partner
from succession_world import Keys

from gateway.bundle.agreement import Revocation, countersign, revoke
from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.bundle.succession import LEAST_SCHEDULED, RotationReason, keys_taken
from gateway.domain.errors import FlagstoneError
from gateway.service import agents, agreements, answers, successions


def signs_in(job, keys):
    signed_in(job.context, an_assertion(job.context, keys))


def leaves_prekeys(job, keys):
    at, job.partner.keys = job.partner.keys, keys
    try:
        made = job.partner.make_prekeys(1, job.clock() + timedelta(days=30))
    finally:
        job.partner.keys = at
    agents.publish_prekeys(job.context, job.registered, made)


def refuses(job, keys):
    (exchange,) = job.store.committed.exchanges
    with job.store.begin() as uow:
        digest = uow.exchanges.get(exchange).request_digest.hex()
    notice = make_refusal(exchange, digest, RefusalCode.DECLINED, job.clock(), keys.sign)
    answers.receive_refusal(job.context, job.registered, exchange, notice)


def countersigns(job, keys):
    identity = keys.identity
    document = agreements.propose(
        replace(job.context, store=_with_partner(job, identity)),
        number=f"N-{identity.fingerprint[:4]}",
        partner="trust",
        dataset="health-trust",
        valid_from=job.document.valid_from,
        valid_to=job.document.valid_to,
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    jws = countersign(document, keys.sign)
    agreements.countersign(job.context, job.registered, document.number, jws)


def revokes(job, keys):
    notice = Revocation(
        number="T-1",
        agreement_digest=job.document.digest,
        by=keys.identity.digest.hex(),
        revoked_at=job.clock(),
    )
    agreements.revoke_by_partner(job.context, job.registered, "T-1", revoke(notice, keys.sign))


def acknowledges(job, keys):
    token = keys_taken("trust", job.context.keys.identity, job.clock(), keys.sign)
    successions.take(job.context, job.registered, token)


def _with_partner(job, identity):
    """The same store, in which the trust is registered by another of its generations."""

    class Partners:
        def __init__(self, inner):
            self._inner = inner

        def get(self, slug):
            return replace(self._inner.get(slug), identity=identity)

    class Store:
        def begin(self):
            return _Begun(job.store.begin(), Partners)

    return Store()


class _Begun:
    def __init__(self, context, partners):
        self._context, self._partners = context, partners

    def __enter__(self):
        unit = self._context.__enter__()
        unit.partners = self._partners(unit.partners)
        return unit

    def __exit__(self, *told):
        return self._context.__exit__(*told)


DEEDS = [signs_in, leaves_prekeys, refuses, countersigns, revokes, acknowledges]
TABLE = """
moment            first   second   third
enrolled          yes     no       no
in overlap        yes     yes      no
after overlap     no      yes      no
rotated again     no      yes      yes
cut short         no      no       yes
"""
ROWS = [(line[:18].strip(), *line[18:].split()) for line in TABLE.strip().splitlines()[1:]]


def come_to(job, moment):
    if moment == "enrolled":
        return
    rotate_partner(job)
    if moment == "in overlap":
        return
    job.clock.now += LEAST_SCHEDULED
    if moment == "rotated again":
        rotate_partner(job)
    if moment == "cut short":
        rotate_partner(job, days=1, reason=RotationReason.SUSPECTED)
        job.clock.advance(days=1)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda each: each.__name__)
@pytest.mark.parametrize(("moment", "first", "second", "third"), ROWS, ids=[row[0] for row in ROWS])
def test_which_generation_of_a_partner_is_heard_when(deed, moment, first, second, third):
    """The table above, for everything that a partner signs."""
    heard = []
    for number in range(3):
        job = a_rotating_job(prekeys=1)
        job.partner.keys = Keys("trust", 0)
        if deed is refuses:
            job.sent()
        come_to(job, moment)
        try:
            deed(job, Keys("trust", number))
        except FlagstoneError:
            heard.append("no")
        else:
            heard.append("yes")
    assert heard == [first, second, third]
