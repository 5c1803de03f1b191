"""`decide`: permit, or refuse with every unmet requirement. Pure and default-deny."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from gateway.domain.legal_date import legal_date
from policies import legs
from policies.legs import Case
from policies.model import DatasetPolicy, LawEntry, PolicySet, Serves
from policies.requirements import REQUIREMENTS
from policies.verdict import AgreementTerms, Basis, Decision, Ground, Question, Unmet
from policies.vocabulary import COUNCIL

__all__ = [
    "ENGINE",
    "UNKNOWN",
    "AgreementTerms",
    "Basis",
    "Decision",
    "Ground",
    "Question",
    "Unmet",
    "decide",
    "refuse_for",
]

ENGINE: Final = "flagstone-policies/3"
"""Version of the rules of this package: any change of what is decided changes it."""

UNKNOWN: Final = "unknown"
"""Stands for an id that the policy set does not have: what a caller typed is never repeated."""


def decide(question: Question, policies: PolicySet, at: datetime) -> Decision:
    """Permit or refuse one exchange at one moment; the same arguments give the same decision for ever.

    Raises:
        BadInputError: `at` has no time zone. An unknown id is no error but a refusal.
    """
    on = legal_date(at)
    ruling = _ruling(question, policies, on)
    dataset = ruling.case.dataset
    unmet = (*ruling.unmet, *_size(ruling.case, question), *_agreement(ruling.case, question, on))
    return Decision(
        permitted=not unmet,
        unmet=unmet,
        basis=None if unmet else ruling.basis,
        dataset=dataset.id if dataset else UNKNOWN,
        purpose=ruling.purpose,
        framework=ruling.framework,
        regime=ruling.regime,
        agreement=question.agreement.number if question.agreement else "",
        at=at,
        policy_set=policies.digest,
        engine=ENGINE,
        unread=ruling.unread,
    )


def refuse_for(decision: Decision, code: str, policies: PolicySet) -> Decision:
    """The same decision, refused for a requirement that only the rows show to be unmet."""
    on = legal_date(decision.at)
    case = Case.of(policies, *decision.asked, on)
    unmet = (*decision.unmet, _fails(case, code))
    return replace(decision, permitted=False, unmet=unmet, basis=None)


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What policy and law say of a kind of question, whoever agreed to it and however long the list is."""

    case: Case
    unmet: tuple[Unmet, ...]
    basis: Basis
    purpose: str
    framework: str
    regime: str
    unread: tuple[str, ...]


def _ruling(question: Question, policies: PolicySet, on: date) -> _Ruling:
    """The ruling for the day, worked out once for each period in which nothing changes."""
    kind = (question.dataset, question.purpose, question.framework)
    framed = not question.framework or question.framework in policies.frameworks
    if not (framed and question.dataset in policies.datasets and question.purpose in policies.purposes):
        return _rule(Case.of(policies, *kind, on))  # what anybody typed is not remembered
    period = bisect_right(policies.borders, on)
    ruling: _Ruling | None = policies.remembered.get((*kind, period))
    if ruling is None:
        ruling = policies.remembered[*kind, period] = _rule(Case.of(policies, *kind, on))
    return ruling


def _rule(case: Case) -> _Ruling:
    return _Ruling(
        case,
        tuple(_unmet(case)),
        Basis(tuple(_grounds(case))),
        purpose=_shown(case.purpose, case.policies.purposes),
        framework=_shown(case.framework, case.policies.frameworks),
        regime=case.regime.id if case.regime else UNKNOWN,
        unread=tuple(_unread(case)),
    )


def _unread(case: Case) -> Iterator[str]:
    """What is no law entry and was not read at its source either: the regime's days, indicators' wording."""
    if case.regime is not None and not case.regime.confirmed:
        yield f"the days of {case.regime.title}"
    framework = case.policies.frameworks.get(case.framework)
    if framework is None or case.dataset is None:
        return
    asked = case.dataset.asked(framework)
    if codes := [each.code for each in framework.indicators if each.code in asked and not each.confirmed]:
        yield f"the wording of {', '.join(codes)} in {framework.title}"


def _shown(name: str, known: Mapping[str, object]) -> str:
    return name if name in known else UNKNOWN


def _grounds(case: Case) -> Iterator[Ground]:
    for leg in case.legs():
        for entry in case.met(leg):
            yield Ground(
                leg.role, entry.id, entry.title, entry.citation, entry.clause, entry.limits, entry.confirmed
            )


def _unmet(case: Case) -> Iterator[Unmet]:
    """Every unmet requirement of policy and law: known at all, allowed by the policy, lawful."""
    if case.regime is None:
        yield _fails(case, "regime-unknown")
    yield from _unknown(case)
    if case.dataset is not None:
        yield from _policy(case, case.dataset)
        yield from (_leg(case, leg) for leg in case.legs() if not case.met(leg))
        yield from _forbidden(case, case.dataset)


_AGREED: Final = "The agreement's own terms"
_UNWRITTEN: Final = "Data-protection law, of which this policy set has no text for the day"


