"""Requests that Schemathesis makes of the OpenAPI document: only what is documented comes out."""

import pytest
from web.attacks import CALLERS, EVERYTHING, attack
from web.calls import operations

from gateway.domain.errors import BadInputError
from gateway.telemetry import Telemetry


@pytest.mark.parametrize("caller", CALLERS)
def test_only_what_is_documented_comes_out(caller):
    """No request gets a 5xx, an undocumented status, type or header, or a body that is off its schema."""
    report = attack(caller, CALLERS[caller], examples=4)
    assert not report.failures, str(report)
    assert report.cases > 30


def test_every_phase_is_gone_through():
    """Examples of the document, its edges, generated requests and sequences of requests are all tried."""
    report = attack("programme", {"exchanges"}, examples=2, seed=2)
    assert all(report.phases[phase] for phase in ("examples", "coverage", "fuzzing", "stateful"))


def test_every_operation_is_attacked():
    """Each operation of the document has a tag that some caller attacks."""
    assert {tag for operation in operations().values() for tag in operation["tags"]} == EVERYTHING


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (RuntimeError(), "not_a_server_error"),
        (BadInputError("a status that metrics don't document"), "status_code_conformance"),
    ],
)
def test_a_route_that_lies_is_found(monkeypatch, error, check):
    """A 5xx, or an answer that the document does not know of, fails the run: the attack can find it."""

    def broken(_):
        raise error

    monkeypatch.setattr(Telemetry, "exposition", broken)
    report = attack("operator", CALLERS["operator"], examples=1)
    assert any(f"{check} GET /v1/metrics" in each for each in report.failures), str(report)
