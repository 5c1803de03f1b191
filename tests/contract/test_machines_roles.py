"""What each database role may do with partners' machines: no more than its part of an enrolment needs."""

import json
from dataclasses import replace

import pytest
from contract.test_machines_contract import a_certificate, an_invitation
from fakes import FakePartyKeys, a_partner
from jobworld import a_job

from gateway.bundle.enrolment import Parties, code_key, make_enrolment
from gateway.domain.errors import ConfigurationError, NotSignedInError
from gateway.domain.principal import SIGNING_IN, partner
from gateway.service import enrolment

pytestmark = pytest.mark.postgres
SCHOOL = FakePartyKeys("school", "Example School")


def context(postgres, role: str):

    made = replace(a_job(sign=False, prekeys=0).context, store=postgres.store(role))
    return made.acting_for(SIGNING_IN) if role == "web" else made


def brought(ctx, code: str) -> str:
    parties = Parties(SCHOOL.identity, ctx.keys.identity)
    key = code_key(code, "school")
    return make_enrolment(parties, key, sign=SCHOOL.sign, sign_in=SCHOOL.sign_in, agree=SCHOOL.agree)


def test_the_api_takes_what_is_brought_and_puts_nothing_in_force(postgres):
    """The web role enrols whom the operator invited; only the operator's role invites and confirms."""
    operator, web = context(postgres, "migrate"), context(postgres, "web")
    with pytest.raises(ConfigurationError, match="role may not"):
        enrolment.invite(web, "school", "Example School")
    code = enrolment.invite(operator, "school", "Example School")
    enrolment.enrol(web, brought(web, code))
    with pytest.raises(ConfigurationError, match="role may not"):
        enrolment.confirm(web, "school", SCHOOL.identity.fingerprint)
    enrolment.confirm(operator, "school", SCHOOL.identity.fingerprint)
    with pytest.raises(NotSignedInError):
        enrolment.enrol(web, brought(web, code))


@pytest.mark.parametrize("role", ["worker", "review"])
def test_the_other_roles_see_no_machines(postgres, role):
    """Neither certificates nor invitations are theirs to read."""
    with postgres.store(role).begin() as unit, pytest.raises(ConfigurationError):
        unit.invitations.all()
    with postgres.store(role).begin() as unit, pytest.raises(ConfigurationError):
        unit.tls_certificates.all()


def test_the_api_keeps_certificates_and_changes_none(postgres):
    """The web role adds a certificate and drops the oldest; it can't point one at another partner."""
    with postgres.store().begin() as unit:
        unit.partners.add(a_partner())
        unit.invitations.open(an_invitation(document=json.dumps({})))
        unit.commit()
    web = postgres.store("web")
    with web.acting_for(partner(a_partner().identity.slug)).begin() as unit:
        for number in (1, 2, 3):
            unit.tls_certificates.announce(a_certificate(number), keep=2)
        unit.commit()
    with web.acting_for(SIGNING_IN).begin() as unit, pytest.raises(ConfigurationError):
        unit.invitations.close("school")