def _fails(case: Case, code: str, detail: str = "", *, resting: tuple[LawEntry, ...] = ()) -> Unmet:
    """`detail` makes the remedy the smallest one; `resting` are the law entries that it speaks of."""
    requirement = REQUIREMENTS[code]
    provision = requirement.provision(case.regime)
    entry = case.policies.law_on(provision, case.on)
    unasked = case.regime is not None and not provision  # by the law of the day
    return Unmet(
        code=code,
        requirement=requirement.requirement,
        citation=entry.citation if entry else _AGREED if unasked else _UNWRITTEN,
        clause=requirement.clause,
        remedy=f"{requirement.remedy}. {detail}" if detail else requirement.remedy,
        forbidden=False,
        confirmed=entry.confirmed if entry else unasked,
        unconfirmed=tuple(entry.citation for entry in resting if not entry.confirmed),
    )


def _unknown(case: Case) -> Iterator[Unmet]:
    if case.dataset is None:
        yield _fails(case, "dataset-unknown")
    if case.purpose not in case.policies.purposes:
        yield _fails(case, "purpose-unknown")
    framework = case.policies.frameworks.get(case.framework)
    if framework is None:
        yield _fails(case, "framework-unknown", _in_force(case))
    elif not framework.span.holds(case.on):
        yield _fails(case, "framework-not-in-force")


def _in_force(case: Case) -> str:
    """Which frameworks the dataset could be asked under on the day."""
    named = case.dataset.frameworks if case.dataset else ()
    known = ((name, case.policies.frameworks.get(name)) for name in named)
    current = [name for name, each in known if each is not None and each.span.holds(case.on)]
    if not named:
        return ""
    return f"Now in force: {', '.join(current)}" if current else "None of the dataset's is in force"


def _policy(case: Case, dataset: DatasetPolicy) -> Iterator[Unmet]:
    if not dataset.span.holds(case.on):
        yield _fails(case, "dataset-not-in-force")
    if case.purpose not in dataset.purposes:
        yield _fails(case, "purpose-not-allowed", f"It allows: {', '.join(dataset.purposes)}")
    framework = case.policies.frameworks.get(case.framework)
    if framework is None:
        return
    if case.framework not in dataset.frameworks:
        yield _fails(case, "framework-not-allowed", f"It uses: {', '.join(dataset.frameworks)}")
    if not dataset.asked(framework):
        yield _fails(case, "indicator-not-in-framework")


def _leg(case: Case, leg: legs.Leg) -> Unmet:
    """What is wrong with the entries cited, and what the law folder offers instead."""
    cited = tuple(filter(None, (case.policies.law_on(key, case.on) for key in leg.cited)))
    purpose = _shown(case.purpose, case.policies.purposes)
    faults = [f"{key} is not in force" for key in leg.cited if case.policies.law_on(key, case.on) is None]
    standing = case.standing(leg)
    for entry in (entry for entry in cited if leg.serves in entry.serves and entry not in standing):
        covered = case.covers(entry, leg)
        short = "lacks an entry it needs" if covered else f"does not cover {leg.parties} for {purpose}"
        faults.append(f"{entry.citation} {short}")
    faults += [f"none that stands reaches {indicator.code}" for indicator in case.unreached(leg)]
    offered = [entry.citation for entry in case.offered(leg)]
    way = f"The law folder offers: {', '.join(offered)}" if offered else "The law folder offers none yet"
    return _fails(case, leg.role, f"At present {'; '.join(faults) or 'none is cited'}. {way}", resting=cited)


def _forbidden(case: Case, dataset: DatasetPolicy) -> Iterator[Unmet]:
    requirement = REQUIREMENTS["forbidden"]
    for key in sorted(case.policies.law):
        entry = case.policies.law_on(key, case.on)
        if entry is None or Serves.PROHIBITION not in entry.serves:
            continue
        ways = ((COUNCIL, dataset.partner_kind), (dataset.partner_kind, COUNCIL))
        if any(entry.covers(discloser, to, case.purpose) for discloser, to in ways):
            yield Unmet(
                code=requirement.code,
                requirement=requirement.requirement,
                citation=entry.citation,
                clause=entry.clause,
                remedy=requirement.remedy,
                forbidden=True,
                confirmed=entry.confirmed,
            )


def _size(case: Case, asked: Question) -> Iterator[Unmet]:
    dataset = case.dataset
    if dataset is None:
        return
    if asked.people < dataset.min_people or asked.households < dataset.min_households:
        least = f"At least {dataset.min_households} households and {dataset.min_people} people"
        yield _fails(case, "list-too-small", least)
    if asked.people > dataset.max_people or asked.households > dataset.max_households:
        most = f"At most {dataset.max_households} households and {dataset.max_people} people"
        yield _fails(case, "list-too-large", most)


def _agreement(case: Case, asked: Question, on: date) -> Iterator[Unmet]:
    terms = asked.agreement
    if terms is None:
        yield _fails(case, "agreement-missing")
        return
    if not terms.signed:
        yield _fails(case, "agreement-unsigned")
    if terms.revoked:
        yield _fails(case, "agreement-revoked")
    if on < terms.valid_from:
        yield _fails(case, "agreement-not-begun")
    if on > terms.valid_to:
        yield _fails(case, "agreement-expired")
    if on > terms.dpia_to:
        yield _fails(case, "dpia-expired")
    if on > terms.policy_document_to:
        yield _fails(case, "policy-document-expired")
    if terms.dataset != asked.dataset:
        yield _fails(case, "agreement-other-dataset")
    elif case.dataset is not None and terms.policy_digest != case.dataset.digest:
        yield _fails(case, "agreement-other-policy")
