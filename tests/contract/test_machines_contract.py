"""Client certificates and open enrolments: what every store holds to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fakes import NOON, a_partner

from gateway.domain.errors import ConflictError
from gateway.machine_ports import Invitation, TlsCertificate


def a_certificate(number: int, partner: str = "health") -> TlsCertificate:
    at = NOON + timedelta(days=number)
    return TlsCertificate(partner, bytes([number]) * 32, b"der %d" % number, at + timedelta(days=397), at)


def an_invitation(**changes) -> Invitation:
    usual = {"partner": "school", "name": "Example School", "key": b"k" * 32, "expires_at": NOON}
    return Invitation(**(usual | changes))


@pytest.fixture
def certified(store):
    """A store with two partners, one of whom has announced two certificates."""
    with store.begin() as unit:
        for slug in ("health", "police"):
            unit.partners.add(a_partner(slug))
        for number in (1, 2):
            assert unit.tls_certificates.announce(a_certificate(number), keep=2)
        unit.commit()
    return store


def test_certificates_come_back_newest_first(certified):
    """As they were announced; another partner has none of them."""
    with certified.begin() as unit:
        assert unit.tls_certificates.of("health") == [a_certificate(2), a_certificate(1)]
        assert unit.tls_certificates.of("police") == []
        assert unit.tls_certificates.all() == [a_certificate(2), a_certificate(1)]


def test_the_newest_are_kept(certified):
    """One more and the oldest goes; the same again changes nothing."""
    with certified.begin() as unit:
        assert unit.tls_certificates.announce(a_certificate(3), keep=2)
        assert not unit.tls_certificates.announce(a_certificate(3), keep=2)
        assert unit.tls_certificates.of("health") == [a_certificate(3), a_certificate(2)]


def test_a_certificate_is_one_partner_s(certified):
    """What one partner announced is not another's."""
    with certified.begin() as unit, pytest.raises(ConflictError):
        unit.tls_certificates.announce(a_certificate(1, "police"), keep=2)


def test_an_invitation_is_opened_tried_taken_and_closed(store):
    """One of each short name; a new one takes the place of the one before, with its count."""
    with store.begin() as unit:
        assert unit.invitations.get("school") is None
        unit.invitations.failed("school")
        unit.invitations.open(an_invitation())
        unit.invitations.failed("school")
        unit.invitations.take("school", "{}", NOON + timedelta(days=1))
        taken = an_invitation(failed=1, document="{}", expires_at=NOON + timedelta(days=1))
        assert unit.invitations.get("school") == taken
        unit.invitations.open(an_invitation(name="Other"))
        assert unit.invitations.get("school") == an_invitation(name="Other")
        unit.invitations.open(an_invitation(partner="clinic"))
        assert [each.partner for each in unit.invitations.all()] == ["clinic", "school"]
        unit.invitations.close("school")
        unit.invitations.close("school")
        assert unit.invitations.get("school") is None


def test_tries_at_once_are_counted_one_after_the_other(store):
    """Of two units of work that try one code, the second sees the count of the first."""
    with store.begin() as unit:
        unit.invitations.open(an_invitation())
        unit.commit()

    def twin() -> int:
        with store.begin() as unit:
            return unit.invitations.get("school").failed

    with ThreadPoolExecutor(1) as pool, store.begin() as unit:
        assert unit.invitations.get("school").failed == 0
        waiting = pool.submit(twin)
        unit.invitations.failed("school")
        unit.commit()
        assert waiting.result(10) == 1
