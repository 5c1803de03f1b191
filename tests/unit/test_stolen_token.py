"""Whoever stole an agent's access token and the key it is bound to: let in, and still no partner."""

from types import SimpleNamespace

import pytest
from fakes import FakePartyKeys
from jobworld import RealPartner, a_job
from proofs import an_assertion, signed_in

from gateway.bundle.client_certificate import ClientCertificate
from gateway.domain import labels
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import Status
from gateway.service import access, agreements, answers, client_certificates

THIEF = FakePartyKeys("thief")


@pytest.fixture
def job():
    return a_job()


def the_thief_is_let_in(job):
    """The gateway can't tell the thief from the partner's agent: token, proof key and nonce are all good."""
    holder = signed_in(job.context, an_assertion(job.context, job.partner.keys))
    return access.partner_of(job.context, holder.token, holder.presented()).partner


def test_a_stolen_token_and_its_key_can_not_answer(job):
    """An answer that the thief seals, with the exchange's secret even, is refused: the partner signs."""
    exchange = job.sent()
    partner = the_thief_is_let_in(job)
    good = job.partner.answer(job, exchange)
    real, thief = job.partner, RealPartner("trust")
    # all but the signing key: more than a thief of tokens has
    thief.keys = SimpleNamespace(identity=real.keys.identity, agree=real.keys.agree, sign=THIEF.sign)
    thief.prekeys = real.prekeys
    forged = thief.answer(job, exchange, {0: ["health.adult_mental_health"]})
    for bundle in (forged, good[:-1] + bytes([good[-1] ^ 1])):
        with pytest.raises(VerificationError):
            answers.receive_answer(job.context, partner, exchange, bundle)
    assert "exchange.delivered" not in job.kinds()
    answers.receive_answer(job.context, partner, exchange, good)
    assert job.drive(exchange) == Status.RELEASED.value


def test_nor_sign_for_the_partner_in_any_other_way(job):
    """Prekeys, countersignatures, refusals and client certificates: each needs the signing key."""
    exchange = job.sent()
    partner = the_thief_is_let_in(job)
    auth = job.partner.keys.sign_in
    certificate = ClientCertificate(partner="trust", certificate=b"any").payload
    for act in (
        lambda jws: answers.receive_refusal(job.context, partner, exchange, jws),
        lambda jws: agreements.countersign(job.context, partner, "T-1", jws),
        lambda jws: agreements.revoke_by_partner(job.context, partner, "T-1", jws),
        lambda jws: client_certificates.announce(job.context, partner, jws),
    ):
        for jws in (
            auth(certificate, labels.TYP_CLIENT_CERTIFICATE),
            THIEF.sign(certificate, labels.TYP_CLIENT_CERTIFICATE),
        ):
            with pytest.raises(VerificationError):
                act(jws)
