"""Opening an answer: nothing but known flags, in a length known beforehand (promise 4)."""

from datetime import timedelta

import polars as pl
import pytest
from bundle_world import (
    COUNCIL,
    INDICATORS,
    NONCE,
    NOW,
    OTHER_EXCHANGE,
    POLICY,
    STRANGER,
    TRUST,
    agreement,
    answer,
    attestation,
    flags,
    header,
    read_answer,
    request,
    resign,
    secret_of,
    with_bitmap,
)

from gateway.bundle import errors
from gateway.bundle.format import OVERHEAD, bundle_digest, encrypt
from gateway.bundle.jws import MAX_JWS
from gateway.bundle.open import CLOCK_SKEW, read_own_request
from gateway.bundle.seal import answer_header, seal_answer
from gateway.bundle.tables import ANY, bitmap_bytes, pack, unpack
from gateway.domain.errors import VerificationError
from gateway.domain.exchange import Granularity
from gateway.domain.labels import ANSWER_AAD, TYP_ANSWER, TYP_REQUEST
from gateway.linkage.secret import answer_key, request_key

ASKED = request()
BITMAP = pack(flags(), INDICATORS, 3)


def spoilt(**changes: object) -> bytes:
    """A signed manifest with `changes`, over garbage of the right digest and length."""
    return resign(answer(ASKED), typ=TYP_ANSWER, by=TRUST, ciphertext=bytes(OVERHEAD + 2), **changes)


def test_an_answer_opens() -> None:
    """The council reads exactly the flags that the partner sealed."""
    data = answer(ASKED)
    opened = read_answer(data, ASKED)
    assert opened.flags.equals(flags())
    assert opened.digest == bundle_digest(data)
    assert opened.manifest.attestation == attestation()
    assert "flags" not in repr(opened)


@pytest.mark.parametrize("granularity", list(Granularity))
def test_every_granularity_has_its_own_fixed_length(granularity: Granularity) -> None:
    """One bit a household, one a household and indicator, or one a slot and indicator: always the same."""
    terms = agreement(policy=POLICY | {"granularity": granularity.value})
    asked = request(granularity=granularity, agreement_digest=terms.digest)
    columns = (ANY,) if granularity is Granularity.HOUSEHOLD_ANY else INDICATORS
    units = 5 if granularity is Granularity.PERSON_INDICATORS else 3
    opened = read_answer(answer(asked), asked)
    assert opened.flags.equals(flags(units, columns))
    assert opened.manifest.plaintext_bytes == bitmap_bytes(units, len(columns))


