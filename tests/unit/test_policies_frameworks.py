"""Frameworks: what each asks and how much of it brings a household in."""

import pytest

from policies.loader import builtin, load

FRAMEWORKS = load(builtin()).frameworks


@pytest.mark.parametrize(
    ("framework", "met", "reached"),
    [
        ("phase-1", ["p1.crime_asb", "p1.education"], False),
        ("phase-1", ["p1.crime_asb", "p1.education", "p1.work"], True),
        ("phase-2", ["health.adult_substance", "health.adult_mental_health"], False),
        ("phase-2", ["health.adult_substance", "work.neet"], True),
        ("phase-2", ["work.neet", "sf10.neet"], False),
        ("supporting-families", ["sf3.adult_mental_health", "sf3.child_mental_health"], False),
        ("supporting-families", ["sf3.adult_mental_health", "sf3.child_mental_health", "sf10.neet"], True),
    ],
)
def test_a_threshold_counts_what_its_framework_says(framework, met, reached):
    """Headlines or needs are counted, each once; codes of another framework count nothing."""
    assert FRAMEWORKS[framework].reached_by(met) is reached


@pytest.mark.parametrize(
    ("framework", "headlines"), [("phase-1", 4), ("phase-2", 6), ("supporting-families", 10)]
)
def test_each_period_has_its_headlines(framework, headlines):
    """Phase 1 had four problems, phase 2 six, Supporting Families ten outcomes."""
    assert len({indicator.headline for indicator in FRAMEWORKS[framework].indicators}) == headlines
