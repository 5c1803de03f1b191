"""An agreement that nothing is wrong with, for tests to change."""

from datetime import date

from policies.decision import AgreementTerms


def sound_terms(dataset: str, digest: str = "", *, since: date, until: date) -> AgreementTerms:
    """Signed, not revoked, to the policy of this digest; agreement and papers hold until one day."""
    return AgreementTerms(
        number="A-1",
        partner="partner",
        dataset=dataset,
        policy_digest=digest,
        valid_from=since,
        valid_to=until,
        signed=True,
        revoked=False,
        dpia_to=until,
        policy_document_to=until,
    )
