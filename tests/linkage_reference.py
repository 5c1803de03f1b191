"""Scoring and resolving once more, in loops over plain Python: what docs/scheme-v1.md says, step by step.

Shares nothing with `gateway.linkage.score` and `resolve` but the scheme's tables. The properties compare
the two, and the published vectors are made with this one.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import inf, log2

COLUMNS = ("match", "poor", "stranger", "community", "namesake", "kin")
ROUNDS = 30


@dataclass(frozen=True)
class Pair:
    """`agree` and `both`: sets of labels. `place` and `household`: any values, or None."""

    slot: int
    record: int
    agree: frozenset
    both: frozenset
    household: object = None
    place: object = None
    namesakes: float | None = None


@dataclass(frozen=True)
class Fitted:
    poor: float
    kin: float


def threshold(size, overlap, scheme):
    present = min(overlap, scheme.most)
    bits = log2(size) + log2((1 - present) / present) + scheme.caution * log2(1 / present)
    return round(bits + scheme.margin, 6)


def ways(levels):
    """(parts that agree, shares) of each level; namesakes agree as people of one community do."""
    return [
        (level.agree, (level.match, level.poor, level.stranger, level.community, level.community, level.kin))
        for level in levels
    ]


def of_names(scheme):
    """Both names, each in its field or in the other's."""
    forename, surname = scheme.name
    first, last = scheme.levels["forename"], scheme.levels["surname"]
    bearers = sum(level.stranger for level in first if forename in level.agree)
    family = sum(level.stranger for level in last if surname in level.agree)
    for one, other in product(first, last):
        parts = one.agree | other.agree
        namesake = 0.0
        if forename in parts and surname in parts:
            namesake = (one.stranger / bearers) * (other.stranger / family)
        strange = 1.0 if namesake == 0 else 0.0
        yield (
            parts | {pair for pair, made in scheme.pairs.items() if set(made) <= parts},
            (
                one.match * other.match,
                one.poor * other.poor,
                one.stranger * other.stranger * strange,
                one.community * other.community * strange,
                namesake,
                one.kin * other.kin,
            ),
        )
    yield from ways(scheme.swapped)


@lru_cache(maxsize=4)
def outcomes(scheme):
    """(labels that agree, people, share of the register, near) -> shares of complete pairs, by `COLUMNS`."""
    others = [ways(levels) for name, levels in scheme.levels.items() if name not in ("forename", "surname")]
    found = defaultdict(lambda: [0.0] * len(COLUMNS))
    for names, *rest in product(list(of_names(scheme)), *others):
        parts, shares = names
        for more, factors in rest:
            parts = parts | more
            shares = tuple(share * factor for share, factor in zip(shares, factors, strict=True))
        for place in scheme.places:
            here = parts | place.agree
            agree = frozenset(key.label for key in scheme.keys if here.issuperset(key.parts))
            total = found[agree, place.people, place.share, "pc" in place.agree]
            for column, factor in enumerate((place.match, place.poor, 1.0, 1.0, 1.0, place.kin)):
                total[column] += shares[column] * factor
    return dict(found)


def likely(agree, both, size, scheme):
    """Each kind of pair, summed over what the keys outside `both` would say; `*_near`: of one postcode."""
    kinds = ("match", "poor", "kin", "other", "namesake", "other_near", "namesake_near")
    found = dict.fromkeys(kinds, 0.0)
    for (labels, people, share, near), of in outcomes(scheme).items():
        if labels & both == agree:
            match, poor, stranger, community, namesake, kin = of
            there = min(people, share * size)
            other = there * (stranger + scheme.weights.community * community)
            found["match"] += match
            found["poor"] += poor
            found["kin"] += kin
            found["other"] += other
            found["namesake"] += there / size * namesake
            found["other_near"] += other * near
            found["namesake_near"] += there / size * namesake * near
    return found


