"""The record of processing (UK GDPR Article 30(1)) as JSON and Markdown, one activity a dataset."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.service.processing import Agreed, Processing
from policies.model import Category, DatasetPolicy, Indicator, LawEntry

TYPE: Final = "flagstone/article-30/v1"
SMALL: Final = 10
"""Counts below this are not told."""
FEWER: Final = f"fewer than {SMALL}"

_COUNTED: Final = {
    "permitted": "exchange.permitted",
    "refused": "exchange.refused",
    "lists_disclosed": "exchange.request-authorised",
    "answers_received": "exchange.delivered",
    "answers_released": "exchange.release-authorised",
}
_CATEGORY: Final = {
    Category.SPECIAL: "special category (UK GDPR Article 9)",
    Category.OFFENCE: "criminal offence data (UK GDPR Article 10)",
}
_SUBJECTS: Final = (
    "Members of households that the council's families programme works with, children among them",
)
_SECURITY: Final = (
    "Identifiers leave as keyed hashes of one exchange; no name, date of birth, address or number does",
    "Requests and answers are signed (Ed25519) and encrypted (X25519, AES-256-GCM) from end to end",
    "An answer holds yes or no for each indicator asked, in a length known beforehand; no record travels",
    "What is stored of a list or an answer is sealed under keys outside the database, destroyed in time",
    "Every disclosure and refusal stands first in an append-only log (RFC 9162) that verifies offline",
    "Roles are separate: who asks can't review, who reviews can't ask, who operates sees no results",
)
_TRANSFERS: Final = "None by the gateway: it sends to the parties named here and to nobody else"


def record(told: Processing) -> dict[str, Any]:
    """The record as JSON. Datasets without an agreement and without an entry in the period are left out.

    UK GDPR Article 30(1)(a) to (g); the conditions and documents that DPA 2018 Schedule 1 paragraph 41 adds.
    """
    agreed = {each.dataset for each in told.agreements}
    policies = [
        each for name, each in sorted(told.policies.datasets.items()) if name in {*agreed, *told.counts}
    ]
    return {
        "type": TYPE,
        "controller": told.council,
        "contact": "State the contacts of the controller and of its data protection officer here",
        "as_of": told.on.isoformat(),
        "period": {"from": _day(told.since), "to": _day(told.until)},
        "activities": [_activity(told, policy) for policy in policies],
        "refused_of_unknown_datasets": _count(told.counts.get("unknown", {}), "exchange.refused"),
        "transfers": _TRANSFERS,
        "security": list(_SECURITY),
    }


def markdown(told: Mapping[str, Any]) -> str:
    """The record, as `record` made it, for people to read."""
    return "\n".join(_lines(told)) + "\n"


def _activity(told: Processing, policy: DatasetPolicy) -> dict[str, Any]:
    counts = told.counts.get(policy.id, {})
    agreements = [each for each in told.agreements if each.dataset == policy.id]
    return {
        "dataset": policy.id,
        "title": policy.title,
        "purposes": [told.policies.purposes[each].title for each in policy.purposes],
        "data_subjects": list(_SUBJECTS),
        "identifiers": list(policy.identifiers),
        "indicators": [_indicator(each) for each in _indicators(told, policy)],
        "recipients": {
            "of_the_list": sorted({each.partner for each in agreements}) or [policy.controller],
            "of_the_answer": policy.recipient,
            "passing_on": policy.onward.value,
        },
        "legal_basis": {
            "of_the_list": _law(told, (*policy.gateways.request, *_conditions(told, policy, request=True))),
            "of_the_answer": _law(told, (*policy.gateways.answer, *_conditions(told, policy, request=False))),
            "confidentiality": _law(told, policy.confidentiality),
        },
        "retention_days": {
            "waiting_for_an_answer": policy.answer_days,
            "results": policy.results_days,
            "account_of_disclosures": policy.accounting_days,
        },
        "exchanges": {name: _count(counts, kind) for name, kind in _COUNTED.items()},
        "agreements": [_agreement(each) for each in agreements],
    }


def _indicators(told: Processing, policy: DatasetPolicy) -> Iterator[Indicator]:
    for code in policy.indicators:
        found = (told.policies.frameworks[name].find(code) for name in policy.frameworks)
        yield from list(filter(None, found))[-1:]  # as the newest framework words it


def _indicator(each: Indicator) -> dict[str, Any]:
    kinds = [_CATEGORY[category] for category in each.categories]
    return {"code": each.code, "label": each.label, "categories": kinds}


def _conditions(told: Processing, policy: DatasetPolicy, *, request: bool) -> tuple[str, ...]:
    regime = told.policies.regime_on(told.on)
    held = policy.in_regime(regime.id) if regime else None
    if held is None:
        return ()
    return (
        held.request
        if request
        else (
            *held.lawful_basis,
            *held.special_category,
            *held.offence,
            *held.export,
        )
    )


def _law(told: Processing, ids: tuple[str, ...]) -> list[dict[str, Any]]:
    return [_provision(entry) for key in ids if (entry := told.policies.law_on(key, told.on))]


def _provision(entry: LawEntry) -> dict[str, Any]:
    return {"citation": entry.citation, "title": entry.title, "confirmed": entry.confirmed}


def _agreement(each: Agreed) -> dict[str, Any]:
    return {
        "number": each.number,
        "partner": each.partner,
        "status": each.status,
        "valid_from": each.valid_from.isoformat(),
        "valid_to": each.valid_to.isoformat(),
        "dpia": each.dpia,
        "dpia_to": each.dpia_to.isoformat(),
        "appropriate_policy_document": each.appropriate_policy_document,
        "appropriate_policy_document_to": each.appropriate_policy_document_to.isoformat(),
    }


def _count(counts: Mapping[str, int], kind: str) -> int | str:
    found = counts.get(kind, 0)
    return found if found >= SMALL else FEWER


def _day(day: Any) -> str:
    return day.isoformat() if day else ""


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    period = told["period"]
    yield "# Record of processing (UK GDPR Article 30)"
    yield ""
    yield f"- Controller: {told['controller']}"
    yield f"- {told['contact']}"
    counted = f"counts from {period['from'] or 'the beginning'} to {period['to'] or 'now'}"
    yield f"- As of {told['as_of']}; {counted}"
    yield f"- Requests refused because the dataset is unknown: {told['refused_of_unknown_datasets']}"
    for activity in told["activities"]:
        yield from _activity_lines(activity)
    yield from ("", "## Transfers outside the United Kingdom", "", told["transfers"])
    yield from ("", "## Security measures", "", *(f"- {line}" for line in told["security"]))


def _activity_lines(told: Mapping[str, Any]) -> Iterator[str]:
    recipients, days = told["recipients"], told["retention_days"]
    yield from ("", f"## {told['title']} (`{told['dataset']}`)", "")
    yield f"- Purposes: {'; '.join(told['purposes'])}"
    yield f"- Data subjects: {'; '.join(told['data_subjects'])}"
    yield f"- Identifiers, as keyed hashes: {', '.join(told['identifiers'])}"
    yield f"- Recipients of the list: {'; '.join(recipients['of_the_list'])}"
    yield f"- Recipient of the answer: {recipients['of_the_answer']}; passing on: {recipients['passing_on']}"
    yield (
        f"- Erased after: results {days['results']} days, account of disclosures "
        f"{days['account_of_disclosures']} days; an answer is awaited {days['waiting_for_an_answer']} days"
    )
    counts = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in told["exchanges"].items())
    yield f"- In the period: {counts}"
    yield from ("", "### Personal data", "")
    for each in told["indicators"]:
        kinds = f": {'; '.join(each['categories'])}" if each["categories"] else ""
        yield f"- {each['label']} (`{each['code']}`){kinds}"
    yield from ("", "### Legal basis", "")
    for leg, law in told["legal_basis"].items():
        for each in law:
            doubt = "" if each["confirmed"] else " (text not confirmed at its source)"
            yield f"- {leg.replace('_', ' ').capitalize()}: {each['citation']}, {each['title']}{doubt}"
    yield from ("", "### Agreements", "")
    for each in told["agreements"]:
        yield (
            f"- {each['number']} with {each['partner']}, {each['status']}, {each['valid_from']} to "
            f"{each['valid_to']}; impact assessment {each['dpia']} to {each['dpia_to']}; appropriate policy "
            f"document {each['appropriate_policy_document']} to {each['appropriate_policy_document_to']}"
        )
    if not told["agreements"]:
        yield "- None"
