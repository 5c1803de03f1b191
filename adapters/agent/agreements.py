"""The agreements that this partner countersigned: kept here, verified anew at every use.

The gateway's word on agreements counts for nothing: the agent answers under its own copies alone.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.agent.council import Council
from adapters.agent.tray import Tray
from gateway.bundle.agreement import (
    AgreementDocument,
    Revocation,
    countersign,
    revoke,
    verify_countersignature,
    verify_proposal,
)
from gateway.bundle.errors import WrongKeyError
from gateway.bundle.signers import by_any
from gateway.domain.errors import NotFoundError, VerificationError
from gateway.domain.exchange import Release
from gateway.key_ports import OwnKeys, PartyKeys

_SUFFIX: Final = ".json"
_APPROVALS: Final = {Release.AUTOMATIC: 0, Release.PARTNER_APPROVES: 1, Release.TWO_APPROVE: 2}


@dataclass(frozen=True, slots=True)
class KeptAgreement:
    """An agreement as it lies here. `revoked`: this partner has revoked it."""

    document: AgreementDocument
    partner_jws: str
    revoked: bool


class AgreementBook:
    """One file per agreement."""

    def __init__(self, tray: Tray, keys: OwnKeys, council: Council) -> None:
        self._tray = tray
        self._keys = keys
        self._council = council

    def verified(self, number: str, council_jws: str, at: datetime | None = None) -> AgreementDocument:
        """The proposal, once the council's signature holds and it names this partner's own keys.

        `at`: both by keys that are accepted at this moment; by any of before too, if left out, which is for
        what lies here.

        Raises:
            VerificationError: a signature, a party or the number differs.
        """
        council, own = self._council.lineage, self._keys.lineage
        signers = council.identities if at is None else council.accepted(at)
        document = by_any(signers, lambda each: verify_proposal(council_jws, each))
        if document.partner not in (own.identities if at is None else own.accepted(at)):
            raise WrongKeyError("it names another partner, or other keys of ours", place="agreement")
        if document.number != number:
            raise VerificationError("it has another number than was asked for", place="agreement")
        return document

    def sign(self, council_jws: str, document: AgreementDocument) -> str:
        """Countersign; the copy is durable before the signature is handed out."""
        jws = countersign(document, self._keys_of(document).sign)
        self._put(document.number, council_jws, jws, revoked=False)
        return jws

    def revoke(self, number: str, at: datetime) -> str:
        """Answer nothing under it from now on. Returns the signed notice for the council.

        Raises:
            NotFoundError: it was never signed here.
        """
        kept = self.get(number)
        papers = self._papers(number)
        self._put(number, papers["council_jws"], kept.partner_jws, revoked=True)
        signer = self._keys.generation(self._keys.lineage.current.number)
        notice = Revocation(
            number=number,
            agreement_digest=kept.document.digest,
            by=signer.identity.digest.hex(),
            revoked_at=at,
        )
        return revoke(notice, signer.sign)

    def get(self, number: str) -> KeptAgreement:
        """The copy, both signatures verified.

        Raises:
            NotFoundError: it was never signed here.
            VerificationError: the copy was altered.
        """
        papers = self._papers(number)
        document = self.verified(number, papers["council_jws"])
        verify_countersignature(papers["partner_jws"], document)
        return KeptAgreement(document, papers["partner_jws"], papers["revoked"])

    def numbers(self) -> list[str]:
        return [name.removesuffix(_SUFFIX) for name in self._tray.names()]

    def in_force(self) -> dict[str, AgreementDocument]:
        """By number, those not revoked here. Their dates are checked against each request."""
        kept = {number: self.get(number) for number in self.numbers()}
        return {number: each.document for number, each in kept.items() if not each.revoked}

    def _keys_of(self, document: AgreementDocument) -> PartyKeys:
        """Our keys that the agreement names."""
        named = self._keys.lineage.named(document.partner.digest.hex())
        return self._keys.generation(named.number) if named else self._keys

    def _papers(self, number: str) -> dict[str, Any]:
        data = self._tray.get(number + _SUFFIX)
        if data is None:
            raise NotFoundError("no agreement of this number was signed here", place="agreement")
        papers: dict[str, Any] = json.loads(data)
        return papers

    def _put(self, number: str, council_jws: str, partner_jws: str, *, revoked: bool) -> None:
        papers = {"council_jws": council_jws, "partner_jws": partner_jws, "revoked": revoked}
        self._tray.put(number + _SUFFIX, json.dumps(papers).encode())


def approvals_needed(document: AgreementDocument) -> int:
    """How many people approve each answer. What the signed policy says, whatever a request says."""
    return _APPROVALS[Release(document.policy["release"])]