def fitted(masks, sides, size, overlap, scheme):
    """Expectation maximisation. `masks`: (agree, both) -> how many pairs have them."""
    prior = scheme.weights
    reach = sum(of[COLUMNS.index("kin")] for (labels, *_), of in outcomes(scheme).items() if labels)
    table = [(likely(agree, both, size, scheme), count) for (agree, both), count in masks.items()]
    poor, kin = prior.poor, prior.kin
    for _ in range(ROUNDS):
        of_match = of_poor = of_kin = 0.0
        for row, count in table:
            badly = overlap * poor * row["poor"]
            match = overlap * (1 - poor) * row["match"] + badly
            related = kin * row["kin"]
            everybody = match + related + row["other"] + prior.namesakes * size * row["namesake"]
            if everybody > 0:
                of_match += count * match / everybody
                of_poor += count * badly / everybody
                of_kin += count * related / everybody
        poor = (prior.poor * prior.trust + of_poor) / (prior.trust + of_match)
        kin = (prior.kin * prior.trust + of_kin) / (prior.trust + sides * reach)
    return Fitted(poor, kin)


def bits(one, two):
    return round(log2(one / two), 6) if one > 0 else -inf


def score(agree, both, weights, size, scheme, namesakes=None):
    row = likely(agree, both, size, scheme)
    bearers = scheme.weights.namesakes * size if namesakes is None else namesakes
    match = (1 - weights.poor) * row["match"] + weights.poor * row["poor"]
    others = row["other"] + bearers * row["namesake"] + weights.kin * row["kin"]
    return bits(match, others / size)


def together(agree, both, weights, size, overlap, scheme, namesakes=None):
    """The score at an address where another of the slot's household was found."""
    row = likely(agree, both, size, scheme)
    bearers = scheme.weights.namesakes * size if namesakes is None else namesakes
    home = scheme.home
    match = (1 - weights.poor) * row["match"] + weights.poor * row["poor"]
    match *= home.together * max(home.known / overlap, 1.0)
    near = row["other_near"] + bearers * row["namesake_near"]
    strangers = row["other"] + bearers * row["namesake"]
    there = near + (strangers - near) * home.people / size
    return bits(match, (there + home.kin * row["kin"]) / size)


def one_to_one(scores):
    """The ids whose score is above every other of their slot and of their record."""

    def beaten(ids, side):
        return any(
            other != ids and other[side] == ids[side] and scores[other] >= scores[ids] for other in scores
        )

    return {ids for ids in scores if scores[ids] > -inf and not beaten(ids, 0) and not beaten(ids, 1)}


def resolve(pairs, *, size, overlap, scheme, homes=False):
    """Accepted pairs: (slot, record) -> score."""
    enough = threshold(size, overlap, scheme)
    masks = Counter((pair.agree, pair.both) for pair in pairs)
    sides = min(len({pair.slot for pair in pairs}), len({pair.record for pair in pairs}))
    weights = fitted(masks, sides, size, overlap, scheme)
    scores = {
        (pair.slot, pair.record): score(pair.agree, pair.both, weights, size, scheme, pair.namesakes)
        for pair in pairs
    }
    if homes:
        scores = at_home(pairs, scores, enough, weights, size, overlap, scheme)
    return {ids: scores[ids] for ids in sorted(one_to_one(scores)) if scores[ids] >= enough}


def at_home(pairs, scores, enough, weights, size, overlap, scheme):
    sole = one_to_one(scores)
    found = [pair for pair in pairs if (ids := (pair.slot, pair.record)) in sole and scores[ids] >= enough]
    lifted = dict(scores)
    for pair in pairs:
        if pair.household is None or pair.place is None:
            continue
        there = {
            other.place
            for other in found
            if other.household == pair.household and other.slot != pair.slot and other.place is not None
        }
        ids = pair.slot, pair.record
        if pair.place in there:
            lifted[ids] = together(pair.agree, pair.both, weights, size, overlap, scheme, pair.namesakes)
        elif there:
            lifted[ids] = round(scores[ids] + log2(scheme.home.apart), 6)
    return lifted
