"""A question with what the policy set says of it on its day, and the legs of law that it must stand on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from policies.checks import exports, indicators_of
from policies.grounds import grounds
from policies.model import (
    CONFIDENTIAL,
    COUNCIL,
    Category,
    Conditions,
    DatasetPolicy,
    Indicator,
    LawEntry,
    PolicySet,
    Regime,
    Serves,
)
from policies.verdict import Question

_NOTHING: Final = Conditions(regimes=(), lawful_basis=(), special_category=(), offence=(), export=())


@dataclass(frozen=True, slots=True)
class Leg:
    """One requirement that law entries must meet, the entries cited for it, and who discloses to whom."""

    role: str
    serves: Serves
    cited: tuple[str, ...]
    discloser: str
    recipient: str

    @property
    def parties(self) -> str:
        return f"{self.discloser} to {self.recipient}"


@dataclass(frozen=True, slots=True)
class Case:
    """A question and what is in force for it. `on`: the legal day."""

    question: Question
    policies: PolicySet
    on: date
    regime: Regime | None
    dataset: DatasetPolicy | None
    framework: str

    @classmethod
    def of(cls, question: Question, policies: PolicySet, on: date) -> "Case":
        dataset = policies.datasets.get(question.dataset)
        frameworks = dataset.frameworks if dataset else ()
        only = frameworks[0] if len(frameworks) == 1 else ""
        return cls(question, policies, on, policies.regime_on(on), dataset, question.framework or only)

    def legs(self) -> Iterator[Leg]:
        """The legs that this dataset's partner, indicators and the regime of the day call for."""
        if self.dataset is None:
            return
        partner, gateways = self.dataset.partner_kind, self.dataset.gateways
        yield Leg("gateway-request", Serves.GATEWAY, gateways.request, COUNCIL, partner)
        yield Leg("gateway-answer", Serves.GATEWAY, gateways.answer, partner, COUNCIL)
        for serves, cited in self._conditions(self.dataset):
            yield Leg(serves.value, serves, cited, partner, COUNCIL)

    def _conditions(self, dataset: DatasetPolicy) -> Iterator[tuple[Serves, tuple[str, ...]]]:
        stated = (dataset.in_regime(self.regime.id) if self.regime else None) or _NOTHING
        categories = {c for i in indicators_of(dataset, self.policies) for c in i.categories}
        yield Serves.LAWFUL_BASIS, stated.lawful_basis
        if Category.SPECIAL in categories:
            yield Serves.SPECIAL_CATEGORY, stated.special_category
        if Category.OFFENCE in categories:
            yield Serves.OFFENCE, stated.offence
        if self.regime is not None and exports(dataset, self.regime):
            yield Serves.EXPORT, stated.export
        if dataset.partner_kind in CONFIDENTIAL:
            yield Serves.CONFIDENTIALITY, dataset.confidentiality

    def covers(self, entry: LawEntry, leg: Leg) -> bool:
        return entry.covers(leg.discloser, leg.recipient, self.question.purpose)

    def met(self, leg: Leg) -> tuple[LawEntry, ...]:
        """The cited entries that carry the leg on the day; () when it does not stand."""
        found = self._carrying(leg, leg.cited)
        return found if not self.unreached(leg, found) else ()

    def unreached(self, leg: Leg, found: tuple[LawEntry, ...]) -> tuple[Indicator, ...]:
        """The dataset's indicators that none of the gateways found reaches; () for other legs."""
        if self.dataset is None or leg.serves is not Serves.GATEWAY:
            return ()
        heads = [entry for entry in found if Serves.GATEWAY in entry.serves]
        asked = indicators_of(self.dataset, self.policies)
        return tuple(each for each in asked if not any(entry.reaches(each) for entry in heads))

    def offered(self, leg: Leg) -> tuple[LawEntry, ...]:
        """Every entry of the law folder that would carry the leg, were it cited."""
        return self._carrying(leg, tuple(self.policies.law))

    def _carrying(self, leg: Leg, cited: tuple[str, ...]) -> tuple[LawEntry, ...]:
        def find(key: str) -> LawEntry | None:
            entry = self.policies.law_on(key, self.on)
            return entry if entry is not None and self.covers(entry, leg) else None

        return grounds(cited, leg.serves, find)
