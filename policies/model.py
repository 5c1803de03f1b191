"""What a policy folder says, as frozen values; `checks` looks at them together."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from enum import Enum, StrEnum
from functools import cached_property
from typing import Any, Final

from gateway.domain.errors import BadInputError
from gateway.domain.exchange import Granularity, Release
from policies.vocabulary import ANY


class Serves(StrEnum):
    """Which requirement a law entry can meet."""

    GATEWAY = "gateway"
    LAWFUL_BASIS = "lawful-basis"
    SPECIAL_CATEGORY = "special-category"
    OFFENCE = "offence"
    EXPORT = "export"
    CONFIDENTIALITY = "confidentiality"
    SUPPORT = "support"  # never enough alone: a schedule paragraph or proviso that another entry needs
    PROHIBITION = "prohibition"  # forbids what it covers, whatever a dataset says


class Category(StrEnum):
    """What makes an indicator more than ordinary personal data."""

    SPECIAL = "special"  # UK GDPR Article 9(1); sensitive personal data of DPA 1998 s.2
    OFFENCE = "offence"  # UK GDPR Article 10, allegations included (DPA 2018 s.11(2))


class Family(StrEnum):
    """Which numbering of principles and conditions a regime uses."""

    GDPR = "gdpr"
    DPA_1998 = "dpa-1998"


class ConsentRule(StrEnum):
    EXPLICIT = "explicit"  # a row without a recorded yes is withheld
    OFF = "off"


class Onward(StrEnum):
    """To whom the recipient may pass a flag on."""

    NONE = "none"
    WITH_CONSENT = "with-consent"
    FAMILY_PLAN = "family-plan"  # to those who plan and give this family's support, for the same purpose


class CosignedBy(StrEnum):
    """Which witness must have cosigned the log before an answer is released."""

    PARTNER = "partner"  # the one that answered
    OUTSIDE = "outside"  # one of another organisation


DATASET_TYPE: Final = {"type": "flagstone/dataset-policy/v1"}


def plain(value: Any) -> Any:
    """JSON of strings, integers, booleans, lists and objects alone; absent fields are left out (RFC 8785)."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        pairs = ((f.name, getattr(value, f.name)) for f in fields(value))
        return {name: plain(item) for name, item in pairs if item is not None}
    return value


def digest_of(document: Any) -> str:
    """SHA-256, hex, over RFC 8785 JSON: keys are ASCII, so their order is that of UTF-16 units."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Span:
    """Days of force, both inclusive, Europe/London; `valid_to` None means until further notice."""

    valid_from: date
    valid_to: date | None = None

    def __post_init__(self) -> None:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise BadInputError("valid_to lies before valid_from", place="valid_to")

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def overlaps(self, other: "Span") -> bool:
        return (self.valid_to is None or other.valid_from <= self.valid_to) and (
            other.valid_to is None or self.valid_from <= other.valid_to
        )


@dataclass(frozen=True, slots=True)
class Regime:
    """One period of data-protection law. `part3`: law enforcement has rules of its own (DPA 2018 Part 3).

    `confirmed` is false until its days were read at their source.
    """

    id: str
    title: str
    instrument: str  # as citations name it: "UK GDPR"
    family: Family
    span: Span
    part3: bool
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why an exchange is asked for."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A council's word that it read a law entry at its source: who, and when."""

    law: str
    by: str
    on: date


@dataclass(frozen=True, slots=True)
class LawEntry:
    """One version of one provision: who may disclose to whom, for what, when and within which limits.

    `confirmed` is false until the text was read at its source; every explanation resting on it then says so.
    `topics`: what it may be asked about; `commenced` is false for an enacted provision that no commencement
    regulations are known for, which may be cited and never holds.
    `needs`: entries that must stand beside this one; `needs_any`: at least one of these must.
    """

    id: str
    serves: tuple[Serves, ...]
    title: str
    citation: str
    clause: str
    span: Span
    disclosers: tuple[str, ...]
    recipients: tuple[str, ...]
    purposes: tuple[str, ...]
    limits: tuple[str, ...]
    needs: tuple[str, ...]
    needs_any: tuple[str, ...]
    needs_consent: bool
    confirmed: bool
    topics: tuple[str, ...] = (ANY,)
    commenced: bool = True
    confirmation: Confirmation | None = None  # where a council confirmed what is shipped unconfirmed

    def covers(self, discloser: str, recipient: str, purpose: str) -> bool:
        """Whether these parties and this purpose are among those it names; ANY names all."""
        return (
            not {discloser, ANY}.isdisjoint(self.disclosers)
            and not {recipient, ANY}.isdisjoint(self.recipients)
            and not {purpose, ANY}.isdisjoint(self.purposes)
        )

    def reaches(self, indicator: "Indicator") -> bool:
        """Whether it may be asked about one of the indicator's topics."""
        return not {*indicator.topics, ANY}.isdisjoint(self.topics)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One yes-or-no question.

    `topics`: what it is about, for gateways; `evidenced_by`: kinds of source whose records can answer it.
    `confirmed` is false until its wording was read in the programme's own text.
    """

    code: str
    headline: str
    label: str
    topics: tuple[str, ...]
    categories: tuple[Category, ...]
    evidenced_by: tuple[str, ...]
    confirmed: bool = True


class Counted(StrEnum):
    """What a framework's threshold counts: needs one by one, or the headlines that they stand under."""

    INDICATORS = "indicators"
    HEADLINES = "headlines"


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many of what a household must meet to be in the programme."""

    counted: Counted
    least: int

    def __str__(self) -> str:
        return f"{self.least} {self.counted.value}"


@dataclass(frozen=True, slots=True)
class Framework:
    """A programme period's indicators, and how many of them bring a household into the programme.

    `expectant_parents`: a household that expects a child counts as one with a child.
    """

    id: str
    title: str
    span: Span
    threshold: Threshold
    indicators: tuple[Indicator, ...]
    expectant_parents: bool = False

    def reached_by(self, codes: Collection[str]) -> bool:
        """Whether a household that meets these indicators reaches the threshold; others count nothing."""
        met = [indicator for indicator in self.indicators if indicator.code in codes]
        by_headline = self.threshold.counted is Counted.HEADLINES
        return len({i.headline if by_headline else i.code for i in met}) >= self.threshold.least

    def find(self, code: str) -> Indicator | None:
        return next((i for i in self.indicators if i.code == code), None)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The data-protection conditions that a dataset rests on in some regimes, as law entry ids.

    `request`: those of the list's own way to the partner; the rest are of the answer's way back.
    """

    regimes: tuple[str, ...]
    request: tuple[str, ...]
    lawful_basis: tuple[str, ...]
    special_category: tuple[str, ...]
    offence: tuple[str, ...]
    export: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gateways:
    """Law entry ids per leg. The list sent out is a disclosure too, so it needs its own (DOMAIN.md §0)."""

    request: tuple[str, ...]
    answer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowRules:
    """Which rows are withheld from the list before it leaves; `areas` empty means anywhere.

    A household of more than `max_household` rows is an institution or a slip, and is withheld whole.
    """

    consent: ConsentRule
    indicator_met: bool
    dependent_child: bool
    min_household: int
    max_household: int
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asks:
    """What a dataset asks under one framework, in the framework's own words."""

    framework: str
    indicators: tuple[Indicator, ...]


