"""The two manifests: what is signed about a request and about its answer."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.bundle.documents import (
    Code,
    Codes,
    Day,
    Digest,
    Document,
    ExchangeField,
    Instant,
    Key32,
    Number,
    Permille,
    Text,
)
from gateway.domain.exchange import Granularity, Release
from gateway.domain.people import IDENTIFYING
from gateway.linkage.secret import exchange_context

MAX_SLOTS = 1_000_000
MAX_TABLE_BYTES = 512 * 1024 * 1024

SchemeName = Annotated[str, StringConstraints(pattern=r"^v[1-9][0-9]{0,3}$")]
Count = Annotated[int, Field(ge=1, le=MAX_SLOTS)]
Bytes = Annotated[int, Field(ge=1, le=MAX_TABLE_BYTES)]


class _Dated(Document):
    issued_at: Instant
    expires_at: Instant

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.expires_at <= self.issued_at:
            raise ValueError("expires before it is issued")
        return self


class RequestHeader(_Dated):
    """What the council decides about one request, before the table is sealed.

    `sender` and `recipient` are the hex digests of the two identities; `one_time` is the council's one-time
    X25519 public key; `prekey` the id of the partner's prekey that it meets.
    """

    type: Literal["flagstone/request/v1"] = "flagstone/request/v1"
    exchange: ExchangeField
    sender: Digest
    recipient: Digest
    agreement: Number
    agreement_digest: Digest
    dataset: Code
    purpose: Code
    framework: Code
    basis: tuple[Text, ...]
    scheme: SchemeName
    identifiers: Codes
    granularity: Granularity
    indicators: Annotated[Codes, Field(min_length=1)]
    households: Count
    slots: Count
    overlap_permille: Annotated[int, Field(ge=1, le=1000)]
    release: Release
    prekey: Code
    one_time: Key32
    policy_set: Digest

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.households > self.slots:
            raise ValueError("more households than slots")
        if not set(self.identifiers) <= set(IDENTIFYING):
            raise ValueError("an identifier that linkage does not know")
        return self

    @property
    def secret_context(self) -> dict[str, str]:
        """What the exchange secret is bound to (`gateway.linkage.secret`)."""
        return exchange_context(
            council=self.sender,
            partner=self.recipient,
            agreement=self.agreement_digest,
            scheme=self.scheme,
            exchange=str(self.exchange),
            prekey=self.prekey,
            one_time=self.one_time,
        )

    @property
    def units(self) -> int:
        """Rows of the answer's bitmap."""
        return self.slots if self.granularity is Granularity.PERSON_INDICATORS else self.households


class RequestManifest(RequestHeader):
    """A request's signed manifest. `plaintext_bytes` counts the Parquet file inside."""

    confirmation: Key32
    ciphertext_sha256: Digest
    ciphertext_bytes: Bytes
    plaintext_bytes: Bytes


class Attestation(Document):
    """What the answering side says about its own scheme and register (DESIGN.md §3)."""

    self_test: Digest
    register_date: Day
    register_complete: dict[str, Permille]


class AnswerHeader(_Dated):
    """What the partner states about one answer, before the bitmap is sealed."""

    type: Literal["flagstone/answer/v1"] = "flagstone/answer/v1"
    exchange: ExchangeField
    sender: Digest
    recipient: Digest
    request_digest: Digest
    agreement_digest: Digest
    scheme: SchemeName
    granularity: Granularity
    indicators: Annotated[Codes, Field(min_length=1)]
    units: Count
    attestation: Attestation


class AnswerManifest(AnswerHeader):
    """An answer's signed manifest. `plaintext_bytes` is the length of the bitmap."""

    ciphertext_sha256: Digest
    ciphertext_bytes: Bytes
    plaintext_bytes: Bytes
