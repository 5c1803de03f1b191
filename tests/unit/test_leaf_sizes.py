"""The longest entries that we write are far from the longest that a leaf may be."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import product

from audit.entry import MAX_LEAF_BYTES
from policies.decision import AgreementTerms, Question, decide
from policies.loader import builtin, load

POLICIES = load(builtin())
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _terms(dataset: str, sound: bool) -> AgreementTerms:
    day = date(2035 if sound else 2001, 1, 1)
    return AgreementTerms(
        number="x" * 64,
        partner="x" * 64,
        dataset=dataset if sound else "another",
        policy_digest=POLICIES.datasets[dataset].digest if sound else "0" * 64,
        valid_from=day - timedelta(days=20_000),
        valid_to=day,
        signed=sound,
        revoked=not sound,
        dpia_to=day,
        policy_document_to=day,
    )


def test_no_decision_fills_a_sixth_of_a_leaf():
    """The longest decision of the shipped policies, whatever is unmet, leaves most of a leaf empty."""
    asked = product(POLICIES.datasets, POLICIES.purposes, POLICIES.frameworks, (True, False))
    longest = max(
        len(json.dumps(decide(question, POLICIES, NOON).to_json(), ensure_ascii=False).encode())
        for dataset, purpose, framework, sound in asked
        for question in [
            Question(dataset, purpose, framework, _terms(dataset, sound), 50 if sound else 0, 10**6)
        ]
    )
    assert longest < MAX_LEAF_BYTES / 6
