"""Opening a request: a named error for each defect, before anything inside is parsed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from bundle_world import (
    COUNCIL,
    EXCHANGE,
    NONCE,
    NOW,
    OTHER_EXCHANGE,
    POLICY,
    STRANGER,
    TRUST,
    Inbox,
    agreement,
    answer,
    header,
    parts,
    request,
    resign,
    secret_of,
    table,
)

from gateway.bundle import errors
from gateway.bundle.format import OVERHEAD, bundle_digest, encrypt
from gateway.bundle.jws import MAX_JWS
from gateway.bundle.open import CLOCK_SKEW, RequestLimits, read_own_request
from gateway.bundle.seal import seal_request
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import Granularity
from gateway.domain.labels import ANSWER_AAD, REQUEST_AAD, TYP_ANSWER
from gateway.linkage.scheme import V1
from gateway.linkage.secret import answer_key, request_key

GARBAGE = bytes(range(200)) + bytes(100)
"""A ciphertext that does not open: whoever gets as far as it fails with another error than the one wanted."""


def spoilt(**changes: object) -> bytes:
    """A signed manifest with `changes`, over garbage of the right digest and length."""
    return resign(request(), ciphertext=GARBAGE, **changes)


def test_a_request_opens() -> None:
    """The partner reads manifest, table, secret and digest of exactly what the council sealed."""
    data = request()
    opened = Inbox().open(data)
    assert opened.table.equals(table())
    assert opened.manifest.fields.items() >= header().fields.items()
    assert opened.secret == secret_of(header())
    assert opened.digest == bundle_digest(data)
    assert opened.manifest == read_own_request(data, COUNCIL.identity)


def test_household_handles_stay_behind_where_the_answer_is_by_person() -> None:
    """For person granularity the table has match keys alone, and one unit a slot."""
    terms = agreement(policy=POLICY | {"granularity": "person-indicators"})
    data = request(granularity=Granularity.PERSON_INDICATORS, agreement_digest=terms.digest)
    opened = Inbox(agreements=(terms,)).open(data)
    assert opened.table.columns == list(V1.labels)
    assert opened.manifest.units == opened.manifest.slots == 5


def test_no_secret_stands_in_a_repr() -> None:
    """Neither the secret nor a token of an opened request reaches a repr."""
    assert "secret" not in repr(Inbox().open(request()))
    assert "table" not in repr(Inbox().open(request()))


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"noise", b"a.b.c\n", bytes(2 * MAX_JWS), b"A" * MAX_JWS + b"\n"]
)
def test_noise_is_malformed(data: bytes) -> None:
    """Bytes that are no bundle are refused by name."""
    with pytest.raises((errors.MalformedError, errors.OversizeError)):
        Inbox().open(data)


def test_oversize_is_refused_by_length_alone() -> None:
    """More bytes than the recipient accepts are refused before the manifest is looked for."""
    limits = RequestLimits(ciphertext_bytes=1000)
    with pytest.raises(errors.OversizeError):
        Inbox().open(bytes(MAX_JWS + 1002), limits=limits)
    with pytest.raises(errors.MalformedError):
        Inbox().open(bytes(MAX_JWS + 1001), limits=limits)


def test_an_altered_manifest_fails_its_signature() -> None:
    """One changed letter of the payload is a wrong signature, found before it is parsed."""
    data = bytearray(request())
    data[data.index(b".") + 20] ^= 1
    with pytest.raises((errors.WrongSignatureError, errors.MalformedError)):
        Inbox().open(bytes(data))


def test_a_stranger_is_a_wrong_signature() -> None:
    """A manifest signed by any key but the pinned one is refused, though it names the right parties."""
    with pytest.raises(errors.WrongSignatureError):
        Inbox().open(resign(request(), by=STRANGER))


def test_an_answer_is_no_request() -> None:
    """A bundle of the other direction is refused as such, signed by whoever."""
    data = request()
    with pytest.raises(errors.WrongDirectionError):
        Inbox().open(resign(data, typ=TYP_ANSWER))
    with pytest.raises(errors.WrongDirectionError):
        Inbox().open(answer(data))


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"slots": None},
        {"slots": "5"},
        {"slots": 5.5},
        {"slots": -1},
        {"type": "flagstone/request/v2"},
        {"granularity": "everything"},
        {"exchange": "11111111222243338444555555555555"},
        {"issued_at": "2026-11-22 09:59:00Z"},
        {"one_time": "AAAA"},
        {"confirmation": "not base64"},
        {"plaintext_bytes": 2**40},
    ],
)
def test_a_manifest_is_parsed_strictly(change: dict[str, object]) -> None:
    """Unknown, missing and mistyped fields, and other spellings of right ones, are malformed."""
    with pytest.raises(errors.MalformedError):
        Inbox().open(spoilt(**change))


@pytest.mark.parametrize(
    ("data", "inbox"),
    [
        (spoilt(sender=STRANGER.identity.digest.hex()), Inbox()),
        (spoilt(recipient=STRANGER.identity.digest.hex()), Inbox()),
        (spoilt(), Inbox(recipient=STRANGER.identity)),
        (spoilt(), Inbox(sender=replace(COUNCIL.identity, exchange=bytes(32)))),
    ],
)
def test_other_keys_than_the_pinned_are_a_wrong_key(data: bytes, inbox: Inbox) -> None:
    """Both identities, with every key in them, must be the ones that were compared by fingerprint."""
    with pytest.raises(errors.WrongKeyError, match="fingerprints"):
        inbox.open(data)


def test_another_exchange_is_refused() -> None:
    """A request fetched under one exchange id may not be about another."""
    with pytest.raises(errors.WrongExchangeError):
        Inbox(exchange=OTHER_EXCHANGE).open(spoilt())
    with pytest.raises(errors.WrongExchangeError):
        Inbox().open(spoilt(exchange=str(OTHER_EXCHANGE)))


def test_time_is_checked_with_a_hint_at_the_clock() -> None:
    """Future and past manifests are refused, each saying that a clock may be wrong."""
    with pytest.raises(errors.NotYetValidError, match="clock"):
        Inbox(now=header().issued_at - CLOCK_SKEW - timedelta(seconds=1)).open(spoilt())
    with pytest.raises(errors.ExpiredError, match="clock"):
        Inbox(now=header().expires_at).open(spoilt())


def test_a_small_skew_of_clocks_is_forgiven() -> None:
    """A manifest from at most two minutes ahead opens."""
    assert Inbox(now=header().issued_at - CLOCK_SKEW).open(request()).manifest.exchange == EXCHANGE


def test_an_exchange_is_accepted_once() -> None:
    """An exchange id that was accepted before is a replay, even in other bytes."""
    for data in (request(), spoilt()):
        with pytest.raises(errors.ReplayError):
            Inbox(seen=frozenset({str(EXCHANGE)})).open(data)


@pytest.mark.parametrize(
    "terms",
    [
        (),
        (agreement(number="A-2026-2"),),
        (agreement(dpia="another"),),
        (agreement(partner=STRANGER.identity),),
    ],
)
def test_only_an_agreement_that_was_countersigned_counts(terms: tuple) -> None:
    """The number and the digest of the very document must be known here."""
    with pytest.raises(errors.WrongAgreementError):
        Inbox(agreements=terms).open(spoilt())


@pytest.mark.parametrize(
    "terms",
    [
        agreement(partner=STRANGER.identity),
        agreement(council=STRANGER.identity),
        agreement(valid_from=date(2026, 11, 23)),
        agreement(valid_to=date(2026, 11, 21)),
        agreement(dataset="police-force"),
        agreement(scheme="v2"),
        agreement(policy=POLICY | {"purposes": ["results-claim"]}),
        agreement(policy=POLICY | {"frameworks": []}),
        agreement(policy=POLICY | {"identifiers": ["forename", "surname"]}),
        agreement(policy=POLICY | {"granularity": "household-any"}),
        agreement(policy=POLICY | {"release": "partner-approves"}),
        agreement(policy=POLICY | {"release": "two-approve"}),
        agreement(policy=POLICY | {"expected_overlap_permille": 849}),
        agreement(policy=POLICY | {"max_people": 4}),
        agreement(policy=POLICY | {"min_people": 6}),
        agreement(policy=POLICY | {"max_households": 2}),
        agreement(policy=POLICY | {"min_households": 4}),
        agreement(policy={}),
    ],
)
def test_a_request_keeps_to_its_agreement(terms) -> None:
    """Parties, dates, dataset, scheme and each limit of the policy are the agreed ones."""
    with pytest.raises((errors.WrongAgreementError, errors.UnknownFlagError)):
        Inbox(agreements=(terms,)).open(spoilt(agreement_digest=terms.digest))


def test_the_last_day_of_an_agreement_is_a_london_day() -> None:
    """In summer an agreement ends at midnight of British time, an hour before UTC's."""
    terms = agreement(valid_to=date(2026, 6, 30))
    first = NOW.replace(month=6, day=29)
    data = request(agreement_digest=terms.digest, issued_at=first, expires_at=first + timedelta(days=7))
    before, after = (NOW.replace(month=6, day=30, hour=hour, minute=30) for hour in (22, 23))
    assert Inbox(agreements=(terms,), now=before).open(data).manifest.exchange == EXCHANGE
    with pytest.raises(errors.WrongAgreementError):
        Inbox(agreements=(terms,), now=after).open(data)


