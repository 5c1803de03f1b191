"""A decision's bytes belong to the engine's version: a logged one replays under it for ever."""

import json

from pin_decisions import FROZEN, NOON, PINNED, decided, question

from policies.decision import decide
from policies.requirements import REQUIREMENTS


def test_every_pinned_decision_comes_out_the_same():
    """On the frozen set each decision is the pinned one, or the engine's version must change."""
    assert decided() == json.loads(PINNED.read_text())


def test_every_requirement_is_pinned():
    """No requirement's words can change unseen, but those of legs that the frozen set's partner has not."""
    told = {unmet["code"] for decision in decided().values() for unmet in decision["unmet"]}
    assert REQUIREMENTS.keys() - told == {"confidentiality", "every-row-withheld"}


def test_the_citations_a_custodian_sees_are_pinned():
    """Gateways first, then the conditions, each once."""
    permit = decide(question(), FROZEN, NOON)
    assert permit.citations == (
        "Gate Act s.1",
        "UK GDPR Article 6(1)(e)",
        "UK GDPR Article 9(2)(g)",
        "DPA 2018 Schedule 1",
        "DPA 2018 s.36(4)",
    )
