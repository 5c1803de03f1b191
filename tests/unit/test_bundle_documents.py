"""Agreements, revocations, prekeys and refusals as signed documents."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from bundle_world import (
    COUNCIL,
    EXCHANGE,
    NOW,
    OTHER_EXCHANGE,
    POLICY,
    STRANGER,
    TRUST,
    Party,
    agreement,
    header,
)
from pydantic import ValidationError

from gateway.bundle.agreement import (
    AgreementDocument,
    Revocation,
    countersign,
    propose,
    revoke,
    verify_countersignature,
    verify_proposal,
    verify_revocation,
)
from gateway.bundle.documents import canonical
from gateway.bundle.errors import (
    ExpiredError,
    MalformedError,
    WrongAgreementError,
    WrongExchangeError,
    WrongKeyError,
    WrongRequestError,
    WrongSignatureError,
    WrongTypeError,
)
from gateway.bundle.prekey import make_prekey, verify_prekey
from gateway.bundle.refusal import RefusalCode, make_refusal, verify_refusal
from gateway.domain.labels import TYP_AGREEMENT

LATER = NOW + timedelta(days=7)
DIGEST = "ef" * 32


def test_both_signatures_stand_over_the_same_document() -> None:
    """The partner countersigns the very bytes that the council proposed."""
    document = agreement()
    read = verify_proposal(propose(document, COUNCIL.sign), COUNCIL.identity)
    assert read == document
    assert read.digest == document.digest
    verify_countersignature(countersign(read, TRUST.sign), document)


def test_a_proposal_by_a_stranger_is_refused() -> None:
    """Only the pinned council's key proposes."""
    with pytest.raises(WrongSignatureError):
        verify_proposal(propose(agreement(), STRANGER.sign), COUNCIL.identity)


def test_a_proposal_in_anothers_name_is_refused() -> None:
    """Who signs is who is named: a council can't propose as another one."""
    with pytest.raises(WrongKeyError):
        verify_proposal(propose(agreement(), STRANGER.sign), STRANGER.identity)


def test_a_countersignature_over_other_terms_is_refused() -> None:
    """A partner's signature on one agreement doesn't bring another into force."""
    signed = countersign(agreement(number="A-2026-2"), TRUST.sign)
    with pytest.raises(WrongAgreementError):
        verify_countersignature(signed, agreement())


def test_the_council_cannot_countersign_for_the_partner() -> None:
    """The countersignature is the partner's own."""
    with pytest.raises(WrongSignatureError):
        verify_countersignature(countersign(agreement(), COUNCIL.sign), agreement())


@pytest.mark.parametrize(
    "change",
    [
        {"valid_to": date(2025, 12, 31)},
        {"partner": COUNCIL.identity},
        {"policy_digest": DIGEST},
        {"policy": POLICY | {"share": 0.5}},
        {"policy": POLICY | {"big": 2**53}},
        {"policy": POLICY | {"ü": 1}},
        {"policy": POLICY | {"title": "\ud800"}},
        {"number": "../../etc"},
        {"scheme": "v1/../v2"},
        {"dpia": "a\nb"},
        {"dpia": ""},
    ],
)
def test_an_agreement_cannot_hold_nonsense(change: dict[str, object]) -> None:
    """Dates in order, two parties, a policy of the stated digest in plain JSON, ids fit for file names."""
    with pytest.raises((ValidationError, ValueError)):
        agreement(**change)


def test_a_damaged_identity_inside_is_malformed() -> None:
    """An identity that doesn't parse makes the agreement malformed, not an unexpected error."""
    document = json.loads(agreement().payload)
    document["partner"]["signing"] = "AAAA"
    with pytest.raises(MalformedError, match="partner"):
        AgreementDocument.parse(canonical(document))


@pytest.mark.parametrize("party", [COUNCIL, TRUST])
def test_either_side_revokes(party: Party) -> None:
    """Council and partner each may end the agreement, by their own signature."""
    token = revoke(_revocation(party), party.sign)
    assert verify_revocation(token, agreement(), party.identity).revoked_at == NOW


def test_nobody_else_revokes() -> None:
    """A stranger, and one side in the other's name, are refused."""
    with pytest.raises(WrongKeyError, match="party"):
        verify_revocation(revoke(_revocation(STRANGER), STRANGER.sign), agreement(), STRANGER.identity)
    with pytest.raises(WrongKeyError, match="another signer"):
        verify_revocation(revoke(_revocation(COUNCIL), TRUST.sign), agreement(), TRUST.identity)


def test_a_revocation_ends_one_agreement_alone() -> None:
    """It names number and digest; another agreement stays."""
    token = revoke(_revocation(TRUST), TRUST.sign)
    with pytest.raises(WrongAgreementError):
        verify_revocation(token, agreement(number="A-2026-2"), TRUST.identity)


def _revocation(by: Party) -> Revocation:
    document = agreement()
    return Revocation(
        number=document.number, agreement_digest=document.digest, by=by.identity.digest.hex(), revoked_at=NOW
    )


