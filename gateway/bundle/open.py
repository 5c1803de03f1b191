"""Opening bundles: the one critical procedure. The checks are numbered; nothing inside is parsed before them.

Each step relies on those before it, so their order is part of the contract: what comes later is reached
only by bytes that the pinned sender signed for this exchange, once, in time.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import polars as pl

from gateway.bundle import errors
from gateway.bundle.agreement import AgreementDocument
from gateway.bundle.format import OVERHEAD, bundle_digest, decrypt, split
from gateway.bundle.jws import verify_jws
from gateway.bundle.manifest import AnswerManifest, RequestManifest
from gateway.bundle.tables import answer_columns, bitmap_bytes, read_table, request_columns, unpack
from gateway.bundle.terms import check_terms
from gateway.domain.errors import VerificationError
from gateway.domain.identity import Identity
from gateway.domain.labels import ANSWER_AAD, REQUEST_AAD, TYP_ANSWER, TYP_REQUEST
from gateway.domain.people import IDENTIFYING
from gateway.linkage.scheme import Scheme, scheme_of
from gateway.linkage.secret import answer_key, confirmation, request_key

CLOCK_SKEW: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a recipient is willing to hold in memory, whatever was agreed."""

    ciphertext_bytes: int = 128 * 1024 * 1024
    slots: int = 250_000


@dataclass(frozen=True, slots=True)
class Expected:
    """What a recipient knows before it opens a request.

    `exchange`: the id under which it was fetched; `recipient`: its own identity; `agreements`: by number,
    those that it countersigned itself and that are not revoked; `forebears`: as in `check_terms`.
    """

    exchange: UUID
    recipient: Identity
    agreements: Mapping[str, AgreementDocument]
    limits: RequestLimits = field(default_factory=RequestLimits)
    forebears: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class OpenedRequest:
    """`table`: row i is slot i (`tables.request_columns`); `digest`: SHA-256 of the bundle."""

    manifest: RequestManifest
    table: pl.DataFrame = field(repr=False)
    secret: bytes = field(repr=False)
    digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class OpenedAnswer:
    """`flags`: row i is unit i; Boolean columns as `tables.answer_columns`."""

    manifest: AnswerManifest
    flags: pl.DataFrame = field(repr=False)
    digest: bytes


def open_request(
    data: bytes,
    *,
    expect: Expected,
    verify_with: Identity,
    derive: Callable[[RequestManifest], bytes],
    seen: Callable[[str], bool],
    now: datetime,
) -> OpenedRequest:
    """Verify and open a request of the pinned council `verify_with`.

    `derive` gives the exchange secret from the one-time key and the prekey of a verified manifest; `seen`
    says whether an exchange id was accepted before.

    Raises:
        VerificationError: by name, the first check that fails.
    """
    # (1) length, before anything is looked at; (2) a manifest before the ciphertext
    jws, ciphertext = split(data, expect.limits.ciphertext_bytes)
    # (3) algorithm; (4) direction; (5) signature by the pinned key, over the received bytes
    payload = _verify(jws, TYP_REQUEST, verify_with)
    # (6) known fields only, in their one canonical form
    manifest = RequestManifest.parse(payload)
    # (7) both parties' keys; (8) this exchange; (9) in time; (10) for the first time
    _check_parties(manifest, sender=verify_with.digest.hex(), recipient=expect.recipient.digest.hex())
    _check_exchange(manifest, expect.exchange)
    _check_time(manifest, now)
    if seen(str(manifest.exchange)):
        raise errors.ReplayError("this exchange was accepted before", place="request")
    # (11) under an agreement in force, within its terms and indicators; (12) of a scheme known here
    check_terms(manifest, expect.agreements, now, expect.forebears)
    scheme = _scheme(manifest.scheme)
    # (13) within our own limits; (14) ciphertext of the stated length; (15) and digest
    if manifest.slots > expect.limits.slots:
        raise errors.OversizeError("more people than this agent accepts", place="request")
    _check_ciphertext(manifest, ciphertext, manifest.plaintext_bytes)
    # (16) both sides hold the same secret
    secret = derive(manifest)
    _check_confirmation(manifest, secret)
    # (17) it opens, for this exchange and direction
    table = decrypt(request_key(secret), ciphertext, REQUEST_AAD, manifest.exchange)
    # (18) Parquet structure: columns, rows, pages; (19) values; both in `read_table`, in this order
    columns = request_columns(scheme, manifest.granularity)
    frame = read_table(table, columns, slots=manifest.slots, households=manifest.households)
    return OpenedRequest(manifest, frame, secret, bundle_digest(data))


