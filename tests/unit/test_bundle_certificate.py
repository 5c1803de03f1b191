"""A certificate of destruction: believed only from the pinned council, about the very exchange and clock."""

import base64
import json
from uuid import UUID, uuid4

import pytest
from fakes import NOON, FakePartyKeys

from gateway.bundle.certificate import MAX_CERTIFICATE, make_certificate, verify_certificate
from gateway.bundle.errors import MalformedError, WrongExchangeError, WrongKeyError, WrongSignatureError
from gateway.bundle.refusal import RefusalCode, make_refusal
from gateway.domain.errors import VerificationError
from gateway.domain.labels import TYP_CERTIFICATE
from gateway.domain.retention import RetentionClock

COUNCIL, PARTNER, OTHER = FakePartyKeys("council"), FakePartyKeys("trust"), FakePartyKeys("police")
EXCHANGE = UUID("9c5b94b1-35ad-49bb-b118-8e8fc24abf80")
RESULTS = RetentionClock.RESULTS


def certified(signer=COUNCIL, **changes) -> str:
    given = {
        "exchange": EXCHANGE,
        "request_digest": "ab" * 32,
        "clock": RESULTS,
        "destroyed_at": NOON,
        "log_entry": 41,
        "key_backup_days": 30,
    }
    return make_certificate(COUNCIL.identity, PARTNER.identity, signer.sign, **given | changes)


def verified(jws, recipient=PARTNER, exchange=EXCHANGE, clock=RESULTS):
    return verify_certificate(jws, COUNCIL.identity, recipient.identity, exchange=exchange, clock=clock)


def test_a_certificate_comes_back_as_it_was_signed():
    """All that it states is read again, and it is short."""
    jws = certified()
    told = verified(jws)
    assert (told.exchange, told.request_digest, told.clock) == (EXCHANGE, "ab" * 32, RESULTS)
    assert (told.destroyed_at, told.log_entry, told.key_backup_days) == (NOON, 41, 30)
    assert len(jws) < MAX_CERTIFICATE


@pytest.mark.parametrize(
    ("jws", "asked", "error"),
    [
        (certified(OTHER), {}, WrongSignatureError),
        (certified(), {"recipient": OTHER}, WrongKeyError),
        (certified(exchange=uuid4()), {}, WrongExchangeError),
        (certified(clock=RetentionClock.ACCOUNTING), {}, WrongExchangeError),
        (certified(), {"clock": RetentionClock.ACCOUNTING}, WrongExchangeError),
        (make_refusal(EXCHANGE, "ab" * 32, RefusalCode.LIMITS, NOON, COUNCIL.sign), {}, VerificationError),
        ("not.a.certificate", {}, VerificationError),
    ],
    ids=["another signer", "for another", "another exchange", "another clock", "asked", "refusal", "noise"],
)
def test_whatever_is_not_this_certificate_is_refused(jws, asked, error):
    """By another key, for another partner, of another exchange, clock or kind: refused by name."""
    with pytest.raises(error):
        verified(jws, **asked)


@pytest.mark.parametrize("field", ["exchange", "request_digest", "destroyed_at", "log_entry", "clock"])
def test_a_tampered_field_breaks_the_signature(field):
    """Any statement changed after it was signed is found."""
    header, payload, signature = certified().split(".")
    stated = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = {"log_entry": 42, "clock": "accounting", "destroyed_at": "2026-11-23T12:00:00Z"}
    stated[field] = changed.get(field, "0" + str(stated[field])[1:])
    other = json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()
    forged = ".".join([header, base64.urlsafe_b64encode(other).decode().rstrip("="), signature])
    with pytest.raises(WrongSignatureError):
        verified(forged)


@pytest.mark.parametrize(
    "change",
    [
        {"clock": "neither"},
        {"log_entry": -1},
        {"key_backup_days": 3651},
        {"extra": "a word"},
        {"log_entry": "1"},
    ],
    ids=str,
)
def test_a_form_that_is_not_ours_is_refused_though_signed(change):
    """An unknown clock, a number out of bounds or of another type, a further field: malformed."""
    stated = json.loads(base64.urlsafe_b64decode(certified().split(".")[1] + "==")) | change
    payload = json.dumps(stated, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(MalformedError):
        verified(COUNCIL.sign(payload, TYP_CERTIFICATE))
