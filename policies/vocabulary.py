"""The closed vocabularies of policy files: who discloses, and what about."""

from typing import Final

COUNCIL: Final = "council"
ANY: Final = "any"

PARTNER_KINDS: Final = frozenset(
    {
        "health",
        "police",
        "youth-offending",
        "anti-social-behaviour",
        "housing",
        "prison",
        "probation",
        "school",
        "academy",
        "education",
        "childrens-services",
        "early-years",
        "hmrc",
        "dwp",
        "careers",
        "domestic-violence",
        "referral",
        "demo",
    }
)
"""Kinds of source, DOMAIN.md §2. A law entry names them to say who may disclose to whom."""

LAW_ENFORCEMENT: Final = frozenset({"police", "prison", "probation"})
"""Competent authorities: their records leave DPA 2018 Part 3 by s.36(4) only."""

CONFIDENTIAL: Final = frozenset({"health"})
"""Sources that owe confidentiality besides data protection; both gates must pass (DOMAIN.md §2)."""


TOPICS: Final = frozenset(
    {
        "crime",
        "anti-social-behaviour",
        "attendance",
        "exclusion",
        "permanent-exclusion",
        "school-place",
        "special-needs",
        "early-education",
        "child-development",
        "child-welfare",
        "missing",
        "exploitation",
        "relationships",
        "benefits",
        "neet",
        "finance",
        "housing",
        "domestic-abuse",
        "mental-health",
        "physical-health",
        "substance",
        "maternity",
        "demo",
    }
)
"""What an indicator is about. A gateway names those that it reaches: some tell exclusions, not attendance."""