def open_answer(
    data: bytes,
    *,
    request: RequestManifest,
    request_digest: bytes,
    secret: bytes,
    sender: Identity,
    self_test: str,
    now: datetime,
) -> OpenedAnswer:
    """Verify and open the pinned partner's answer to our own `request`.

    `self_test`: what our own scheme's self-test gives. That an exchange is answered once is for the caller to
    hold: the same bytes open again.

    Raises:
        VerificationError: by name, the first check that fails.
    """
    columns = answer_columns(request.granularity, request.indicators)
    length = bitmap_bytes(request.units, len(columns))
    # (1) length, known beforehand; (2) a manifest before the ciphertext
    jws, ciphertext = split(data, length + OVERHEAD)
    # (3) algorithm; (4) direction; (5) signature by the pinned key, over the received bytes
    payload = _verify(jws, TYP_ANSWER, sender)
    # (6) known fields only, in their one canonical form
    manifest = AnswerManifest.parse(payload)
    # (7) both parties' keys; (8) this exchange; (9) this very request; (10) in time
    _check_parties(manifest, sender=request.recipient, recipient=request.sender)
    _check_exchange(manifest, request.exchange)
    if not hmac.compare_digest(manifest.request_digest, request_digest.hex()):
        raise errors.WrongRequestError("it answers another request", place="answer")
    _check_time(manifest, now)
    # (11) nothing but what was asked for; (12) known columns; (13) tokens made as we make them
    _check_vocabulary(manifest, request)
    if not hmac.compare_digest(manifest.attestation.self_test, self_test):
        raise errors.FailedSelfTestError("the partner's scheme makes other tokens than ours", place="answer")
    # (14) ciphertext of the length known beforehand; (15) and of the stated digest
    _check_ciphertext(manifest, ciphertext, length)
    # (16) it opens, for this exchange and direction; (17) bits of the right number, padding zero
    bitmap = decrypt(answer_key(secret), ciphertext, ANSWER_AAD, manifest.exchange)
    return OpenedAnswer(manifest, unpack(bitmap, columns, request.units), bundle_digest(data))


def read_own_request(data: bytes, sender: Identity) -> RequestManifest:
    """The manifest of a request that `sender`, the caller itself, sealed; only its signature is checked.

    Raises:
        VerificationError: as `verify_jws`.
    """
    jws, _ = split(data, len(data))
    return RequestManifest.parse(_verify(jws, TYP_REQUEST, sender))


def _verify(jws: bytes, typ: str, signer: Identity) -> bytes:
    try:
        return verify_jws(jws, typ, signer.signing)
    except errors.WrongTypeError:
        raise errors.WrongDirectionError("a request and an answer were mixed up", place="bundle") from None


def _check_parties(manifest: RequestManifest | AnswerManifest, *, sender: str, recipient: str) -> None:
    from_sender = hmac.compare_digest(manifest.sender, sender)
    if not from_sender or not hmac.compare_digest(manifest.recipient, recipient):
        raise errors.WrongKeyError(
            "it was made by or for other keys than the pinned ones",
            place="bundle",
            way_out="Compare fingerprints; enrol again where keys were replaced",
        )


def _check_exchange(manifest: RequestManifest | AnswerManifest, exchange: UUID) -> None:
    if manifest.exchange != exchange:
        raise errors.WrongExchangeError("it belongs to another exchange", place="bundle")


def _check_time(manifest: RequestManifest | AnswerManifest, now: datetime) -> None:
    if manifest.issued_at > now + CLOCK_SKEW:
        raise errors.NotYetValidError(
            "it is dated in the future", place="bundle", way_out="Set this machine's clock, or the sender's"
        )
    if manifest.expires_at <= now:
        raise errors.ExpiredError(
            "its time is over", place="bundle", way_out="Check this machine's clock; else ask again"
        )


def _scheme(version: str) -> Scheme:
    try:
        return scheme_of(version)
    except VerificationError as error:
        raise errors.UnknownSchemeError(error.reason, place="request", way_out=error.way_out) from None


def _check_vocabulary(manifest: AnswerManifest, request: RequestManifest) -> None:
    asked = (request.granularity, request.indicators, request.units)
    if (manifest.granularity, manifest.indicators, manifest.units) != asked:
        raise errors.UnknownFlagError("it answers other questions than were asked", place="answer")
    if (manifest.agreement_digest, manifest.scheme) != (request.agreement_digest, request.scheme):
        raise errors.WrongAgreementError("it rests on another agreement or scheme", place="answer")
    if not set(manifest.attestation.register_complete) <= set(IDENTIFYING):
        raise errors.UnknownColumnError("it attests a column that linkage does not know", place="answer")


def _check_ciphertext(
    manifest: RequestManifest | AnswerManifest, ciphertext: bytes, plaintext_bytes: int
) -> None:
    stated = (manifest.plaintext_bytes, manifest.ciphertext_bytes)
    if stated != (plaintext_bytes, len(ciphertext)) or len(ciphertext) != plaintext_bytes + OVERHEAD:
        raise errors.WrongLengthError("the ciphertext is not of the length it should be", place="bundle")
    digest = hashlib.sha256(ciphertext).hexdigest()
    if not hmac.compare_digest(manifest.ciphertext_sha256, digest):
        raise errors.WrongDigestError("the ciphertext was replaced or altered", place="bundle")


def _check_confirmation(manifest: RequestManifest, secret: bytes) -> None:
    if not hmac.compare_digest(manifest.confirmation, confirmation(secret)):
        raise errors.WrongConfirmationError(
            "the two sides hold different secrets",
            place="request",
            way_out="Compare fingerprints; publish new prekeys",
        )
