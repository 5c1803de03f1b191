"""What a policy folder must hold as a whole. Each check yields (file, key, reason) of what it finds wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, combinations

from policies.grounds import grounds
from policies.model import (
    Category,
    Conditions,
    ConsentRule,
    DatasetPolicy,
    Framework,
    Indicator,
    LawEntry,
    PolicySet,
    Regime,
    Serves,
    Span,
)
from policies.reading import Problem
from policies.vocabulary import ANY, CONFIDENTIAL, COUNCIL, LAW_ENFORCEMENT


@dataclass(frozen=True, slots=True)
class Sourced:
    """A policy set, the file that each part came from by its id, and which datasets are own ones.

    `shipped`: the base's set, where an own folder was read beside it; `confirmed_on`: by law entry.
    """

    policies: PolicySet
    files: Mapping[str, str]
    own: frozenset[str] = frozenset()
    shipped: PolicySet | None = None
    confirmed_on: Mapping[str, date] = field(default_factory=dict)


def problems(sourced: Sourced, on: date | None = None) -> Iterator[Problem]:
    """Everything wrong between the parts of a set; nothing when it can be used. `on`: as `load`."""
    policies = sourced.policies
    for version in (v for versions in policies.law.values() for v in versions):
        yield from _law(version, policies, sourced.files[f"law {version.id}"])
    yield from _regimes(policies, sourced.files)
    for framework in policies.frameworks.values():
        sets = (policies, sourced.shipped) if sourced.shipped else (policies,)
        known = [each for policy_set in sets for each in policy_set.frameworks.values()]
        yield from _framework(framework, known, sourced.files[f"framework {framework.id}"])
    for dataset in policies.datasets.values():
        found = list(_dataset(dataset, policies))
        if on is not None and dataset.id in sourced.own:
            found += _in_force(dataset, policies, on)
        for key, reason in found:
            yield Problem(sourced.files[f"dataset {dataset.id}"], key, reason)
    for key, file in sourced.files.items():
        what, _, law = key.partition(" ")
        if what == "confirmation" and law not in policies.law:
            yield Problem(file, f"confirmation[{law}].law", "confirms an entry that no law file has")
        elif what == "confirmation" and on is not None and sourced.confirmed_on[law] > on:
            yield Problem(file, f"confirmation[{law}].on", "lies in the future")


def overlapping(spans: Sequence[Span]) -> bool:
    return any(a.overlaps(b) for a, b in combinations(spans, 2))


def _law(entry: LawEntry, policies: PolicySet, file: str) -> Iterator[Problem]:
    for cited in (*entry.needs, *entry.needs_any):
        if cited not in policies.law:
            yield Problem(file, f"law[{entry.id}].needs", f"cites {cited}, which no law file has")
    for purpose in entry.purposes:
        if purpose != ANY and purpose not in policies.purposes:
            yield Problem(file, f"law[{entry.id}].purposes", f"names {purpose}, which is no purpose")
    versions = policies.law[entry.id]
    if entry is versions[0] and overlapping([v.span for v in versions]):
        yield Problem(file, f"law[{entry.id}].valid_from", "two versions are in force on one day")


def _regimes(policies: PolicySet, files: Mapping[str, str]) -> Iterator[Problem]:
    for one, other in combinations(policies.regimes.values(), 2):
        if one.span.overlaps(other.span):
            place = f"regime[{other.id}].valid_from"
            yield Problem(files[f"regime {other.id}"], place, f"overlaps regime {one.id}")


def _framework(framework: Framework, known: Sequence[Framework], file: str) -> Iterator[Problem]:
    codes = [indicator.code for indicator in framework.indicators]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield Problem(file, f"indicator[{code}].code", "stands twice")
    for indicator in framework.indicators:
        twins = (other.find(indicator.code) for other in known)
        # or dropping the stricter framework would drop a legal requirement
        if any(twin and set(twin.categories) != set(indicator.categories) for twin in twins):
            yield Problem(file, f"indicator[{indicator.code}].categories", "differ from another framework's")


Finding = tuple[str, str]


def _dataset(dataset: DatasetPolicy, policies: PolicySet) -> Iterator[Finding]:
    yield from _limits(dataset)
    if dangling := list(_references(dataset, policies)):
        yield from dangling
        return  # what follows from them would hide them
    yield from _evidence(dataset, policies)
    yield from _confidentiality(dataset, policies)
    yield from _consent(dataset, policies)
    yield from _gateways(dataset, policies)
    for conditions in dataset.conditions:
        yield from _conditions(dataset, conditions, policies)


def _limits(dataset: DatasetPolicy) -> Iterator[Finding]:
    if dataset.min_people > dataset.max_people:
        yield "limits.min_people", "exceeds max_people"
    if dataset.min_households > dataset.max_households:
        yield "limits.min_households", "exceeds max_households"
    if dataset.row_rules.min_household > dataset.row_rules.max_household:
        yield "row_rules.min_household", "exceeds max_household"
    if dataset.results_days > dataset.accounting_days:
        yield "retention.results_days", "exceeds accounting_days: who was told must outlive what was told"
    regimes = [regime for conditions in dataset.conditions for regime in conditions.regimes]
    if len(set(regimes)) != len(regimes):
        yield "conditions.regimes", "overlap: one regime is named by two sets of conditions"


def _references(dataset: DatasetPolicy, policies: PolicySet) -> Iterator[Finding]:
    cited: list[tuple[str, Iterable[str]]] = [*_standing(dataset)]
    for c in dataset.conditions:
        yield from _missing("conditions.regimes", c.regimes, policies.regimes, "regime")
        cited += [(f"conditions[{c.regimes[0]}].{key}", ids) for key, ids in cited_by(c).items()]
    for key, ids in cited:
        yield from _missing(key, ids, policies.law, "law entry")
    yield from _missing("purposes", dataset.purposes, policies.purposes, "purpose")
    yield from _missing("frameworks", dataset.frameworks, policies.frameworks, "framework")


def _in_force(dataset: DatasetPolicy, policies: PolicySet, on: date) -> Iterator[Finding]:
    """An own dataset rests on law that is in force: today, or for an earlier regime then."""
    today = policies.regime_on(on)
    for conditions in dataset.conditions:
        for regime in (policies.regimes[r] for r in conditions.regimes if r in policies.regimes):
            for key, ids in cited_by(conditions).items():
                for name in ids:
                    versions = policies.law.get(name, ())
                    then = any(v.commenced and v.span.overlaps(regime.span) for v in versions)
                    if not (policies.law_on(name, on) if regime == today else then):
                        yield f"conditions[{regime.id}].{key}", f"cites {name}, which is not in force"
    for key, ids in _standing(dataset):
        for name in ids:
            if name in policies.law and policies.law_on(name, on) is None:
                yield key, f"cites {name}, which is not in force"


def _standing(dataset: DatasetPolicy) -> list[tuple[str, tuple[str, ...]]]:
    """What a dataset cites whatever the regime."""
    return [
        ("gateways.request", dataset.gateways.request),
        ("gateways.answer", dataset.gateways.answer),
        ("confidentiality", dataset.confidentiality),
    ]


def cited_by(conditions: Conditions) -> dict[str, tuple[str, ...]]:
    return {
        "request": conditions.request,
        "lawful_basis": conditions.lawful_basis,
        "special_category": conditions.special_category,
        "offence": conditions.offence,
        "export": conditions.export,
    }


def _missing(key: str, ids: Iterable[str], known: Mapping[str, object], what: str) -> Iterator[Finding]:
    return ((key, f"cites {name}, which is no {what} of this set") for name in ids if name not in known)


def indicators_of(dataset: DatasetPolicy, policies: PolicySet) -> list[Indicator]:
    """Each of the dataset's indicators, as each of its frameworks defines it."""
    frameworks = [policies.frameworks[f] for f in dataset.frameworks if f in policies.frameworks]
    found = (framework.find(code) for framework in frameworks for code in dataset.indicators)
    return [indicator for indicator in found if indicator is not None]


