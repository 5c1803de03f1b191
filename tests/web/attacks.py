"""Schemathesis against the gateway: every phase, as each kind of caller, over both documents that are served.

`python -m web.attacks --cases 50000` (`make fuzz-api`) goes on, seed after seed, until so many were tried.
"""

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import schemathesis
from fakes import FakePartyKeys
from hypothesis import strategies as st
from schemathesis.engine import from_schema
from web.webworld import LIST, World, a_world, prekeys

from gateway.domain import labels
from gateway.service.search_context import SearchContext
from gateway.web.app import create_review_app

CALLERS = {
    "programme": {"exchanges", "erasure", "proposals"},
    "reviewer": {"log", "review", "erasure", "proposals"},
    "operator": {"operations"},
    "agent health": {"agent", "erasure"},
}
"""Who calls, and the tags of the routes that let them in: what `make test` tries."""
EVERYBODY = (*CALLERS, "other programme", "custodian health", "agent police")
EVERYTHING = frozenset().union(*CALLERS.values())
APART = ("reviewer", "operator")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
    "use_after_free",
)
"""Not `positive_data_acceptance`: what is well formed may still be signed by nobody, or about nobody."""


REJECTED = {
    "negative_data_rejection": {
        "enabled": True,
        # a text over its length may make a body that is over its own
        "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"],
    }
}


@dataclass
class Report:
    """What came of one run, or of several."""

    cases: int = 0
    statuses: Counter = field(default_factory=Counter)
    phases: Counter = field(default_factory=Counter)
    failures: Counter = field(default_factory=Counter)

    def __add__(self, other: "Report") -> "Report":
        return Report(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    def __str__(self) -> str:
        statuses = ", ".join(f"{status} x {count}" for status, count in sorted(self.statuses.items()))
        phases = ", ".join(f"{name} {count}" for name, count in self.phases.items())
        found = "".join(f"\n{count} x {what}" for what, count in self.failures.items())
        return f"{self.cases} cases ({phases}): {statuses}{found}"


def _mutated(*bodies: bytes):
    """Good bodies, whole, with a stretch cut out, doubled or replaced, and bytes that never were one."""

    @st.composite
    def strategy(draw):
        body = draw(st.sampled_from(bodies))
        start = draw(st.integers(0, len(body)))
        stop = draw(st.integers(start, len(body)))
        return body[:start] + draw(st.binary(max_size=8) | st.just(body[start:stop] * 2)) + body[stop:]

    return st.sampled_from(bodies) | strategy() | st.binary(max_size=300)


def _teach(world: World) -> None:
    """Bodies of the media types that no schema describes: a household list, signed documents, a note."""
    keys = FakePartyKeys("health")
    signed = [keys.sign(b"{}", typ).encode() for typ in (labels.TYP_REFUSAL, labels.TYP_WITNESS_KEY)]
    note = world.call("reviewer", "GET", "/v1/log/checkpoint").content
    with world.store.begin() as uow:
        agreed = uow.agreements.get("health-1")
    bodies = {
        "text/csv": (LIST, LIST.replace(b"health", b""), LIST.replace(b"1985", b"2985")),
        "application/jose": (*signed, agreed.council_jws.encode(), agreed.partner_jws.encode()),
        "text/plain": (note,),
    }
    for kind, known in bodies.items():
        schemathesis.openapi.media_type(kind, _mutated(*known))


@schemathesis.serializer("application/jose", "application/vnd.apache.parquet")
def _as_it_is(context, value):
    """Bytes of a media type that Schemathesis does not know of."""
    return {"data": value if isinstance(value, bytes) else json.dumps(value).encode()}


def _config(exchange: UUID, examples: int, seed: int) -> schemathesis.Config:
    known = {"exchange": str(exchange), "number": "health-1", "dataset": "health-trust", "partner": "health"}
    return schemathesis.Config.from_dict(
        {
            "seed": seed,
            "generation": {"max-examples": examples, "database": "none"},
            "dictionaries": {name: {"values": [value]} for name, value in known.items()},
            "parameters": {name: {"dictionary": name, "probability": 0.5} for name in known},
            "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS} | REJECTED,
        }
    )


def attack(
    caller: str, tags: tuple[str, ...], examples: int, *, seed: int = 1, apart: bool = False
) -> Report:
    """One run in a world of its own. `apart`: against the process that serves reviewers alone."""
    world = a_world()
    exchange = world.sent()
    # enough for every submission: without one the answer is a 502, truly, which is no finding
    more = {"prekeys": prekeys(world, "health", 200)[3:]}
    world.call("agent health", "POST", "/v1/agent/prekeys", json=more).raise_for_status()
    _teach(world)
    with world.store.begin() as uow:
        uow.commit()
    review = SearchContext(world.context, world.context.search_seal, per_day=10_000)
    app = create_review_app(world.context, review=review, observer=world.observer) if apart else world.app
    headers = _signed_in(world, caller)
    schema = schemathesis.openapi.from_asgi(
        "/v1/openapi.json",
        _proving(app, world, caller),
        config=_config(exchange, examples, seed),
        headers=headers,
    )
    schema.config.headers = headers
    chosen = schema.include(lambda context: set(context.operation.tags) & set(tags))
    report = Report()
    for event in from_schema(chosen).execute():
        _note(report, event)
    return report


def _signed_in(world: World, caller: str) -> dict[str, str]:
    holder = world.holders.get(caller)
    return {"Authorization": f"DPoP {holder.token}" if holder else f"Bearer {world.tokens[caller]}"}


def _proving(app, world: World, caller: str):
    """`app`, with a new proof beside each request that brings the agent's token: they count once."""
    shown = _signed_in(world, caller)["Authorization"].encode()

    async def proved(scope, receive, send):
        if caller in world.holders and (b"authorization", shown) in scope.get("headers", ()):
            path = scope["raw_path"].decode("latin-1").partition("?")[0]
            proof = world.credentials(caller, scope["method"], path)["DPoP"]
            scope = {**scope, "headers": [*scope["headers"], (b"dpop", proof.encode())]}
        await app(scope, receive, send)

    return proved


def _note(report: Report, event) -> None:
    match type(event).__name__:
        case "ScenarioFinished":
            report.cases += len(event.recorder.cases)
            report.phases[event.phase.value] += len(event.recorder.cases)
            for interaction in event.recorder.interactions.values():
                report.statuses[interaction.response.status_code if interaction.response else 0] += 1
            for failure in _failures(event.recorder):
                report.failures[failure] += 1
        case "NonFatalError" | "FatalError":
            report.failures[str(getattr(event, "value", None) or getattr(event, "exception", None))] += 1


def _failures(recorder) -> Iterator[str]:
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info:
                yield f"{check.name} {recorder.label}: {check.failure_info.failure}"


def attack_until(cases: int, examples: int = 60) -> Report:
    """Every caller on every route, and reviewers apart, seed after seed, until so many cases were tried."""
    total = Report()
    for seed in itertools.count(1):
        for caller, apart in [*((each, False) for each in EVERYBODY), *((each, True) for each in APART)]:
            total += attack(caller, EVERYTHING, examples, seed=seed, apart=apart)
            print(f"{total.cases} cases, {total.failures.total()} failures", flush=True)  # noqa: T201
            if total.cases >= cases:
                return total
    raise AssertionError


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=50_000)
    report = attack_until(parser.parse_args().cases)
    print(report)  # noqa: T201
    sys.exit(1 if report.failures else 0)