def test_indicators_that_were_not_agreed_are_unknown_flags() -> None:
    """A request can't ask for more than the agreement names."""
    with pytest.raises(errors.UnknownFlagError):
        Inbox().open(spoilt(indicators=["crime.proven_offence_12m"]))


def test_an_unknown_scheme_is_refused_by_name() -> None:
    """A version that this installation does not have is said to be that."""
    terms = agreement(scheme="v9")
    with pytest.raises(errors.UnknownSchemeError, match="release"):
        Inbox(agreements=(terms,)).open(spoilt(scheme="v9", agreement_digest=terms.digest))


def test_more_people_than_the_agent_accepts_are_refused() -> None:
    """The agent's own limit holds, whatever was agreed."""
    with pytest.raises(errors.OversizeError, match="more people"):
        Inbox().open(spoilt(), limits=RequestLimits(slots=4))


@pytest.mark.parametrize(
    "data",
    [
        request() + b"\0",
        request()[:-1],
        resign(request(), plaintext_bytes=10),
        resign(request(), ciphertext_bytes=10),
        resign(request(), ciphertext=bytes(OVERHEAD), plaintext_bytes=1),
    ],
)
def test_the_ciphertext_has_the_stated_length(data: bytes) -> None:
    """Appended, truncated or misstated bytes are a wrong length."""
    with pytest.raises(errors.WrongLengthError):
        Inbox().open(data)