def _evidence(dataset: DatasetPolicy, policies: PolicySet) -> Iterator[Finding]:
    found = indicators_of(dataset, policies)
    for code in dataset.indicators:
        if code not in {indicator.code for indicator in found}:
            yield "indicators", f"{code} is in no framework of the dataset"
    for framework in (policies.frameworks[f] for f in dataset.frameworks if f in policies.frameworks):
        if not dataset.asked(framework):
            yield "frameworks", f"{framework.id} has none of the dataset's indicators"
    for indicator in dict.fromkeys(found):
        if dataset.partner_kind not in indicator.evidenced_by:
            reason = f"{indicator.code} can't be evidenced by a source of kind {dataset.partner_kind}"
            yield "indicators", reason


def _confidentiality(dataset: DatasetPolicy, policies: PolicySet) -> Iterator[Finding]:
    routes = _on_paper(dataset.confidentiality, Serves.CONFIDENTIALITY, policies, _answering(dataset))
    if dataset.partner_kind in CONFIDENTIAL and not routes:
        yield "confidentiality", f"a {dataset.partner_kind} dataset needs a confidentiality route"


def _consent(dataset: DatasetPolicy, policies: PolicySet) -> Iterator[Finding]:
    listed = [ids for conditions in dataset.conditions for ids in cited_by(conditions).values()]
    cited = {*dataset.gateways.request, *dataset.gateways.answer, *dataset.confidentiality, *chain(*listed)}
    resting = sorted(key for key in cited if any(v.needs_consent for v in policies.law.get(key, ())))
    if resting and dataset.row_rules.consent is not ConsentRule.EXPLICIT:
        yield "row_rules.consent", f"must be explicit, because {resting[0]} rests on consent"


