"""Agreements: the council proposes, the partner countersigns the very same bytes; either side revokes."""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, Self

from pydantic import model_validator

from gateway.bundle.documents import (
    Code,
    Day,
    Digest,
    Document,
    IdentityField,
    Instant,
    Number,
    PlainJson,
    Sign,
    Text,
    canonical,
)
from gateway.bundle.errors import WrongAgreementError, WrongKeyError
from gateway.bundle.jws import verify_jws
from gateway.bundle.manifest import SchemeName
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_AGREEMENT, TYP_REVOCATION


class AgreementDocument(Document):
    """Signed, dated permission between council and partner for one dataset.

    `policy` is the dataset's policy as both sides signed it, `policy_digest` the SHA-256 of its canonical
    JSON; `dpia` and `appropriate_policy_document` are references, each with the last day on which it
    holds before its review. Valid from the start of `valid_from` to the
    end of `valid_to`, Europe/London.
    """

    type: Literal["flagstone/agreement/v1"] = "flagstone/agreement/v1"
    number: Number
    council: IdentityField
    partner: IdentityField
    dataset: Code
    policy: PlainJson
    policy_digest: Digest
    scheme: SchemeName
    valid_from: Day
    valid_to: Day
    dpia: Text
    dpia_to: Day
    appropriate_policy_document: Text
    appropriate_policy_document_to: Day

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_to < self.valid_from:
            raise ValueError("ends before it begins")
        if self.council.digest == self.partner.digest:
            raise ValueError("nobody agrees with itself")
        if hashlib.sha256(canonical(self.policy)).hexdigest() != self.policy_digest:
            raise ValueError("the policy is not the one of the digest")
        return self


class Revocation(Document):
    """One side's statement that an agreement ends at `revoked_at`."""

    type: Literal["flagstone/revocation/v1"] = "flagstone/revocation/v1"
    number: Number
    agreement_digest: Digest
    by: Digest
    revoked_at: Instant


def propose(document: AgreementDocument, sign: Sign) -> str:
    """The council's signature, as compact JWS."""
    return sign(document.payload, TYP_AGREEMENT)


def verify_proposal(token: str | bytes, council: Identity) -> AgreementDocument:
    """The document that the pinned `council` signed.

    Raises:
        VerificationError: as `Document.verify`.
        WrongKeyError: it names another council than the one that signed it.
    """
    document = AgreementDocument.verify(token, TYP_AGREEMENT, council)
    if not hmac.compare_digest(document.council.digest, council.digest):
        raise WrongKeyError("it names another council than the pinned one", place="agreement")
    return document


def countersign(document: AgreementDocument, sign: Sign) -> str:
    """The partner's signature over the same payload; in force only with both."""
    return sign(document.payload, TYP_AGREEMENT)


def verify_countersignature(token: str | bytes, document: AgreementDocument) -> None:
    """Check that the partner named in `document` signed this very document.

    Raises:
        VerificationError: as `verify_jws`.
        WrongAgreementError: the partner signed another document.
    """
    payload = verify_jws(token, TYP_AGREEMENT, document.partner.signing)
    if not hmac.compare_digest(payload, document.payload):
        raise WrongAgreementError(
            "the countersignature is over another document",
            place="agreement",
            way_out="Show and sign the proposal again",
        )


def revoke(revocation: Revocation, sign: Sign) -> str:
    """The revoking side's signature."""
    return sign(revocation.payload, TYP_REVOCATION)


def verify_revocation(
    token: str | bytes,
    document: AgreementDocument,
    by: Identity,
    forebears: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Revocation:
    """The revocation of `document` by `by`, one of its two parties or in the place of one.

    `forebears`: for an identity's hex digest, those in whose place it stands (`Lineage.forebears`).

    Raises:
        VerificationError: as `Document.verify`.
        WrongKeyError: `by` is no party to the agreement, or not the one named as revoking.
        WrongAgreementError: it revokes another agreement.
    """
    parties = {document.council.digest.hex(), document.partner.digest.hex()}
    if parties.isdisjoint({by.digest.hex(), *forebears.get(by.digest.hex(), ())}):
        raise WrongKeyError("only a party to the agreement may revoke it", place="revocation")
    revocation = Revocation.verify(token, TYP_REVOCATION, by)
    if revocation.by != by.digest.hex():
        raise WrongKeyError("it names another signer", place="revocation")
    if (revocation.number, revocation.agreement_digest) != (document.number, document.digest):
        raise WrongAgreementError("it revokes another agreement", place="revocation")
    return revocation
