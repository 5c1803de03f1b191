"""`decide`: permit, or refuse with every unmet requirement. Pure and default-deny."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from gateway.domain.errors import BadInputError
from policies.checks import exports, indicators_of
from policies.grounds import grounds
from policies.legal_date import legal_date
from policies.model import (
    CONFIDENTIAL,
    COUNCIL,
    Category,
    Conditions,
    DatasetPolicy,
    Family,
    LawEntry,
    PolicySet,
    Regime,
    Serves,
    plain,
)
from policies.requirements import REQUIREMENTS

ENGINE: Final = "flagstone-policies/1"
"""Version of the rules in this module: any change of what is decided changes it."""

UNKNOWN: Final = "unknown"
"""Stands for an id that the policy set does not have: what a caller typed is never repeated."""


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What a decision needs of an agreement; days inclusive, Europe/London. `signed`: by both sides."""

    number: str
    partner: str
    dataset: str
    policy_digest: str
    valid_from: date
    valid_to: date
    signed: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class Question:
    """May this list go to this dataset's partner? `framework` "" means the policy's only one."""

    dataset: str
    purpose: str
    framework: str
    agreement: AgreementTerms | None
    households: int
    people: int


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met. `forbidden`: no policy or agreement can meet it."""

    code: str
    requirement: str
    citation: str
    clause: str
    remedy: str
    forbidden: bool
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """A law entry that a permit rests on, and for which requirement (`role`)."""

    role: str
    id: str
    title: str
    citation: str
    clause: str
    limits: tuple[str, ...]
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """The legal basis of a permit."""

    grounds: tuple[Ground, ...]

    @property
    def citations(self) -> tuple[str, ...]:
        """Each provision once, in the order of the requirements."""
        return tuple(dict.fromkeys(ground.citation for ground in self.grounds))


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a question, with all that is needed to replay it.

    Raises:
        BadInputError: permitted with an unmet requirement or without a basis, or refused without a reason.
    """

    permitted: bool
    unmet: tuple[Unmet, ...]
    basis: Basis | None
    dataset: str
    purpose: str
    framework: str
    regime: str
    agreement: str
    at: datetime
    policy_set: str
    engine: str

    def __post_init__(self) -> None:
        if self.permitted == bool(self.unmet) or self.permitted != (self.basis is not None):
            raise BadInputError(
                "a permit has a basis and nothing unmet, a refusal the reverse", place="decision"
            )

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Citations it rests on whose text nobody has confirmed at the source yet."""
        resting = (*self.unmet, *(self.basis.grounds if self.basis else ()))
        return tuple(dict.fromkeys(item.citation for item in resting if not item.confirmed))

    def to_json(self) -> dict[str, Any]:
        """RFC 8785-safe: strings, integers, booleans, lists and objects with ASCII keys; no null."""
        moment = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "type": "flagstone/decision/v1",
            "permitted": self.permitted,
            "unmet": plain(self.unmet),
            "basis": plain(self.basis.grounds if self.basis else ()),
            "unconfirmed": plain(self.unconfirmed),
            "dataset": self.dataset,
            "purpose": self.purpose,
            "framework": self.framework,
            "regime": self.regime,
            "agreement": self.agreement,
            "at": moment,
            "legal_date": legal_date(self.at).isoformat(),
            "policy_set": self.policy_set,
            "engine": self.engine,
        }


def decide(question: Question, policies: PolicySet, at: datetime) -> Decision:
    """Permit or refuse one exchange at one moment; the same arguments give the same decision for ever.

    Raises:
        BadInputError: `at` has no time zone. An unknown id is no error but a refusal.
    """
    case = _Case.of(question, policies, at)
    unmet = tuple(dict.fromkeys(case.unmet()))
    return Decision(
        permitted=not unmet,
        unmet=unmet,
        basis=None if unmet else Basis(tuple(case.grounds())),
        dataset=_shown(question.dataset, policies.datasets),
        purpose=_shown(question.purpose, policies.purposes),
        framework=_shown(case.framework, policies.frameworks),
        regime=case.regime.id if case.regime else UNKNOWN,
        agreement=question.agreement.number if question.agreement else "",
        at=at,
        policy_set=policies.digest,
        engine=ENGINE,
    )


def _shown(name: str, known: Mapping[str, object]) -> str:
    return name if name in known else UNKNOWN


_Leg = tuple[str, Serves, tuple[str, ...], str, str]


@dataclass(frozen=True, slots=True)
class _Case:
    """A question with what the policy set says of it on its legal day."""

    question: Question
    policies: PolicySet
    on: date
    regime: Regime | None
    dataset: DatasetPolicy | None
    framework: str

    @classmethod
    def of(cls, question: Question, policies: PolicySet, at: datetime) -> "_Case":
        on = legal_date(at)
        dataset = policies.datasets.get(question.dataset)
        frameworks = dataset.frameworks if dataset else ()
        only = frameworks[0] if len(frameworks) == 1 else ""
        regime = policies.regime_on(on)
        return cls(question, policies, on, regime, dataset, question.framework or only)

    def unmet(self) -> Iterator[Unmet]:
        """Every unmet requirement, in the order of the flow: who, why, what, by which law, under which terms."""
        if self.regime is None:
            yield self._fails("regime-unknown")
        yield from self._known()
        if self.dataset is not None:
            yield from self._dataset(self.dataset)
            yield from self._law(self.dataset)
            yield from self._size(self.dataset)
        yield from self._agreement()

    def _fails(self, code: str, why: str = "") -> Unmet:
        requirement = REQUIREMENTS[code]
        return Unmet(
            code=code,
            requirement=requirement.requirement,
            citation=requirement.citation(self.regime),
            clause=requirement.clause,
            remedy=f"{requirement.remedy} ({why})" if why else requirement.remedy,
            forbidden=False,
            # the principles of 1998 were read at their source, the articles of the GDPR not yet
            confirmed=self.regime is not None and self.regime.family is Family.DPA_1998,
        )

    def _known(self) -> Iterator[Unmet]:
        if self.dataset is None:
            yield self._fails("dataset-unknown")
        if self.question.purpose not in self.policies.purposes:
            yield self._fails("purpose-unknown")
        framework = self.policies.frameworks.get(self.framework)
        if framework is None:
            yield self._fails("framework-unknown")
        elif not framework.span.holds(self.on):
            yield self._fails("framework-not-in-force")

    def _dataset(self, dataset: DatasetPolicy) -> Iterator[Unmet]:
        if not dataset.span.holds(self.on):
            yield self._fails("dataset-not-in-force")
        if self.question.purpose not in dataset.purposes:
            yield self._fails("purpose-not-allowed", f"it allows {', '.join(dataset.purposes)}")
        framework = self.policies.frameworks.get(self.framework)
        if framework is not None and self.framework not in dataset.frameworks:
            yield self._fails("framework-not-allowed", f"it uses {', '.join(dataset.frameworks)}")
        if framework is not None and not all(framework.find(code) for code in dataset.indicators):
            yield self._fails("indicator-not-in-framework")

    def _law(self, dataset: DatasetPolicy) -> Iterator[Unmet]:
        for role, serves, cited, discloser, recipient in self._legs(dataset):
            if not grounds(cited, serves, self._finder(discloser, recipient)):
                yield self._fails(role, self._why(cited, serves, discloser, recipient))
        yield from self._prohibitions(dataset)

    def _legs(self, dataset: DatasetPolicy) -> Iterator[_Leg]:
        """Each requirement that law entries must meet: role, kind, ids cited for it, who discloses to whom."""
        partner = dataset.partner_kind
        none = Conditions((), (), (), (), ())
        conditions = (dataset.in_regime(self.regime.id) if self.regime else None) or none
        yield "gateway-request", Serves.GATEWAY, dataset.gateways.request, COUNCIL, partner
        yield "gateway-answer", Serves.GATEWAY, dataset.gateways.answer, partner, COUNCIL
        yield "lawful-basis", Serves.LAWFUL_BASIS, conditions.lawful_basis, partner, COUNCIL
        categories = {c for i in indicators_of(dataset, self.policies) for c in i.categories}
        if Category.SPECIAL in categories:
            cited = conditions.special_category
            yield "special-category", Serves.SPECIAL_CATEGORY, cited, partner, COUNCIL
        if Category.OFFENCE in categories:
            yield "offence", Serves.OFFENCE, conditions.offence, partner, COUNCIL
        if self.regime is not None and exports(dataset, self.regime):
            yield "export", Serves.EXPORT, conditions.export, partner, COUNCIL
        if partner in CONFIDENTIAL:
            yield "confidentiality", Serves.CONFIDENTIALITY, dataset.confidentiality, partner, COUNCIL

    def _finder(self, discloser: str, recipient: str) -> Any:
        def find(key: str) -> LawEntry | None:
            entry = self.policies.law_on(key, self.on)
            covers = entry is not None and entry.covers(discloser, recipient, self.question.purpose)
            return entry if covers else None

        return find

    def _why(self, cited: tuple[str, ...], serves: Serves, discloser: str, recipient: str) -> str:
        """What is wrong with each cited entry that could have met the requirement."""
        purpose = _shown(self.question.purpose, self.policies.purposes)
        faults = []
        for key in cited:
            entry = self.policies.law_on(key, self.on)
            if entry is None:
                faults.append(f"{key} is not in force on the day")
            elif serves in entry.serves and not entry.covers(discloser, recipient, self.question.purpose):
                faults.append(f"{entry.citation} does not cover {discloser} to {recipient} for {purpose}")
            elif serves in entry.serves:
                faults.append(f"{entry.citation} lacks an entry that it needs beside it")
        return "; ".join(faults) or "none is cited"

    def _prohibitions(self, dataset: DatasetPolicy) -> Iterator[Unmet]:
        base = self._fails("forbidden")
        for entry in filter(None, (self.policies.law_on(key, self.on) for key in sorted(self.policies.law))):
            if Serves.PROHIBITION in entry.serves and entry.covers(
                dataset.partner_kind, COUNCIL, self.question.purpose
            ):
                yield Unmet(
                    code=base.code,
                    requirement=base.requirement,
                    citation=entry.citation,
                    clause=entry.clause,
                    remedy=base.remedy,
                    forbidden=True,
                    confirmed=entry.confirmed,
                )

    def _size(self, dataset: DatasetPolicy) -> Iterator[Unmet]:
        asked = self.question
        if asked.people < dataset.min_people or asked.households < dataset.min_households:
            why = f"households {dataset.min_households}, people {dataset.min_people}"
            yield self._fails("list-too-small", why)
        if asked.people > dataset.max_people or asked.households > dataset.max_households:
            why = f"households {dataset.max_households}, people {dataset.max_people}"
            yield self._fails("list-too-large", why)

    def _agreement(self) -> Iterator[Unmet]:
        terms = self.question.agreement
        if terms is None:
            yield self._fails("agreement-missing")
            return
        if not terms.signed:
            yield self._fails("agreement-unsigned")
        if terms.revoked:
            yield self._fails("agreement-revoked")
        if self.on < terms.valid_from:
            yield self._fails("agreement-not-begun")
        if self.on > terms.valid_to:
            yield self._fails("agreement-expired")
        if terms.dataset != self.question.dataset:
            yield self._fails("agreement-other-dataset")
        elif self.dataset is not None and terms.policy_digest != self.dataset.digest:
            yield self._fails("agreement-other-policy")

    def grounds(self) -> Iterator[Ground]:
        """What a permit rests on, in the order of the requirements."""
        if self.dataset is None:
            return
        for role, serves, cited, discloser, recipient in self._legs(self.dataset):
            for entry in grounds(cited, serves, self._finder(discloser, recipient)):
                yield Ground(
                    role, entry.id, entry.title, entry.citation, entry.clause, entry.limits, entry.confirmed
                )