def _gateways(dataset: DatasetPolicy, policies: PolicySet) -> Iterator[Finding]:
    legs = (
        ("request", dataset.gateways.request, _asking(dataset)),
        ("answer", dataset.gateways.answer, _answering(dataset)),
    )
    for leg, cited, way in legs:
        covering = [e for e in _on_paper(cited, Serves.GATEWAY, policies, way) if Serves.GATEWAY in e.serves]
        if not covering:
            parties = f"a source of kind {way.discloser} disclose to {way.recipient}"
            yield f"gateways.{leg}", f"no cited gateway lets {parties} for these purposes"
            continue
        for indicator in indicators_of(dataset, policies):
            if not any(entry.reaches(indicator) for entry in covering):
                about = f"{indicator.code} ({', '.join(indicator.topics)})"
                yield f"gateways.{leg}", f"no cited gateway reaches {about}"


def _conditions(dataset: DatasetPolicy, conditions: Conditions, policies: PolicySet) -> Iterator[Finding]:
    answered = {c for indicator in indicators_of(dataset, policies) for c in indicator.categories}
    told = told_by_the_list(dataset, policies)
    for regime in (policies.regimes[r] for r in conditions.regimes if r in policies.regimes):
        place, answer, asking = f"conditions[{regime.id}]", _answering(dataset), _asking(dataset)
        needed = (
            ("request", conditions.request, Serves.LAWFUL_BASIS, asking, _NO_BASIS, True),
            ("request", conditions.request, Serves.SPECIAL_CATEGORY, asking, _NO_9, Category.SPECIAL in told),
            ("request", conditions.request, Serves.OFFENCE, asking, _NO_10, Category.OFFENCE in told),
            ("lawful_basis", conditions.lawful_basis, Serves.LAWFUL_BASIS, answer, _NO_BASIS, True),
            (
                "special_category",
                conditions.special_category,
                Serves.SPECIAL_CATEGORY,
                answer,
                _NO_9,
                Category.SPECIAL in answered,
            ),
            ("offence", conditions.offence, Serves.OFFENCE, answer, _NO_10, Category.OFFENCE in answered),
            ("export", conditions.export, Serves.EXPORT, answer, _NO_EXPORT, exports(dataset, regime)),
        )
        for key, cited, serves, way, reason, called in needed:
            if called and not _on_paper(cited, serves, policies, way, regime):
                yield f"{place}.{key}", reason


_NO_BASIS = "no cited entry gives a lawful basis for these parties and purposes in this regime"
_NO_9 = "special-category data need an Article 9 or Schedule 3 condition for these parties and purposes"
_NO_10 = "offence data need an Article 10 or Schedule 3 basis for these parties and purposes"
_NO_EXPORT = "a law-enforcement source needs DPA 2018 s.36(4) to disclose"


def told_by_the_list(dataset: DatasetPolicy, policies: PolicySet) -> frozenset[Category]:
    """What the list itself tells: that its households met some indicator of a framework of the dataset."""
    if not dataset.row_rules.indicator_met:
        return frozenset()
    used = [policies.frameworks[f] for f in dataset.frameworks if f in policies.frameworks]
    return frozenset(c for each in used for indicator in each.indicators for c in indicator.categories)


def exports(dataset: DatasetPolicy, regime: Regime) -> bool:
    """Whether the source's records must leave DPA 2018 Part 3 first."""
    return regime.part3 and dataset.partner_kind in LAW_ENFORCEMENT


@dataclass(frozen=True, slots=True)
class _Way:
    """Who discloses to whom, and for what."""

    discloser: str
    recipient: str
    purposes: tuple[str, ...]

    def covered(self, entry: LawEntry) -> bool:
        return any(entry.covers(self.discloser, self.recipient, purpose) for purpose in self.purposes)


def _asking(dataset: DatasetPolicy) -> _Way:
    return _Way(COUNCIL, dataset.partner_kind, dataset.purposes)


def _answering(dataset: DatasetPolicy) -> _Way:
    return _Way(dataset.partner_kind, COUNCIL, dataset.purposes)


def _on_paper(
    cited: Iterable[str], serves: Serves, policies: PolicySet, way: _Way, regime: Regime | None = None
) -> tuple[LawEntry, ...]:
    """The grounds of a requirement on any day, or on any day of the regime, for these parties."""

    def find(key: str) -> LawEntry | None:
        versions = policies.law.get(key, ())
        then = (v for v in versions if (regime is None or v.span.overlaps(regime.span)) and way.covered(v))
        return next(then, None)

    return grounds(cited, serves, find)
