"""An officer is warned before an agreement, or a paper that it rests on, runs out."""

from dataclasses import replace
from datetime import UTC, datetime

from jobworld import a_job

from gateway.service import agreements
from policies.model import PolicySet


def _warned(at: datetime, policies: PolicySet | None = None) -> str:
    job = a_job()
    context = replace(job.context, clock=lambda: at)
    return "\n".join(agreements.ending(context, policies or context.policies))


def test_nothing_is_said_more_than_sixty_days_before():
    """61 days before the last day there is no warning."""
    assert _warned(datetime(2026, 10, 31, 12, tzinfo=UTC)) == ""


def test_sixty_days_before_each_end_is_named():
    """From 60 days before, the agreement and its two papers are named with their last day."""
    told = _warned(datetime(2026, 11, 1, 12, tzinfo=UTC)).splitlines()
    assert len(told) == 3
    assert all("T-1" in line and "2026-12-31" in line for line in told)


def test_an_agreement_under_another_policy_is_named():
    """An agreement that embeds another policy than the folder's has to be signed anew."""
    assert "embeds another policy" in _warned(datetime(2026, 3, 1, 12, tzinfo=UTC), PolicySet())
