"""What a set of agreeing match keys is worth, in bits (docs/scheme-v1.md, scoring)."""

from collections.abc import Iterator
from math import log2

from gateway.domain.errors import BadInputError
from gateway.linkage.scheme import V1, MatchKey, Scheme


def score(agree: int, both: int, scheme: Scheme = V1) -> float:
    """Evidence that two records are one person. Bit i of a mask stands for `scheme.keys[i]`.

    `agree`: keys whose tokens are equal; `both`: keys of which both records have a token. Not a sum over
    keys, which are correlated: each component counts once, at the strongest level that an agreeing key shows.
    """
    found, shared = _strongest(agree, scheme), _strongest(both, scheme)
    cost = sum(scheme.against[component] for component in shared if component not in found)
    if found.get("forename") == scheme.evidence["g1"]["forename"] < shared.get("forename", 0.0):
        found["forename"] = scheme.differing_initial
    parts = {part for key in _keys(agree, scheme) for part in key.parts}
    if "pc" in parts and "nhs" not in parts:
        found["surname"] = min(found.get("surname", 0.0), scheme.household.surname)
        if "dob" in parts and "forename" in shared and not found.get("forename"):
            cost += scheme.household.twin
    return sum(found.values()) - cost


def threshold(register_size: int, overlap: float, scheme: Scheme = V1) -> float:
    """Bits that a pair must reach: log2(register size) + log2(1 / overlap) + the scheme's margin.

    `overlap`: the share of the list expected on the register, above 0 and at most 1.

    Raises:
        BadInputError: an argument is out of range.
    """
    if register_size < 1:
        raise BadInputError("a register has at least one record", place="register size")
    if not 0 < overlap <= 1:
        raise BadInputError("not above 0 and at most 1", place="expected overlap")
    return log2(register_size) + log2(1 / overlap) + scheme.margin


def _strongest(mask: int, scheme: Scheme) -> dict[str, float]:
    """Component -> bits, over all keys of the mask."""
    found: dict[str, float] = {}
    for key in _keys(mask, scheme):
        for component, bits in scheme.components(key).items():
            found[component] = max(bits, found.get(component, 0.0))
    return found


def _keys(mask: int, scheme: Scheme) -> Iterator[MatchKey]:
    return (key for bit, key in enumerate(scheme.keys) if mask >> bit & 1)
