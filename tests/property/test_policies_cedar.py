"""`decide` beside Cedar, an engine of other people: the same verdict on thousands of questions."""

import dataclasses
import random
from collections import Counter

import cedarpy
import pytest
from cedar_policies import SCHEMA, Cedar
from policy_questions import Asked, questions, spoilt, touched

from policies.decision import Question, decide
from policies.loader import builtin, load
from policies.model import PolicySet

SHIPPED = load(builtin())
ASKED = 4_000
SPOILT, CHANGED, ASKED_OF_SPOILT = 40, 10, 100  # sets, changes of one at most, questions to each


def _verdicts(policies: PolicySet, asked: list[Asked]) -> list[bool]:
    return [decide(question, policies, at).permitted for question, at in asked]


def _other(policies: PolicySet, asked: list[Asked]) -> list[bool]:
    cedar = Cedar(policies)
    return [cedar.permits(question, at) for question, at in asked]


def _differences(policies: PolicySet, asked: list[Asked]) -> list[tuple[Asked, tuple[str, ...]]]:
    """The questions that are judged differently, each with what `decide` finds unmet."""
    pairs = zip(asked, _verdicts(policies, asked), _other(policies, asked), strict=True)
    found = [each for each, ours, theirs in pairs if ours != theirs]
    return [(each, tuple(u.code for u in decide(each[0], policies, each[1]).unmet)) for each in found]


def _rng(seed: object) -> random.Random:
    return random.Random(f"cedar {seed}")  # noqa: S311 - seeded, so that a failure repeats


def _spoilt(seed: int) -> tuple[PolicySet, list[Asked]]:
    """A spoilt set, and questions to the datasets that it was spoilt for."""
    policies = spoilt(_rng(seed), SHIPPED, 1 + seed % CHANGED)
    return policies, questions(_rng(seed), policies, ASKED_OF_SPOILT, touched(SHIPPED, policies))


def test_cedar_agrees_on_the_shipped_policies():
    """Cedar permits exactly what `decide` permits, over thousands of questions that permit and refuse."""
    asked = questions(_rng("shipped"), SHIPPED, ASKED)
    assert _differences(SHIPPED, asked) == []
    permitted = _verdicts(SHIPPED, asked)
    assert 0.2 < sum(permitted) / ASKED < 0.8
    assert {each[0].dataset for each, yes in zip(asked, permitted, strict=True) if yes} == {*SHIPPED.datasets}


@pytest.mark.parametrize("seed", range(SPOILT))
def test_cedar_agrees_on_spoilt_policies(seed):
    """Cedar permits exactly what `decide` permits when things were taken from the set or changed in it."""
    policies, asked = _spoilt(seed)
    assert _differences(policies, asked) == []


def test_spoiling_tells():
    """The spoilt sets permit and refuse, and refuse much that the shipped set permits."""
    seen = Counter()
    for seed in range(SPOILT):
        policies, asked = _spoilt(seed)
        before = [(_signed_anew(question, SHIPPED), at) for question, at in asked]
        seen += Counter(zip(_verdicts(SHIPPED, before), _verdicts(policies, asked), strict=True))
    total = SPOILT * ASKED_OF_SPOILT
    assert 0.2 < (seen[True, True] + seen[False, True]) / total < 0.8
    assert seen[True, False] > total / 20


def _signed_anew(question: Question, policies: PolicySet) -> Question:
    """The question with an agreement to the policy as this set has it, unless it is to no policy at all."""
    terms, policy = question.agreement, policies.datasets.get(question.dataset)
    if terms is None or policy is None or not terms.policy_digest.strip("0"):
        return question
    return dataclasses.replace(question, agreement=dataclasses.replace(terms, policy_digest=policy.digest))


def test_the_second_opinion_is_well_typed():
    """The Cedar policies are valid by their schema, strictly: none fails while it is evaluated."""
    told = cedarpy.validate_policies(Cedar(SHIPPED).text, SCHEMA)
    assert told.validation_passed, told.errors