def test_a_prekey_comes_back() -> None:
    """Id, public key and expiry of a signed prekey survive the way, to the second."""
    token = make_prekey("k-1", b"\x07" * 32, "trust", LATER + timedelta(microseconds=5), TRUST.sign)
    prekey = verify_prekey(token, TRUST.identity, NOW)
    assert (prekey.id, prekey.public, prekey.expires_at) == ("k-1", b"\x07" * 32, LATER)


@pytest.mark.parametrize(
    ("by", "named", "now", "error"),
    [
        (STRANGER, "trust", NOW, WrongSignatureError),
        (TRUST, "council", NOW, WrongKeyError),
        (TRUST, "trust", LATER, ExpiredError),
    ],
)
def test_a_bad_prekey_is_refused(by: Party, named: str, now: datetime, error: type[Exception]) -> None:
    """Signed by the pinned partner, in its own name, in time: else it is refused by name."""
    with pytest.raises(error):
        verify_prekey(make_prekey("k-1", bytes(32), named, LATER, by.sign), TRUST.identity, now)


def test_a_prekey_is_no_agreement() -> None:
    """One kind of document never passes as another, though the same key signed it."""
    token = make_prekey("k-1", bytes(32), "trust", LATER, TRUST.sign)
    with pytest.raises(WrongTypeError):
        AgreementDocument.verify(token, TYP_AGREEMENT, TRUST.identity)


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_comes_back(code: RefusalCode) -> None:
    """Each code survives signing and verifying."""
    token = make_refusal(EXCHANGE, DIGEST, code, NOW, TRUST.sign)
    assert verify_refusal(token, TRUST.identity, exchange=EXCHANGE, request_digest=DIGEST).code is code


def test_a_refusal_of_something_else_is_refused() -> None:
    """It counts for one exchange and one request, from the partner that was asked."""
    token = make_refusal(EXCHANGE, DIGEST, RefusalCode.DECLINED, NOW, TRUST.sign)
    with pytest.raises(WrongExchangeError):
        verify_refusal(token, TRUST.identity, exchange=OTHER_EXCHANGE, request_digest=DIGEST)
    with pytest.raises(WrongRequestError):
        verify_refusal(token, TRUST.identity, exchange=EXCHANGE, request_digest="00" * 32)
    with pytest.raises(WrongSignatureError):
        verify_refusal(token, STRANGER.identity, exchange=EXCHANGE, request_digest=DIGEST)


def test_only_the_canonical_bytes_are_a_document() -> None:
    """Spaces, another order, a key twice or an escaped letter: valid JSON, and refused."""
    good = agreement().payload
    assert AgreementDocument.parse(good) == agreement()
    pretty = json.dumps(json.loads(good), sort_keys=True).encode()
    reverse = json.dumps(dict(reversed(json.loads(good).items())), separators=(",", ":")).encode()
    twice = good[:-1] + b',"number":"A-2026-1"}'
    escaped = good.replace(b'"APD 3"', b'"\\u0041PD 3"')
    for other in (pretty, reverse, twice, escaped, good + b"\n", b"\xef\xbb\xbf" + good):
        with pytest.raises(MalformedError):
            AgreementDocument.parse(other)


@pytest.mark.parametrize(
    "noise", [b"", b"null", b"[]", b"[" * 10_000, b"{" * 10_000, b"\xff", b'{"a":1e999}']
)
def test_noise_is_malformed(noise: bytes) -> None:
    """Bytes that are no document are refused by name, whatever they are."""
    with pytest.raises(MalformedError):
        AgreementDocument.parse(noise)


def test_no_error_or_repr_repeats_a_value() -> None:
    """What a sender wrote, unknown field names included, never reaches an error text; nor does a repr."""
    document = json.loads(agreement().payload) | {"SECRETNAME": "SECRETVALUE", "number": "SECRET VALUE"}
    with pytest.raises(MalformedError) as caught:
        AgreementDocument.parse(canonical(document))
    assert "SECRET" not in str(caught.value)
    assert "number" in str(caught.value)
    assert repr(agreement()) == str(agreement()) == "AgreementDocument()"


def test_times_are_whole_seconds_of_utc() -> None:
    """Any aware time is kept as the second of UTC that it lies in; a naive one is refused."""
    summer = datetime(2026, 11, 22, 11, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert header(issued_at=summer).issued_at == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    with pytest.raises(ValidationError, match="time zone"):
        header(issued_at=datetime(2026, 11, 22, 10, 0))  # noqa: DTZ001


@pytest.mark.parametrize(
    "change",
    [
        {"households": 6},
        {"slots": 0},
        {"slots": 1_000_001},
        {"indicators": ()},
        {"indicators": ("a.b", "a.b")},
        {"identifiers": ("shoe_size",)},
        {"overlap_permille": 0},
        {"overlap_permille": True},
        {"one_time": bytes(31)},
        {"sender": "AB" * 32},
        {"expires_at": NOW - timedelta(days=1)},
    ],
)
def test_a_request_header_cannot_hold_nonsense(change: dict[str, object]) -> None:
    """Counts, codes, digests, keys and dates are checked when a header is made."""
    with pytest.raises(ValidationError):
        header(**change)
