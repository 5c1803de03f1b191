"""A council, a trust, an agreement and one exchange between them: what the tests of bundles start from."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.bundle.agreement import AgreementDocument
from gateway.bundle.documents import canonical
from gateway.bundle.format import OVERHEAD, bundle_digest, encrypt, join
from gateway.bundle.jws import sign_jws
from gateway.bundle.manifest import Attestation, RequestHeader, RequestManifest
from gateway.bundle.open import (
    Expected,
    OpenedAnswer,
    OpenedRequest,
    open_answer,
    open_request,
    read_own_request,
)
from gateway.bundle.seal import answer_header, seal_answer, seal_request
from gateway.bundle.tables import answer_columns
from gateway.domain.exchange import Granularity, Release
from gateway.domain.identity import Identity
from gateway.domain.labels import ANSWER_AAD, REQUEST_AAD, TYP_ANSWER, TYP_REQUEST
from gateway.linkage.scheme import V1
from gateway.linkage.secret import answer_key, exchange_secret, one_time_public, request_key, x25519

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EXCHANGE = UUID("11111111-2222-4333-8444-555555555555")
OTHER_EXCHANGE = UUID("99999999-2222-4333-8444-555555555555")
NONCE = bytes(12)
SELF_TEST = "ab" * 32
INDICATORS = ("health.adult_mental_health", "health.child_mental_health", "health.adult_substance")


class Party:
    """An organisation whose keys follow from its name, so that every run makes the same bytes."""

    def __init__(self, slug: str) -> None:
        seed = [hashlib.sha256(f"{slug}/{part}".encode()).digest() for part in ("sign", "exchange", "auth")]
        self.signing = Ed25519PrivateKey.from_private_bytes(seed[0])
        self.static = seed[1]
        auth = Ed25519PrivateKey.from_private_bytes(seed[2])
        self.identity = Identity(
            slug=slug,
            name=slug.title(),
            signing=self.signing.public_key().public_bytes_raw(),
            exchange=one_time_public(seed[1]),
            auth=auth.public_key().public_bytes_raw(),
        )

    def sign(self, payload: bytes, typ: str) -> str:
        return sign_jws(payload, typ, self.signing)


COUNCIL, TRUST, STRANGER = Party("council"), Party("trust"), Party("stranger")
ONE_TIME, PREKEY = b"\x01" * 32, b"\x02" * 32

POLICY: dict[str, Any] = {
    "purposes": ["identify"],
    "frameworks": ["local"],
    "indicators": list(INDICATORS),
    "identifiers": ["forename", "surname", "dob", "postcode", "nhs_number"],
    "granularity": "household-indicators",
    "release": "automatic",
    "expected_overlap_permille": 850,
    "min_people": 1,
    "max_people": 1000,
    "span": {"valid_from": "2015-04-01"},
    "min_households": 1,
    "max_households": 500,
}


def agreement(**changes: Any) -> AgreementDocument:
    policy = changes.pop("policy", POLICY)
    fields: dict[str, Any] = {
        "number": "A-2026-1",
        "council": COUNCIL.identity,
        "partner": TRUST.identity,
        "dataset": "health-trust",
        "policy": policy,
        "policy_digest": hashlib.sha256(canonical(policy)).hexdigest(),
        "scheme": "v1",
        "valid_from": date(2026, 1, 1),
        "valid_to": date(2026, 12, 31),
        "dpia": "DPIA 12",
        "appropriate_policy_document": "APD 3",
        "dpia_to": date(2027, 3, 31),
        "appropriate_policy_document_to": date(2027, 3, 31),
    }
    return AgreementDocument(**(fields | changes))


def header(**changes: Any) -> RequestHeader:
    fields: dict[str, Any] = {
        "exchange": EXCHANGE,
        "sender": COUNCIL.identity.digest.hex(),
        "recipient": TRUST.identity.digest.hex(),
        "agreement": "A-2026-1",
        "agreement_digest": agreement().digest,
        "dataset": "health-trust",
        "purpose": "identify",
        "framework": "local",
        "basis": ("UK GDPR Art. 6(1)(e)",),
        "scheme": "v1",
        "identifiers": ("forename", "surname", "dob"),
        "granularity": Granularity.HOUSEHOLD_INDICATORS,
        "indicators": INDICATORS,
        "households": 3,
        "slots": 5,
        "overlap_permille": 850,
        "release": Release.AUTOMATIC,
        "prekey": "prekey-1",
        "one_time": one_time_public(ONE_TIME),
        "policy_set": "cd" * 32,
        "issued_at": NOW - timedelta(minutes=1),
        "expires_at": NOW + timedelta(days=3),
    }
    return RequestHeader(**(fields | changes))


def secret_of(request: RequestHeader) -> bytes:
    """The council's side."""
    meet = x25519(ONE_TIME, one_time_public(PREKEY))
    return exchange_secret(meet, x25519(COUNCIL.static, TRUST.identity.exchange), request.secret_context)


def derive(manifest: RequestManifest) -> bytes:
    """The trust's side."""
    meet = x25519(PREKEY, manifest.one_time)
    return exchange_secret(meet, x25519(TRUST.static, COUNCIL.identity.exchange), manifest.secret_context)