def test_the_ciphertext_is_the_signed_one() -> None:
    """A replaced ciphertext of the same length is a wrong digest, not a failed decryption."""
    data = request()
    with pytest.raises(errors.WrongDigestError):
        Inbox().open(data[:-1] + bytes([data[-1] ^ 1]))


def test_different_secrets_are_a_wrong_confirmation() -> None:
    """An agent that derives another secret is told so, and decrypts nothing."""
    with pytest.raises(errors.WrongConfirmationError):
        Inbox(secret=bytes(32)).open(request())


@pytest.mark.parametrize(
    "ciphertext",
    [
        GARBAGE,
        encrypt(request_key(secret_of(header())), b"x", REQUEST_AAD, OTHER_EXCHANGE, NONCE),
        encrypt(request_key(secret_of(header())), b"x", ANSWER_AAD, EXCHANGE, NONCE),
        encrypt(answer_key(secret_of(header())), b"x", REQUEST_AAD, EXCHANGE, NONCE),
    ],
)
def test_a_ciphertext_opens_for_its_exchange_and_direction_alone(ciphertext: bytes) -> None:
    """Another exchange's, the other direction's or another key's ciphertext does not open."""
    with pytest.raises(errors.DecryptionError):
        Inbox().open(resign(request(), ciphertext=ciphertext))


LATE = {"issued_at": "2027-01-01T00:00:00Z", "expires_at": "2027-01-02T00:00:00Z"}

