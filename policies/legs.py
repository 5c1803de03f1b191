"""What is asked, what the policy set says of it on its day, and the legs of law it must stand on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from policies.checks import exports, indicators_of, told_by_the_list
from policies.grounds import Find, grounds, heads
from policies.model import (
    Category,
    Conditions,
    ConsentRule,
    DatasetPolicy,
    Indicator,
    LawEntry,
    PolicySet,
    Regime,
    Serves,
)
from policies.vocabulary import CONFIDENTIAL, COUNCIL

_NOTHING: Final = Conditions(
    regimes=(), request=(), lawful_basis=(), special_category=(), offence=(), export=()
)


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
    """What is asked, and what is in force for it. `on`: the legal day."""

    policies: PolicySet
    on: date
    regime: Regime | None
    dataset: DatasetPolicy | None
    purpose: str
    framework: str

    @classmethod
    def of(cls, policies: PolicySet, dataset: str, purpose: str, framework: str, on: date) -> "Case":
        """`framework` "" means the dataset's only one in force on the day."""
        policy = policies.datasets.get(dataset)
        named = (policies.frameworks.get(name) for name in (policy.frameworks if policy else ()))
        current = [each.id for each in named if each is not None and each.span.holds(on)]
        only = current[0] if len(current) == 1 else ""
        return cls(policies, on, policies.regime_on(on), policy, purpose, framework or only)

    def legs(self) -> Iterator[Leg]:
        """The legs that this dataset's partner, indicators and the regime of the day call for."""
        if self.dataset is None:
            return
        partner, gateways = self.dataset.partner_kind, self.dataset.gateways
        stated = (self.dataset.in_regime(self.regime.id) if self.regime else None) or _NOTHING
        yield Leg("gateway-request", Serves.GATEWAY, gateways.request, COUNCIL, partner)
        for serves in self._told_by_the_list(self.dataset):
            yield Leg(f"request-{serves.value}", serves, stated.request, COUNCIL, partner)
        yield Leg("gateway-answer", Serves.GATEWAY, gateways.answer, partner, COUNCIL)
        for serves, cited in self._conditions(self.dataset, stated):
            yield Leg(serves.value, serves, cited, partner, COUNCIL)

    def _told_by_the_list(self, dataset: DatasetPolicy) -> Iterator[Serves]:
        """The list discloses too: that these households met some indicator of the framework."""
        yield Serves.LAWFUL_BASIS
        categories = told_by_the_list(dataset, self.policies)
        if Category.SPECIAL in categories:
            yield Serves.SPECIAL_CATEGORY
        if Category.OFFENCE in categories:
            yield Serves.OFFENCE

    def _conditions(
        self, dataset: DatasetPolicy, stated: Conditions
    ) -> Iterator[tuple[Serves, tuple[str, ...]]]:
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
        """Whether the entry names these parties and purpose, and rests on no consent that nobody asks."""
        asked = self.dataset is not None and self.dataset.row_rules.consent is ConsentRule.EXPLICIT
        told = entry.covers(leg.discloser, leg.recipient, self.purpose)
        return told and (asked or not entry.needs_consent)

    def met(self, leg: Leg) -> tuple[LawEntry, ...]:
        """The cited entries that carry the leg on the day; () when it does not stand."""
        return () if self.unreached(leg) else grounds(leg.cited, leg.serves, self._finder(leg))

    def standing(self, leg: Leg) -> tuple[LawEntry, ...]:
        """The cited entries that would carry the leg, but for the topics of a gateway."""
        return heads(leg.cited, leg.serves, self._finder(leg))

    def unreached(self, leg: Leg) -> tuple[Indicator, ...]:
        """The indicators that no gateway which stands reaches; () for other legs, or where none stands."""
        if self.dataset is None or leg.serves is not Serves.GATEWAY:
            return ()
        standing = self.standing(leg)
        asked = dict.fromkeys(indicators_of(self.dataset, self.policies)) if standing else {}
        return tuple(each for each in asked if not any(entry.reaches(each) for entry in standing))

    def offered(self, leg: Leg) -> tuple[LawEntry, ...]:
        """Every entry of the law folder that would help to carry the leg, cited with what it needs."""
        found = grounds(self.policies.law, leg.serves, self._finder(leg))
        if self.dataset is None or leg.serves is not Serves.GATEWAY:
            return found
        wanted = self.unreached(leg) or indicators_of(self.dataset, self.policies)
        return tuple(entry for entry in found if any(map(entry.reaches, wanted)))

    def _finder(self, leg: Leg) -> Find:
        def find(key: str) -> LawEntry | None:
            entry = self.policies.law_on(key, self.on)
            return entry if entry is not None and self.covers(entry, leg) else None

        return find
