"""A scheme: how people become match keys and what agreement is worth. Data, not code paths (DESIGN.md §4).

A published scheme never changes: both sides of an exchange must do exactly the same. A change is a new
version.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, Self

from gateway.domain.errors import VerificationError

MAX_KEYS: Final = 32
"""Sets of agreeing keys are kept as bits of one UInt32."""


@dataclass(frozen=True, slots=True)
class MatchKey:
    """A recipe over identifiers. `parts` are columns of `normalise`; the label is them joined with a dot."""

    label: str
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, label: str) -> Self:
        return cls(label, tuple(label.split(".")))


@dataclass(frozen=True, slots=True)
class Placeholders:
    """Values that stand for "not known", in normalised form: they never make a token."""

    names: frozenset[str]
    forenames: frozenset[str]
    births: frozenset[date]
    postcodes: frozenset[str]
    postcode_areas: frozenset[str]


@dataclass(frozen=True, slots=True)
class Household:
    """What changes where the postcode agrees and the NHS number does not, in bits."""

    surname: float
    twin: float


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version. `evidence`: part -> component -> bits; `against`: component -> bits.

    Raises:
        VerificationError: the tables do not fit together, or a key would be a token of a single field.
    """

    version: str
    self_test: str
    keys: tuple[MatchKey, ...]
    evidence: Mapping[str, Mapping[str, float]]
    against: Mapping[str, float]
    differing_initial: float
    household: Household
    margin: float
    placeholders: Placeholders

    def __post_init__(self) -> None:
        shown = {component for bits in self.evidence.values() for component in bits}
        known = all(part in self.evidence for key in self.keys for part in key.parts)
        if not known or shown != set(self.against):
            raise VerificationError("the scheme's tables do not fit together", place=f"scheme {self.version}")
        if len(set(self.labels)) != len(self.keys) or not 1 <= len(self.keys) <= MAX_KEYS:
            raise VerificationError("not 1 to 32 different match keys", place=f"scheme {self.version}")
        if any(len(self.components(key)) == 1 for key in self.keys):
            raise VerificationError("a match key has a single field", place=f"scheme {self.version}")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(key.label for key in self.keys)

    def components(self, key: MatchKey) -> Mapping[str, float]:
        """What agreement on the key shows: component -> bits, the strongest of its parts."""
        found: dict[str, float] = {}
        for part in key.parts:
            for component, bits in self.evidence[part].items():
                found[component] = max(bits, found.get(component, 0.0))
        return found

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the TOML of a scheme."""
        table: dict[str, Any] = tomllib.loads(text)
        evidence = {part: MappingProxyType(bits) for part, bits in table["evidence"].items()}
        placeholders = {name: frozenset(values) for name, values in table["placeholders"].items()}
        return cls(
            version=table["version"],
            self_test=table["self_test"],
            keys=tuple(MatchKey.parse(label) for label in table["keys"]),
            evidence=MappingProxyType(evidence),
            against=MappingProxyType(table["against"]),
            differing_initial=table["initial"]["differing"],
            household=Household(**table["household"]),
            margin=table["acceptance"]["margin"],
            placeholders=Placeholders(**placeholders),
        )


def package_text(name: str) -> str:
    """The text of a data file of this package."""
    return (resources.files("gateway.linkage") / name).read_text(encoding="utf-8")


V1: Final = Scheme.parse(package_text("v1.toml"))
_SCHEMES: Final = MappingProxyType({V1.version: V1})


def scheme_of(version: str) -> Scheme:
    """The scheme of that version.

    Raises:
        VerificationError: this installation does not know it.
    """
    if version not in _SCHEMES:
        raise VerificationError(
            "unknown scheme version",
            place="scheme",
            way_out=f"Both sides must run a release that knows it; this one knows {', '.join(_SCHEMES)}",
        )
    return _SCHEMES[version]
