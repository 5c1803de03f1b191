from uuid import UUID

import pytest

from gateway.service import review_queue
from gateway.service.watching import Limits


@pytest.fixture
def alert(world):
    """The first use of a dataset, raised. The world's clock stands on a Sunday, so out-of-hours too."""
    world.sent()
    review_queue.watch(world.context, Limits())
    told = world.call("reviewer", "GET", "/v1/review").json()["alerts"]
    return next(each["alert"] for each in told if each["rule"] == "first-use")


def test_a_reviewer_looks_and_closes(world, alert):
    """Listed, looked at, closed for a reason; afterwards among the closed ones alone."""
    looked = world.call("reviewer", "POST", f"/v1/review/{alert}/look").json()
    assert (looked["rule"], looked["about"], looked["closed_at"]) == ("first-use", "health-trust", None)
    closed = world.call("reviewer", "POST", f"/v1/review/{alert}/close", params={"reason": "expected"})
    assert (closed.status_code, closed.content) == (204, b"")

    def listed(**params):
        answer = world.call("reviewer", "GET", "/v1/review", params=params).json()
        return {each["alert"]: each["reason"] for each in answer["alerts"]}

    assert alert not in listed()
    assert listed(closed="true")[alert] == "expected"


def test_an_unseen_alert_is_not_closed(world, alert):
    """Closing what nobody looked at is a conflict that says what to do."""
    answer = world.call("reviewer", "POST", f"/v1/review/{alert}/close", params={"reason": "expected"})
    assert answer.status_code == 409
    assert "Look at it first" in answer.json()["detail"]


def test_reasons_are_a_fixed_list(world, alert):
    """A reason of one's own is refused and not repeated: free text could hold anything."""
    answer = world.call("reviewer", "POST", f"/v1/review/{alert}/close", params={"reason": "Ann-Example"})
    assert answer.status_code == 422
    assert "Ann" not in answer.text


def test_the_programme_never_sees_an_alert(world, alert):
    """Whoever is watched can neither list, look nor close, and is told nothing of the alert."""
    for method, path in (("GET", "/v1/review"), ("POST", f"/v1/review/{alert}/look")):
        answer = world.call("programme", method, path)
        assert answer.status_code == 403
        assert "first-use" not in answer.text


def test_exports_are_logged_with_their_format(world):
    """What a reviewer makes of the log, and the record of processing, stand in it."""
    for wanted in ("signed", "csv", "parquet", "ecs", "fhir"):
        assert world.call("reviewer", "GET", "/v1/log/export", params={"format": wanted}).status_code == 200
    assert world.call("reviewer", "GET", "/v1/log/export", params={"format": "pdf"}).status_code == 422
    period = {"from": "2026-01-01", "to": "2026-12-31"}
    record = world.call("reviewer", "GET", "/v1/log/article-30", params=period).json()
    assert {each["dataset"] for each in record["activities"]} == {"health-trust", "police-force"}
    entries = world.call("reviewer", "GET", "/v1/log/entries", params={"limit": 1000}).json()
    told = [each["body"]["format"] for each in entries if each["kind"] == "log.exported"]
    assert told == ["signed", "csv", "parquet", "ecs", "fhir", "art30"]
    wrong = world.call(
        "reviewer", "GET", "/v1/log/article-30", params={"from": "2026-02-01", "to": "2026-01-01"}
    )
    assert wrong.status_code == 422
    assert UUID(wrong.json()["instance"].removeprefix("urn:uuid:"))
