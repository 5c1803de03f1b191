"""A scheme: how people become match keys and what agreement is worth. Data, not code paths (DESIGN.md §4).

A published scheme never changes: both sides of an exchange must do exactly the same. A change is a new
version.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib import resources
from itertools import chain
from math import inf
from types import MappingProxyType
from typing import Any, Final, Self

from gateway.domain.errors import VerificationError

MAX_KEYS: Final = 32
"""Sets of agreeing keys are kept as bits of one UInt32."""

NAMES: Final = ("forename", "surname")
PLACE: Final = "place"
POSTCODE: Final = "pc"
WHOLE_NAME: Final = "gs"
"""The part that is the whole name."""


PARTS: Final = frozenset(
    [
        *("gk", "g1", "g3", "gS"),
        *("s", "s1", "s3", "sE", "sS", "sl"),
        *("gs", "gs3"),
        *("born", "dm", "my", "y"),
        *("pc", "pcx", "out"),
        *("nhs", "upn", "nino", "uprn"),
    ]
)
"""What `normalise` makes of a person, and so what a match key may be made of."""

_ROUNDING: Final = 0.02
"""Shares of one component are rounded to two digits each, and the rarest ways of agreeing left out."""


def _refuse_unless(sound: bool, what: str) -> None:
    if not sound:
        raise VerificationError(what, place="a scheme's tables")


def _is_share(number: float) -> bool:
    return 0 < number <= 1


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
class Level:
    """One way in which a component of two records can agree: in `agree`, and in no other of its parts.

    How often it is so: `match` of true pairs, `poor` of true pairs of badly kept records, `stranger` of two
    people who have nothing to do with each other, `community` of two whose names come from one community,
    `kin` of two members of one household.
    """

    agree: frozenset[str]
    match: float
    poor: float
    stranger: float
    community: float
    kin: float

    def __post_init__(self) -> None:
        shares = (self.match, self.poor, self.stranger, self.community, self.kin)
        _refuse_unless(all(map(_is_share, shares)), "a level's share is not above 0 and at most 1")


@dataclass(frozen=True, slots=True)
class PlaceLevel:
    """As `Level`, for the place: the strangers who agree so are at most `people` and that `share` of all."""

    agree: frozenset[str]
    match: float
    poor: float
    kin: float
    people: float
    share: float

    def __post_init__(self) -> None:
        shares = (self.match, self.poor, self.kin, self.share)
        _refuse_unless(all(map(_is_share, shares)), "a place's share is not above 0 and at most 1")
        _refuse_unless(self.people > 0, "a place without people")


@dataclass(frozen=True, slots=True)
class Weights:
    """What a slot may meet on a register.

    poor: share of true pairs that are badly kept. community: share of strangers with names of the slot's
    community. namesakes: share of the register that has the slot's whole name, where that is not counted.
    kin: members of its household. trust: slots whose evidence outweighs `poor` and `kin`.
    """

    poor: float
    community: float
    namesakes: float
    kin: float
    trust: float

    def __post_init__(self) -> None:
        shares = (self.poor, self.community, self.namesakes)
        _refuse_unless(all(0 <= share <= 1 for share in shares), "a weight's share is not from 0 to 1")
        _refuse_unless(0 <= self.kin < inf and 0 < self.trust < inf, "a weight is out of range")


@dataclass(frozen=True, slots=True)
class Home:
    """Household context: where the others of a slot's household were found.

    together: share of true pairs that stand at an address where another of the household was found, of those
    of whose household another was found; apart: the rest. people: strangers to the household at its postcode.
    kin: members of the household there. known: share of its members who are on the register, given that one
    is.
    """

    together: float
    apart: float
    people: float
    kin: float
    known: float

    def __post_init__(self) -> None:
        shares = (self.together, self.apart, self.known)
        _refuse_unless(all(map(_is_share, shares)), "a home's share is not above 0 and at most 1")
        _refuse_unless(0 < self.people < inf and 0 < self.kin < inf, "a home without people")


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """One version. `levels`: component -> levels; `swapped`: forename and surname in each other's field.

    pairs: part that shows both names in either order -> the parts of forename and surname that it is made of.

    Raises:
        VerificationError: the tables do not fit together, or a key would be a token of a single field.
    """

    version: str
    self_test: str
    keys: tuple[MatchKey, ...]
    pairs: Mapping[str, tuple[str, str]]
    levels: Mapping[str, tuple[Level, ...]]
    swapped: tuple[Level, ...]
    places: tuple[PlaceLevel, ...]
    weights: Weights
    home: Home
    margin: float
    caution: float
    most: float
    placeholders: Placeholders

    def __post_init__(self) -> None:
        for wrong in chain(self._faults_of_levels(), self._faults_of_names(), self._faults_of_keys()):
            raise VerificationError(wrong, place=f"scheme {self.version}")

    def _faults_of_keys(self) -> Iterator[str]:
        if len(set(self.labels)) != len(self.keys) or not 1 <= len(self.keys) <= MAX_KEYS:
            yield "not 1 to 32 different match keys"
        known = self._components().keys() & PARTS
        if not all(known.issuperset(key.parts) for key in self.keys):
            yield "a match key has a part that no level knows, or that nobody makes"
        elif any(len(self.components(key)) == 1 for key in self.keys):
            yield "a match key has a single field"

    def _faults_of_levels(self) -> Iterator[str]:
        for component, rows in self._tables().items():
            if len({row.agree for row in rows}) != len(rows):
                yield f"{component} agrees in the same parts twice"
            if abs(sum(row.match for row in rows) - 1) > _ROUNDING:
                yield f"the shares of true pairs of {component} do not sum to 1"
        if sum(map(len, self._own_parts().values())) + len(self.pairs) != len(self._components()):
            yield "a part of two components"
        if not (0 <= self.margin < inf and 0 <= self.caution < inf and 0 < self.most < 1):
            yield "a margin is out of range"

    def _faults_of_names(self) -> Iterator[str]:
        forename, surname = (self._own_parts().get(name, frozenset()) for name in NAMES)
        if not all(one in forename and other in surname for one, other in self.pairs.values()):
            yield "a pair is not of a part of the forename and one of the surname"
        if WHOLE_NAME not in self.pairs:
            yield "no pair is the whole name"
        if not all(self.pairs.keys() >= level.agree for level in self.swapped):
            yield "names in each other's field agree in more than pairs"

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(key.label for key in self.keys)

    @property
    def name(self) -> tuple[str, str]:
        """The parts that are the whole forename and surname."""
        return self.pairs[WHOLE_NAME]

    @property
    def parts(self) -> tuple[str, ...]:
        """Every part that a level or a pair knows, in a fixed order."""
        return tuple(sorted(self._components()))

    def components(self, key: MatchKey) -> frozenset[str]:
        """The fields of a person of which the key is made."""
        return frozenset().union(*(self._components()[part] for part in key.parts))

    def _components(self) -> dict[str, frozenset[str]]:
        """Part -> the fields of a person that it shows."""
        own = {part: frozenset({field}) for field, parts in self._own_parts().items() for part in parts}
        return own | {part: frozenset(NAMES) for part in self.pairs}

    def _own_parts(self) -> dict[str, frozenset[str]]:
        return {
            component: frozenset().union(*(row.agree for row in rows))
            for component, rows in self._tables().items()
        }

    def _tables(self) -> dict[str, tuple[Level, ...] | tuple[PlaceLevel, ...]]:
        return {**self.levels, PLACE: self.places}

    def without(self, label: str) -> Self:
        """The scheme less one match key: what is that key's part in the whole?"""
        return replace(self, keys=tuple(key for key in self.keys if key.label != label))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the TOML of a scheme."""
        table: dict[str, Any] = tomllib.loads(text)
        levels: dict[str, tuple[Level, ...]] = {
            component: tuple(Level(**_agreeing(row)) for row in rows)
            for component, rows in table["levels"].items()
        }
        placeholders = {name: frozenset(values) for name, values in table["placeholders"].items()}
        return cls(
            version=table["version"],
            self_test=table["self_test"],
            keys=tuple(MatchKey.parse(label) for label in table["keys"]),
            pairs=MappingProxyType({part: tuple(made) for part, made in table["pairs"].items()}),
            levels=MappingProxyType(levels),
            swapped=tuple(Level(**_agreeing(row)) for row in table["swapped"]),
            places=tuple(PlaceLevel(**_agreeing(row)) for row in table["places"]),
            weights=Weights(**table["weights"]),
            home=Home(**table["home"]),
            margin=table["acceptance"]["margin"],
            caution=table["acceptance"]["caution"],
            most=table["acceptance"]["most"],
            placeholders=Placeholders(**placeholders),
        )


def _agreeing(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"agree": frozenset(row["agree"].split())}


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