def test_the_answers_length_says_nothing_of_its_flags() -> None:
    """No flag, all flags: ciphertexts of one length."""
    asked = read_own_request(ASKED, COUNCIL.identity)
    made = answer_header(
        asked,
        request_digest=bundle_digest(ASKED),
        attestation=attestation(),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    lengths = {
        len(seal_answer(made, _all(flag), secret=secret_of(asked), sign=TRUST.sign, nonce=NONCE))
        for flag in (True, False)
    }
    assert len(lengths) == 1


def _all(flag: bool) -> pl.DataFrame:
    return flags().with_columns(pl.lit(flag).alias(name) for name in INDICATORS)


def test_oversize_is_refused_by_length_alone() -> None:
    """An answer longer than a manifest and the bitmap could be is not looked at."""
    with pytest.raises(errors.OversizeError):
        read_answer(bytes(MAX_JWS + 1 + OVERHEAD + 3), ASKED)
    with pytest.raises(errors.MalformedError):
        read_answer(bytes(MAX_JWS + 1 + OVERHEAD + 2), ASKED)


def test_a_wrong_algorithm_is_refused() -> None:
    """An unsigned answer (`alg: none`) is refused as such."""
    jws, ciphertext = answer(ASKED).split(b"\n", 1)
    with pytest.raises(errors.WrongAlgorithmError):
        read_answer(b"eyJhbGciOiJub25lIn0." + jws.split(b".")[1] + b".\n" + ciphertext, ASKED)


@pytest.mark.parametrize(
    ("data", "changes", "error"),
    [
        (resign(spoilt(), typ=TYP_ANSWER, by=STRANGER), {}, errors.WrongSignatureError),
        (spoilt(), {"sender": STRANGER.identity}, errors.WrongSignatureError),
        (resign(spoilt(), typ=TYP_REQUEST, by=TRUST), {}, errors.WrongDirectionError),
        (ASKED, {}, errors.WrongDirectionError),
        (resign(ASKED, ciphertext=bytes(OVERHEAD + 2)), {}, errors.WrongDirectionError),
        (spoilt(extra=1), {}, errors.MalformedError),
        (spoilt(units=None), {}, errors.MalformedError),
        (spoilt(attestation={"self_test": "ab" * 32}), {}, errors.MalformedError),
        (spoilt(sender=STRANGER.identity.digest.hex()), {}, errors.WrongKeyError),
        (spoilt(recipient=STRANGER.identity.digest.hex()), {}, errors.WrongKeyError),
        (spoilt(exchange=str(OTHER_EXCHANGE)), {}, errors.WrongExchangeError),
        (spoilt(request_digest="00" * 32), {}, errors.WrongRequestError),
        (spoilt(), {"request_digest": bytes(32)}, errors.WrongRequestError),
        (spoilt(), {"now": NOW - CLOCK_SKEW - timedelta(seconds=1)}, errors.NotYetValidError),
        (spoilt(), {"now": NOW + timedelta(days=1)}, errors.ExpiredError),
        (spoilt(indicators=[*INDICATORS, "x"]), {}, errors.UnknownFlagError),
        (spoilt(indicators=list(INDICATORS[:2])), {}, errors.UnknownFlagError),
        (spoilt(indicators=list(reversed(INDICATORS))), {}, errors.UnknownFlagError),
        (spoilt(units=4), {}, errors.UnknownFlagError),
        (spoilt(granularity="household-any"), {}, errors.UnknownFlagError),
        (spoilt(agreement_digest="00" * 32), {}, errors.WrongAgreementError),
        (spoilt(scheme="v2"), {}, errors.WrongAgreementError),
        (spoilt(ciphertext_bytes=29), {}, errors.WrongLengthError),
        (spoilt(plaintext_bytes=3), {}, errors.WrongLengthError),
        (answer(ASKED)[:-1], {}, errors.WrongLengthError),
        (spoilt(ciphertext_sha256="00" * 32), {}, errors.WrongDigestError),
        (spoilt(), {}, errors.DecryptionError),
        (answer(ASKED), {"secret": bytes(32)}, errors.DecryptionError),
    ],
)
def test_each_defect_has_its_name(data: bytes, changes: dict, error: type[VerificationError]) -> None:
    """Every defect of an otherwise signed answer is refused by its own error, garbage inside unread."""
    with pytest.raises(VerificationError) as caught:
        read_answer(data, ASKED, **changes)
    assert type(caught.value) is error


@pytest.mark.parametrize("column", ["shoe_size", "line", "person_id"])
def test_only_columns_that_linkage_knows_are_attested(column: str) -> None:
    """An attestation can carry no column of the register's own."""
    attested = attestation(register_complete={"surname": 1000, column: 1})
    with pytest.raises(errors.UnknownColumnError):
        read_answer(answer(ASKED, attested), ASKED)


def test_a_failed_self_test_is_an_error() -> None:
    """An answer whose tokens were made otherwise than ours is never read as "no flag"."""
    with pytest.raises(errors.FailedSelfTestError):
        read_answer(answer(ASKED, attestation(self_test="00" * 32)), ASKED)


@pytest.mark.parametrize("bitmap", [BITMAP + b"\0", BITMAP[:-1], b"", BITMAP * 50])
def test_a_bitmap_of_another_length_is_refused(bitmap: bytes) -> None:
    """One byte too long, too short, empty or much longer: refused, though truly sealed and signed."""
    with pytest.raises((errors.WrongLengthError, errors.OversizeError, errors.MalformedError)):
        read_answer(with_bitmap(ASKED, bitmap), ASKED)


def test_the_stated_length_does_not_count() -> None:
    """A manifest that states the expected length over a longer bitmap is refused too."""
    with pytest.raises(VerificationError):
        read_answer(with_bitmap(ASKED, BITMAP + b"\0", plaintext_bytes=2, ciphertext_bytes=30), ASKED)


@pytest.mark.parametrize("bit", range(7))
def test_padding_carries_nothing(bit: int) -> None:
    """Each bit after the last flag must be zero (nine flags leave seven)."""
    padded = bytes([BITMAP[0], BITMAP[1] | 1 << bit])
    with pytest.raises(errors.MalformedError, match="padding"):
        read_answer(with_bitmap(ASKED, padded), ASKED)


def test_an_answer_to_another_request_does_not_open() -> None:
    """The answer to an earlier request of the same exchange is refused by its request digest."""
    earlier = request(expires_at=NOW + timedelta(days=2))
    with pytest.raises(errors.WrongRequestError):
        read_answer(answer(earlier), ASKED)


@pytest.mark.parametrize(
    ("label", "key"),
    [(b"flagstone/v1/request/", answer_key), (ANSWER_AAD, request_key), (b"", answer_key)],
)
def test_direction_is_bound_by_key_and_label(label: bytes, key) -> None:
    """A bitmap under the request's key or label does not open as an answer."""
    asked = read_own_request(ASKED, COUNCIL.identity)
    sealed = encrypt(key(secret_of(asked)), BITMAP, label, asked.exchange, NONCE)
    with pytest.raises(errors.DecryptionError):
        read_answer(resign(answer(ASKED), typ=TYP_ANSWER, by=TRUST, ciphertext=sealed), ASKED)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (flags().drop(INDICATORS[0]), errors.UnknownFlagError),
        (flags().select(reversed(INDICATORS)), errors.UnknownFlagError),
        (flags().cast({INDICATORS[0]: pl.Int8}), errors.UnknownFlagError),
        (flags().with_columns(pl.lit(None, pl.Boolean).alias(INDICATORS[1])), errors.UnknownFlagError),
        (flags().head(2), errors.WrongLengthError),
    ],
)
def test_flags_that_do_not_fit_are_not_sealed(frame: pl.DataFrame, error: type[VerificationError]) -> None:
    """Columns, types and rows of the flags are the ones asked for; a flag is never null."""
    with pytest.raises(error):
        pack(frame, INDICATORS, 3)


def test_bits_stand_row_by_row_from_the_left() -> None:
    """The first unit's first flag is the highest bit of the first byte; flags follow unit by unit."""
    frame = pl.DataFrame({"a": [True, False, False], "b": [False, False, True], "c": [False, True, True]})
    assert pack(frame, ("a", "b", "c"), 3) == bytes([0b10000101, 0b10000000])
    assert unpack(bytes([0b10000101, 0b10000000]), ("a", "b", "c"), 3).equals(frame)


def test_a_header_belongs_to_its_request() -> None:
    """The answer's parties are the request's, turned round."""
    asked = read_own_request(ASKED, COUNCIL.identity)
    opened = read_answer(answer(ASKED), ASKED).manifest
    assert (opened.sender, opened.recipient) == (asked.recipient, asked.sender)
    assert opened.units == header().households
