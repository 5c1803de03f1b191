"""Signed documents: as tokens from outside, and with any payload under the right signature."""

import json
from datetime import timedelta

from audit_samples import signer
from bundle_world import COUNCIL, EXCHANGE, NOW, TRUST, agreement
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.agent.main import identity_of
from audit.cosignature import Cosigner
from gateway.bundle.agreement import (
    Revocation,
    propose,
    revoke,
    verify_countersignature,
    verify_proposal,
    verify_revocation,
)
from gateway.bundle.certificate import make_certificate, verify_certificate
from gateway.bundle.jws import verify_jws
from gateway.bundle.prekey import make_prekey, verify_prekey
from gateway.bundle.refusal import RefusalCode, make_refusal, verify_refusal
from gateway.bundle.witness import (
    AlarmNotice,
    LogKey,
    Reason,
    WitnessKey,
    verify_alarm,
    verify_log_key,
    verify_witness_key,
    witness_name,
)
from gateway.domain import labels
from gateway.domain.retention import RetentionClock

AGREED = agreement()
DIGEST = "ab" * 32
WITNESS = Cosigner(witness_name("trust"), Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))


def _raw(payload: bytes, typ: str) -> str:
    """A `sign` that leaves the payload as it is: what a parser gets to see."""
    return payload.decode()


def _signed(by, typ, verify):
    return lambda data: verify(by.sign(data, typ))


def refusal(token):
    return verify_refusal(token, TRUST.identity, exchange=EXCHANGE, request_digest=DIGEST)


def certificate(token):
    clock = RetentionClock.RESULTS
    return verify_certificate(token, COUNCIL.identity, TRUST.identity, exchange=EXCHANGE, clock=clock)


WAYS = {
    "token": lambda data: verify_jws(data, labels.TYP_PREKEY, TRUST.identity.signing),
    "proposal": _signed(COUNCIL, labels.TYP_AGREEMENT, lambda t: verify_proposal(t, COUNCIL.identity)),
    "countersignature": _signed(TRUST, labels.TYP_AGREEMENT, lambda t: verify_countersignature(t, AGREED)),
    "revocation": _signed(
        TRUST, labels.TYP_REVOCATION, lambda t: verify_revocation(t, AGREED, TRUST.identity)
    ),
    "prekey": _signed(TRUST, labels.TYP_PREKEY, lambda t: verify_prekey(t, TRUST.identity, NOW)),
    "refusal": _signed(TRUST, labels.TYP_REFUSAL, refusal),
    "certificate": _signed(COUNCIL, labels.TYP_CERTIFICATE, certificate),
    "log key": _signed(COUNCIL, labels.TYP_LOG_KEY, lambda t: verify_log_key(t, COUNCIL.identity)),
    "witness key": _signed(TRUST, labels.TYP_WITNESS_KEY, lambda t: verify_witness_key(t, TRUST.identity)),
    "alarm": _signed(TRUST, labels.TYP_ALARM, lambda t: verify_alarm(t, TRUST.identity)),
    "identity": identity_of,
}


def _payloads():
    revocation = Revocation(
        number=AGREED.number, agreement_digest=AGREED.digest, by=TRUST.identity.digest.hex(), revoked_at=NOW
    )
    alarm = AlarmNotice(partner="trust", reason=Reason.SMALLER, seen="a\n", shown="b\n", shown_key="", at=NOW)
    yield "proposal", propose(AGREED, _raw)
    yield "countersignature", propose(AGREED, _raw)
    yield "revocation", revoke(revocation, _raw)
    yield "prekey", make_prekey("k1", bytes(32), "trust", NOW + timedelta(days=1), _raw)
    yield "refusal", make_refusal(EXCHANGE, DIGEST, RefusalCode.DECLINED, NOW, _raw)
    yield (
        "certificate",
        make_certificate(
            COUNCIL.identity,
            TRUST.identity,
            _raw,
            exchange=EXCHANGE,
            request_digest=DIGEST,
            clock=RetentionClock.RESULTS,
            destroyed_at=NOW,
            log_entry=7,
            key_backup_days=30,
        ),
    )
    yield "log key", LogKey(council="council", vkey=signer().verifier.vkey, follows=("a\n",)).payload.decode()
    yield "witness key", WitnessKey(partner="trust", vkey=WITNESS.verifier.vkey).payload.decode()
    yield "alarm", alarm.payload.decode()
    yield "identity", json.dumps(TRUST.identity.to_json())
    yield "token", TRUST.sign(b"{}", labels.TYP_PREKEY)


SEEDS = [(way, text.encode()) for way, text in _payloads()]
