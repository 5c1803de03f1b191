"""Whether a request keeps to the agreement that both sides signed."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from gateway.bundle.agreement import AgreementDocument
from gateway.bundle.errors import UnknownFlagError, WrongAgreementError
from gateway.bundle.manifest import RequestHeader
from gateway.domain.legal_date import legal_date


def check_terms(
    request: RequestHeader,
    agreements: Mapping[str, AgreementDocument],
    now: datetime,
    forebears: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """Check a verified request against the agreement that it names, one of `agreements` by number.

    `forebears`: for an identity's hex digest, those in whose place it stands (`Lineage.forebears`): what
    they agreed to holds on for it.

    Raises:
        WrongAgreementError: there is none of that number and digest between these parties; it, one of its
            papers or its policy is not in force today; or the request goes beyond its dataset, scheme or
            policy.
        UnknownFlagError: it asks for indicators that were not agreed.
    """
    agreement = agreements.get(request.agreement)
    if agreement is None or agreement.digest != request.agreement_digest:
        raise _outside("it names no agreement that was countersigned here")
    parties = (
        (agreement.council, request.sender),
        (agreement.partner, request.recipient),
    )
    if any(party.digest.hex() not in {told, *forebears.get(told, ())} for party, told in parties):
        raise _outside("the agreement is between other parties")
    today = legal_date(now)
    if not agreement.valid_from <= today <= agreement.valid_to:
        raise _outside("the agreement is not in force today")
    if today > min(agreement.dpia_to, agreement.appropriate_policy_document_to):
        raise _outside("a paper that the agreement names has run out")
    if not _in_force(agreement.policy.get("span"), today):
        raise _outside("the policy that was agreed is not in force today")
    if (request.dataset, request.scheme) != (agreement.dataset, agreement.scheme):
        raise _outside("the agreement is about another dataset or scheme")
    _check_policy(request, agreement.policy)


def _in_force(span: Any, today: date) -> bool:
    """Whether a policy's days of force, as its JSON has them, hold the day; anything else does not."""
    if not isinstance(span, Mapping) or not isinstance(span.get("valid_from"), str):
        return False
    return bool(span["valid_from"] <= today.isoformat() <= str(span.get("valid_to", today.isoformat())))


def _check_policy(request: RequestHeader, policy: Mapping[str, Any]) -> None:
    if not set(request.indicators) <= set(policy.get("indicators", ())):
        raise UnknownFlagError(
            "it asks for indicators that were not agreed",
            place="request",
            way_out="Propose an agreement that has them",
        )
    within = (
        request.purpose in policy.get("purposes", ()),
        request.framework in policy.get("frameworks", ()),
        set(request.identifiers) <= set(policy.get("identifiers", ())),
        request.granularity == policy.get("granularity"),
        request.release == policy.get("release"),
        request.overlap_permille == policy.get("expected_overlap_permille"),
        policy.get("min_people", 1) <= request.slots <= policy.get("max_people", 0),
        policy.get("min_households", 1) <= request.households <= policy.get("max_households", 0),
    )
    if not all(within):
        raise _outside("it goes beyond the policy that was agreed")


def _outside(reason: str) -> WrongAgreementError:
    return WrongAgreementError(reason, place="request", way_out="Sign an agreement that covers it")