STEPS: list[tuple[type[VerificationError], Callable[[], object]]] = [
    (errors.WrongAlgorithmError, lambda: Inbox().open(_other_algorithm(spoilt(**LATE)))),
    (errors.WrongDirectionError, lambda: Inbox().open(resign(spoilt(extra=1), typ=TYP_ANSWER, by=STRANGER))),
    (errors.WrongSignatureError, lambda: Inbox().open(resign(spoilt(extra=1), by=STRANGER))),
    (errors.MalformedError, lambda: Inbox().open(spoilt(extra=1, sender="00" * 32))),
    (errors.WrongKeyError, lambda: Inbox(exchange=OTHER_EXCHANGE).open(spoilt(sender="00" * 32))),
    (errors.WrongExchangeError, lambda: Inbox().open(spoilt(exchange=str(OTHER_EXCHANGE), **LATE))),
    (errors.NotYetValidError, lambda: Inbox(seen=frozenset({str(EXCHANGE)})).open(spoilt(**LATE))),
    (errors.ReplayError, lambda: Inbox(seen=frozenset({str(EXCHANGE)}), agreements=()).open(spoilt())),
    (errors.WrongAgreementError, lambda: Inbox(agreements=()).open(spoilt(scheme="v9"))),
    (errors.UnknownFlagError, lambda: Inbox().open(spoilt(indicators=["x"], ciphertext_bytes=1))),
    (errors.WrongLengthError, lambda: Inbox().open(spoilt(ciphertext_bytes=1, ciphertext_sha256="00" * 32))),
    (errors.WrongDigestError, lambda: Inbox(secret=bytes(32)).open(spoilt(ciphertext_sha256="00" * 32))),
    (errors.WrongConfirmationError, lambda: Inbox(secret=bytes(32)).open(spoilt())),
    (errors.DecryptionError, lambda: Inbox().open(spoilt())),
]


def _other_algorithm(data: bytes) -> bytes:
    jws, ciphertext = data.split(b"\n", 1)
    return b"eyJhbGciOiJub25lIn0." + jws.split(b".")[1] + b".\n" + ciphertext  # {"alg":"none"}


@pytest.mark.parametrize(("error", "attempt"), STEPS, ids=lambda step: getattr(step, "__name__", ""))
def test_the_first_defect_in_order_is_the_one_named(
    error: type[VerificationError], attempt: Callable[[], object]
) -> None:
    """Each bundle here has its own defect, a later one too, and garbage inside: only the first is named."""
    with pytest.raises(VerificationError) as caught:
        attempt()
    assert type(caught.value) is error


def test_no_two_errors_share_a_code() -> None:
    """Each named error has a machine-readable code of its own."""
    named = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len({kind.code for kind in named}) == len(named)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda t: t.drop("household"), errors.UnknownColumnError),
        (lambda t: t.drop(V1.labels[3]), errors.UnknownColumnError),
        (lambda t: t.cast({"household": pl.Int64}), errors.UnknownColumnError),
        (lambda t: t.head(4), errors.WrongLengthError),
        (lambda t: t.with_columns(household=pl.lit(0, pl.UInt32)), errors.MalformedError),
        (lambda t: t.with_columns(household=pl.col("household") + 1), errors.MalformedError),
        (lambda t: t.with_columns(pl.lit(b"short").alias(V1.labels[0])), errors.MalformedError),
    ],
)
def test_a_table_that_does_not_fit_is_not_sealed(
    change: Callable[[pl.DataFrame], pl.DataFrame], error: type[VerificationError]
) -> None:
    """The council's own mistake is found before anything leaves."""
    with pytest.raises(error):
        seal_request(header(), change(table()), secret=secret_of(header()), sign=COUNCIL.sign, nonce=NONCE)


def test_only_the_columns_of_the_scheme_travel() -> None:
    """A name that stands beside the tokens in the council's frame stays behind."""
    named = table().with_columns(forename=pl.lit("X"))
    made = header()
    data = seal_request(made, named, secret=secret_of(made), sign=COUNCIL.sign, nonce=NONCE)
    assert Inbox().open(data).table.columns == ["household", *V1.labels]


@pytest.mark.parametrize("nonce", [b"", bytes(11), bytes(16)])
def test_a_nonce_has_twelve_bytes(nonce: bytes) -> None:
    """Nothing is sealed under a nonce of another length."""
    with pytest.raises(VerificationError, match="nonce"):
        seal_request(header(), table(), secret=secret_of(header()), sign=COUNCIL.sign, nonce=nonce)


def test_the_manifest_binds_the_ciphertext() -> None:
    """Digest and lengths in the manifest are those of the ciphertext beside it."""
    manifest, ciphertext = parts(request())
    assert manifest["ciphertext_bytes"] == len(ciphertext) == manifest["plaintext_bytes"] + OVERHEAD


def test_the_trust_is_the_recipient() -> None:
    """The manifest names the two identities' digests."""
    manifest, _ = parts(request())
    assert manifest["sender"] == COUNCIL.identity.digest.hex()
    assert manifest["recipient"] == TRUST.identity.digest.hex()
