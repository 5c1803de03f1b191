"""The end of an exchange over HTTP, as the council's people and the partner's agent see it."""

from datetime import timedelta
from uuid import UUID

import pytest
from jobworld import LIST
from proofs import signed_in
from two_people import approved
from web.test_whole_job_over_http import bring, council
from web.webworld import QUERY

from adapters.transports.mailbox import State
from gateway.bundle.certificate import MAX_CERTIFICATE, verify_certificate
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.proposals import Act
from gateway.domain.retention import RetentionClock
from gateway.service import users
from gateway.service.erasure import destroy_due

__all__ = ["council"]  # a fixture


@pytest.fixture
def ended(council):
    """A released exchange, ninety days later."""
    world, job = council
    told = world.submit(content=LIST.encode(), params=QUERY).json()
    exchange = ExchangeId(UUID(told["exchange"]))
    job.drive(exchange)
    bring(world, exchange, job.partner.answer(job, exchange))
    job.drive(exchange)
    world.clock.now += timedelta(days=90)
    world.holders["agent"] = signed_in(job.context, world.assertion("trust"))
    world.tokens["reviewer"] = users.add(job.context, "ig", Role.REVIEWER)
    return world, job, exchange


def shown(world, exchange) -> dict:
    return world.call("programme", "GET", f"/v1/exchanges/{exchange}").json()


def listed(world) -> list[tuple]:
    state = State.model_validate_json(world.call("agent", "GET", "/v1/agent/state").content)
    return [(each.exchange, each.clock) for each in state.certificates]


def test_a_destroyed_result_is_gone_and_certified(ended):
    """410 with the day, and a certificate that the agent fetches, verifies and takes off its list."""
    world, job, exchange = ended
    destroy_due(job.context)
    answer = world.call("programme", "GET", f"/v1/exchanges/{exchange}/results")
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:flagstone:problem:destroyed")
    assert "destroyed on 2027-02-20" in answer.json()["detail"]
    assert shown(world, exchange)["results_destroyed_at"].startswith("2027-02-20")
    assert listed(world) == [(exchange, "results")]
    path = f"/v1/agent/exchanges/{exchange}/certificates/results"
    fetched = world.call("agent", "GET", path)
    assert fetched.headers["content-type"].startswith("application/jose")
    assert len(fetched.content) < MAX_CERTIFICATE
    verify_certificate(
        fetched.content,
        job.context.keys.identity,
        job.partner.keys.identity,
        exchange=exchange,
        clock=RetentionClock.RESULTS,
    )
    assert world.call("agent", "POST", f"{path}/taken").status_code == 204
    assert listed(world) == []
    assert world.call("agent", "POST", f"{path}/taken").status_code == 204
    told = world.call("reviewer", "GET", f"/v1/exchanges/{exchange}/certificates").json()
    assert told == {"certificates": [{"clock": "results", "jws": fetched.text}]}


def test_a_hold_keeps_it(ended):
    """A reviewer's hold keeps results readable past their day; lifted, they are past it at once."""
    world, job, exchange = ended
    hold = f"/v1/exchanges/{exchange}/hold"
    asked = {"until": "2027-06-01", "reason": "regulator"}
    assert world.call("reviewer", "POST", hold, params=asked).status_code == 204
    destroy_due(job.context)
    assert shown(world, exchange)["held_until"] == "2027-06-01"
    assert world.call("programme", "GET", f"/v1/exchanges/{exchange}/results").status_code == 200
    assert world.call("reviewer", "POST", f"/v1/exchanges/{exchange}/unhold").status_code == 403
    approved(job, Act.LIFT_HOLD, exchange=exchange)
    assert world.call("reviewer", "POST", f"/v1/exchanges/{exchange}/unhold").status_code == 204
    answer = world.call("programme", "GET", f"/v1/exchanges/{exchange}/results")
    assert (answer.status_code, "about to be destroyed" in answer.json()["detail"]) == (410, True)


@pytest.mark.parametrize(
    "asked",
    [
        {"until": "2027-06-01"},
        {"reason": "regulator"},
        {"until": "tomorrow", "reason": "regulator"},
        {"until": "2027-06-01", "reason": "because Mrs Example asked"},
        {"until": "2029-01-01", "reason": "regulator"},
    ],
    ids=str,
)
def test_a_hold_takes_a_day_and_a_code_alone(ended, asked):
    """Free text, another form or a day too far: 422, and nothing of what was typed comes back or is kept."""
    world, job, exchange = ended
    answer = world.call("reviewer", "POST", f"/v1/exchanges/{exchange}/hold", params=asked)
    assert answer.status_code == 422
    assert "Example" not in answer.text
    assert shown(world, exchange)["held_until"] is None
    assert "exchange.hold-placed" not in job.kinds()