@dataclass(frozen=True)  # no slots: the digest is worked out once
class DatasetPolicy:
    """One partner's indicators and every limit on asking for them.

    `cosigned_by`: whose cosignatures a release waits for; None, which no digest shows, asks for none.
    `repeat_days`: days for which a household that was asked about isn't asked about again; 0 sets none.
    `asks` is filled in from the frameworks, so that an agreement binds what each code means.
    """

    id: str
    title: str
    partner_kind: str
    controller: str
    recipient: str
    span: Span
    purposes: tuple[str, ...]
    frameworks: tuple[str, ...]
    indicators: tuple[str, ...]
    identifiers: tuple[str, ...]
    gateways: Gateways
    conditions: tuple[Conditions, ...]
    confidentiality: tuple[str, ...]
    granularity: Granularity
    release: Release
    onward: Onward
    row_rules: RowRules
    expected_overlap_permille: int
    any_postcode: bool
    min_people: int
    max_people: int
    min_households: int
    max_households: int
    repeat_days: int
    answer_days: int
    results_days: int
    accounting_days: int
    asks: tuple[Asks, ...] = ()
    cosigned_by: tuple[CosignedBy, ...] | None = None

    def asked(self, framework: Framework) -> tuple[str, ...]:
        """The codes asked under a framework: those of the dataset that it has, in the order here."""
        return tuple(code for code in self.indicators if framework.find(code))

    def in_regime(self, regime: str) -> Conditions | None:
        return next((c for c in self.conditions if regime in c.regimes), None)

    def to_json(self) -> dict[str, Any]:
        """The whole policy, as agreements embed it: RFC 8785-safe."""
        document: dict[str, Any] = plain(self)
        return DATASET_TYPE | document

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `to_json`, hex: what an agreement binds."""
        return digest_of(self.to_json())


@dataclass(frozen=True)  # no slots: what is derived is worked out once
class PolicySet:
    """Everything loaded. The empty set refuses every question. `law`: id -> its versions, oldest first."""

    regimes: Mapping[str, Regime] = field(default_factory=dict)
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    law: Mapping[str, tuple[LawEntry, ...]] = field(default_factory=dict)
    frameworks: Mapping[str, Framework] = field(default_factory=dict)
    datasets: Mapping[str, DatasetPolicy] = field(default_factory=dict)

    def regime_on(self, on: date) -> Regime | None:
        return next((r for r in self.regimes.values() if r.span.holds(on)), None)

    def law_on(self, entry: str, on: date) -> LawEntry | None:
        """The version of a law entry that has commenced and is in force on a day."""
        return next((v for v in self.law.get(entry, ()) if v.commenced and v.span.holds(on)), None)

    @cached_property
    def remembered(self) -> dict[Any, Any]:
        """What `decide` has worked out of this set alone, by kind of question and period."""
        return {}

    @cached_property
    def borders(self) -> tuple[date, ...]:
        """The days on which something begins or ceases to hold, in order; between two nothing changes."""
        spans = [version.span for versions in self.law.values() for version in versions]
        spans += [regime.span for regime in self.regimes.values()]
        spans += [framework.span for framework in self.frameworks.values()]
        spans += [dataset.span for dataset in self.datasets.values()]
        starts = {span.valid_from for span in spans}
        ends = {span.valid_to + timedelta(days=1) for span in spans if span.valid_to}
        return tuple(sorted(starts | ends))

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex, over the whole set, whatever its files are called and in whatever order."""
        return digest_of(plain(self))
