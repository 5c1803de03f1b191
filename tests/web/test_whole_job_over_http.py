"""One exchange from submission to flags over HTTP, between a council and a partner with real keys."""

import io
from uuid import UUID

import pytest
from jobworld import LIST, Job, a_job
from proofs import URL, signed_in
from web.webworld import MAX_UPLOAD, QUERY, World

from gateway import telemetry
from gateway.domain.exchange import ExchangeId, Role
from gateway.service import users
from gateway.service.search_context import SearchContext
from gateway.web import models
from gateway.web.app import create_app


@pytest.fixture
def council() -> tuple[World, Job]:
    job, lines = a_job(), io.StringIO()
    world = World(job.context, job.store, job.clock, lines, telemetry.Telemetry(lines))
    world.app = create_app(
        job.context,
        review=SearchContext(job.context, job.context.search_seal, per_day=3),
        on_submitted=world.submitted.append,
        on_answered=world.answered.append,
        max_upload=MAX_UPLOAD,
        observer=world.observer,
        public_url=URL,
    )
    world.tokens["programme"] = users.add(job.context, "programme", Role.PROGRAMME)
    world.holders["agent"] = signed_in(job.context, world.assertion("trust"))
    return world, job


def bring(world: World, exchange: UUID, bundle: bytes):
    path = f"/v1/agent/exchanges/{exchange}/answer"
    return world.call(
        "agent", "PUT", path, content=bundle, headers={"Content-Type": "application/octet-stream"}
    )


def test_from_a_list_to_flags(council):
    """Submitted, answered and released over HTTP: flags and withheld rows come back, with the caveat."""
    world, job = council
    told = world.submit(content=LIST.encode(), params=QUERY).json()
    exchange = ExchangeId(UUID(told["exchange"]))
    assert [row["reason"] for row in told["withheld"]]
    job.drive(exchange)
    code = job.context.policies.datasets["health-trust"].indicators[0]
    assert bring(world, exchange, job.partner.answer(job, exchange, {0: [code]})).status_code == 204
    job.drive(exchange)
    answer = world.call("programme", "GET", f"/v1/exchanges/{exchange}/results")
    assert answer.status_code == 200
    results = models.Results.model_validate(answer.json())
    assert [unit.flags for unit in results.units].count([code]) == 1
    assert "not evidence of absence" in results.note
    assert len(results.withheld) == len(told["withheld"])
    assert world.answered == [exchange]


def test_an_answer_may_be_brought_again_but_not_changed(council):
    """The same answer bytes are acknowledged again; other bytes for an answered exchange are a conflict."""
    world, job = council
    exchange = ExchangeId(UUID(world.submit(content=LIST.encode()).json()["exchange"]))
    job.drive(exchange)
    first, other = job.partner.answer(job, exchange), job.partner.answer(job, exchange)
    assert bring(world, exchange, first).status_code == 204
    assert bring(world, exchange, first).status_code == 204
    changed = bring(world, exchange, other)
    assert (changed.status_code, changed.json()["type"]) == (409, "urn:flagstone:problem:conflict")


def test_a_damaged_answer_is_refused_whole(council):
    """An answer one byte too long is a 400 that names the reason, and another attempt is welcome."""
    world, job = council
    exchange = ExchangeId(UUID(world.submit(content=LIST.encode()).json()["exchange"]))
    job.drive(exchange)
    good = job.partner.answer(job, exchange)
    assert bring(world, exchange, good + b"x").status_code == 400
    assert world.answered == []
    assert bring(world, exchange, good).status_code == 204