def table(slots: int = 5, households: int = 3) -> pl.DataFrame:
    numbers = pl.Series("household", [slot % households for slot in range(slots)], dtype=pl.UInt32)
    tokens = [
        pl.Series(key.label, [_token(key.label, slot) for slot in range(slots)], dtype=pl.Binary)
        for key in V1.keys
    ]
    return pl.DataFrame([numbers, *tokens])


def _token(label: str, slot: int) -> bytes | None:
    return hashlib.sha256(f"{label}/{slot}".encode()).digest()[:16] if slot % 4 else None


def request(**changes: Any) -> bytes:
    made = header(**changes)
    tokens = table(made.slots, made.households)
    return seal_request(made, tokens, secret=secret_of(made), sign=COUNCIL.sign, nonce=NONCE)


@dataclass(frozen=True)
class Inbox:
    """How the trust opens a request; each field may be replaced to make one thing wrong."""

    exchange: UUID = EXCHANGE
    recipient: Identity = TRUST.identity
    sender: Identity = COUNCIL.identity
    agreements: tuple[AgreementDocument, ...] = field(default_factory=lambda: (agreement(),))
    seen: frozenset[str] = frozenset()
    now: datetime = NOW
    secret: bytes | None = None

    def open(self, data: bytes, **limits: Any) -> OpenedRequest:
        expected = Expected(self.exchange, self.recipient, {a.number: a for a in self.agreements}, **limits)
        fixed = self.secret
        return open_request(
            data,
            expect=expected,
            verify_with=self.sender,
            derive=derive if fixed is None else lambda _: fixed,
            seen=self.seen.__contains__,
            now=self.now,
        )


@cache
def flags(units: int = 3, columns: tuple[str, ...] = INDICATORS) -> pl.DataFrame:
    return pl.DataFrame(
        {name: [(unit + at) % 2 == 0 for unit in range(units)] for at, name in enumerate(columns)}
    )


def attestation(**changes: Any) -> Attestation:
    fields: dict[str, Any] = {
        "self_test": SELF_TEST,
        "register_date": date(2026, 11, 1),
        "register_complete": {"surname": 1000, "nhs_number": 912},
    }
    return Attestation(**(fields | changes))


def answer(to: bytes, attested: Attestation | None = None, **changes: Any) -> bytes:
    """The trust's answer to the request bundle `to`, with header fields replaced by `changes`."""
    asked = read_own_request(to, COUNCIL.identity)
    made = answer_header(
        asked,
        request_digest=bundle_digest(to),
        attestation=attested or attestation(),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
    ).model_copy(update=changes)
    columns = answer_columns(made.granularity, made.indicators)
    return seal_answer(
        made, flags(made.units, columns), secret=secret_of(asked), sign=TRUST.sign, nonce=NONCE
    )


def read_answer(data: bytes, to: bytes, **changes: Any) -> OpenedAnswer:
    asked = read_own_request(to, COUNCIL.identity)
    given: dict[str, Any] = {
        "request": asked,
        "request_digest": bundle_digest(to),
        "secret": secret_of(asked),
        "sender": TRUST.identity,
        "self_test": SELF_TEST,
        "now": NOW,
    }
    return open_answer(data, **(given | changes))


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A bundle's manifest as JSON, and its ciphertext."""
    jws, ciphertext = data.split(b"\n", 1)
    payload = jws.split(b".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + b"==")), ciphertext


def resign(
    data: bytes,
    *,
    typ: str = TYP_REQUEST,
    by: Party = COUNCIL,
    ciphertext: bytes | None = None,
    **changes: Any,
) -> bytes:
    """The bundle with its manifest changed and signed again: what a dishonest sender could make.

    A new ciphertext gets its true digest and length in the manifest unless `changes` says otherwise; a change
    to None drops the field.
    """
    manifest, old = parts(data)
    if ciphertext is not None:
        manifest |= {
            "ciphertext_sha256": hashlib.sha256(ciphertext).hexdigest(),
            "ciphertext_bytes": len(ciphertext),
            "plaintext_bytes": len(ciphertext) - OVERHEAD,
        }
    manifest = {name: value for name, value in (manifest | changes).items() if value is not None}
    return join(by.sign(canonical(manifest), typ), old if ciphertext is None else ciphertext)


def with_table(parquet: bytes, **changes: Any) -> bytes:
    """A request, all in order outside, with these bytes where the Parquet file should be."""
    made = header(**changes)
    ciphertext = encrypt(request_key(secret_of(made)), parquet, REQUEST_AAD, made.exchange, NONCE)
    return resign(request(**changes), ciphertext=ciphertext)


def with_bitmap(to: bytes, bitmap: bytes, **changes: Any) -> bytes:
    """An answer, all in order outside, with these bytes as its bitmap."""
    asked = read_own_request(to, COUNCIL.identity)
    ciphertext = encrypt(answer_key(secret_of(asked)), bitmap, ANSWER_AAD, asked.exchange, NONCE)
    return resign(answer(to), typ=TYP_ANSWER, by=TRUST, ciphertext=ciphertext, **changes)
