"""Making bundles. The nonce (12 random bytes) is passed in; a nonce is never used twice under one secret."""

import hashlib
from datetime import datetime

import polars as pl

from gateway.bundle.documents import Sign
from gateway.bundle.errors import WrongLengthError
from gateway.bundle.format import encrypt, join
from gateway.bundle.manifest import (
    AnswerHeader,
    AnswerManifest,
    Attestation,
    RequestHeader,
    RequestManifest,
)
from gateway.bundle.tables import answer_columns, pack, request_columns, write_table
from gateway.domain.labels import ANSWER_AAD, REQUEST_AAD, TYP_ANSWER, TYP_REQUEST
from gateway.linkage.scheme import scheme_of
from gateway.linkage.secret import answer_key, confirmation, request_key


def seal_request(
    header: RequestHeader, table: pl.DataFrame, *, secret: bytes, sign: Sign, nonce: bytes
) -> bytes:
    """The request bundle. `table`: row i is slot i; `household` (UInt32, 0 to n - 1) and the scheme's match
    keys (Binary, 16 bytes or null). The household column stays behind where the answer is by person.

    Raises:
        VerificationError: the table does not fit the header.
    """
    if table.height != header.slots:
        raise WrongLengthError("not one row a slot", place="request table")
    columns = request_columns(scheme_of(header.scheme), header.granularity)
    plaintext = write_table(table, columns, header.households)
    ciphertext = encrypt(request_key(secret), plaintext, REQUEST_AAD, header.exchange, nonce)
    manifest = RequestManifest(
        **header.fields,
        confirmation=confirmation(secret),
        ciphertext_sha256=hashlib.sha256(ciphertext).hexdigest(),
        ciphertext_bytes=len(ciphertext),
        plaintext_bytes=len(plaintext),
    )
    return join(sign(manifest.payload, TYP_REQUEST), ciphertext)


def answer_header(
    request: RequestManifest,
    *,
    request_digest: bytes,
    attestation: Attestation,
    issued_at: datetime,
    expires_at: datetime,
) -> AnswerHeader:
    """The header of the answer to `request`, whose bundle has the SHA-256 `request_digest`."""
    return AnswerHeader(
        exchange=request.exchange,
        sender=request.recipient,
        recipient=request.sender,
        request_digest=request_digest.hex(),
        agreement_digest=request.agreement_digest,
        scheme=request.scheme,
        granularity=request.granularity,
        indicators=request.indicators,
        units=request.units,
        attestation=attestation,
        issued_at=issued_at,
        expires_at=expires_at,
    )


def seal_answer(
    header: AnswerHeader, flags: pl.DataFrame, *, secret: bytes, sign: Sign, nonce: bytes
) -> bytes:
    """The answer bundle. `flags`: row i is unit i; one Boolean column an indicator, or `any` alone.

    Raises:
        VerificationError: the flags do not fit the header.
    """
    plaintext = pack(flags, answer_columns(header.granularity, header.indicators), header.units)
    ciphertext = encrypt(answer_key(secret), plaintext, ANSWER_AAD, header.exchange, nonce)
    manifest = AnswerManifest(
        **header.fields,
        ciphertext_sha256=hashlib.sha256(ciphertext).hexdigest(),
        ciphertext_bytes=len(ciphertext),
        plaintext_bytes=len(plaintext),
    )
    return join(sign(manifest.payload, TYP_ANSWER), ciphertext)
