"""What a policy set may hold and its owner should know: unread law, and datasets that nothing permits."""

from collections.abc import Iterator
from datetime import date

from policies.checks import cited_by
from policies.legs import Case
from policies.model import DatasetPolicy, PolicySet


def policy_warnings(policies: PolicySet, on: date) -> Iterator[str]:
    """One line a warning, by dataset."""
    for dataset in policies.datasets.values():
        if not any(_stands(policies, dataset, purpose, on) for purpose in dataset.purposes):
            yield f"datasets/{dataset.id}.toml: no purpose of it is permitted by the law of {on.isoformat()}"
        if unread := _unconfirmed(policies, dataset, on):
            yield f"datasets/{dataset.id}.toml: rests on unconfirmed law: {', '.join(unread)}"


def _stands(policies: PolicySet, dataset: DatasetPolicy, purpose: str, on: date) -> bool:
    case = Case.of(policies, dataset.id, purpose, "", on)
    return case.regime is not None and dataset.span.holds(on) and all(case.met(leg) for leg in case.legs())


def _unconfirmed(policies: PolicySet, dataset: DatasetPolicy, on: date) -> list[str]:
    regime = policies.regime_on(on)
    stated = dataset.in_regime(regime.id) if regime else None
    cited = [*dataset.gateways.request, *dataset.gateways.answer, *dataset.confidentiality]
    cited += [name for ids in (cited_by(stated).values() if stated else ()) for name in ids]
    entries = (policies.law_on(name, on) for name in dict.fromkeys(cited))
    return [entry.citation for entry in entries if entry is not None and not entry.confirmed]
