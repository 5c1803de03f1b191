"""No privilege without a use: what each role's statements need, set against what it is granted."""

import re
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from contract.test_roles_job import ByRole
from fakes import NOON, FakePartyKeys
from proofs import signed_in
from sqlalchemy import event
from two_people import approved

from adapters.transports.wire import SignIn
from gateway.bundle.agreement import countersign, verify_proposal
from gateway.db.log_tables import LOG_TABLES
from gateway.db.roles import GRANTS
from gateway.db.uses import PostgresUses
from gateway.domain.alerts import Closing, Rule
from gateway.domain.errors import NotSignedInError
from gateway.domain.legal_date import legal_date
from gateway.domain.proposals import Act
from gateway.domain.retention import HoldReason
from gateway.service import (
    access,
    agents,
    agreements,
    exchanges,
    holds,
    results,
    review_queue,
    signins,
)
from gateway.service.erasure import destroy_due
from gateway.service.watching import Found, Limits

pytestmark = pytest.mark.postgres

WITNESSED = "test_witness_job.py"
PEOPLE, MACHINES = "test_roles.py", "test_machines_roles.py"
ROTATED = "../fault/test_rotation_processes.py"
ELSEWHERE = {
    **{("web", "sessions", verb): PEOPLE for verb in ("SELECT", "INSERT", "UPDATE", "DELETE")},
    **{("web", "session_tokens", verb): PEOPLE for verb in ("SELECT", "INSERT")},
    ("web", "proposals", "INSERT"): PEOPLE,
    **{("web", "links", verb): PEOPLE for verb in ("SELECT", "DELETE")},
    **{("web", "users", verb): PEOPLE for verb in ("INSERT", "UPDATE")},
    **{("web", "tls_certificates", verb): MACHINES for verb in ("SELECT", "INSERT", "DELETE")},
    **{("web", "invitations", verb): MACHINES for verb in ("SELECT", "UPDATE")},
    **{("web", name, "INSERT"): ROTATED for name in ("successions", "keys_taken")},
    ("web", "prekeys", "DELETE"): ROTATED,
    ("web", "witnesses", "INSERT"): WITNESSED,
    ("web", "witnesses", "UPDATE"): WITNESSED,
    ("web", "witness_alarms", "INSERT"): WITNESSED,
    ("web", "witness_alarms", "SELECT"): WITNESSED,
    ("web", "cosigned", "INSERT"): WITNESSED,
    ("web", "cosigned", "SELECT"): WITNESSED,
    ("worker", "cosigned", "SELECT"): WITNESSED,
    ("worker", "deliveries", "SELECT"): WITNESSED,
    ("worker", "witnesses", "SELECT"): WITNESSED,
}
"""Needed by what is not this job: signing in, enrolling, rotating, witnessing. The file that needs it."""


class Spy:
    """What the statements of each role's engines needed: (table, verb)."""

    def __init__(self) -> None:
        self.needed: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def watch(self, role: str, engine) -> None:
        def heard(_connection, _cursor, statement, *_):
            self.needed[role] |= set(needs(statement))

        event.listen(engine, "before_cursor_execute", heard)


def needs(statement: str):
    """Tables and verbs of one statement of ours; a condition that reads a column needs SELECT too."""
    written = {
        "INSERT": re.findall(r"INSERT INTO flagstone\.(\w+)", statement),
        "UPDATE": re.findall(r"UPDATE flagstone\.(\w+)", statement),
        "DELETE": re.findall(r"DELETE FROM flagstone\.(\w+)", statement),
    }
    yield from ((table, verb) for verb, tables in written.items() for table in tables)
    yield from (
        (table, "SELECT") for table in re.findall(r"(?<!DELETE )(?:FROM|JOIN) flagstone\.(\w+)", statement)
    )
    if "DO UPDATE" in statement:
        yield from ((table, "UPDATE") for table in written["INSERT"])
    if re.search(r"\bWHERE\b|\bRETURNING\b|ON CONFLICT \(", statement):
        yield from ((table, "SELECT") for tables in written.values() for table in tables)
    if "log_append" in statement:
        yield from ((table.name, verb) for table in LOG_TABLES for verb in ("INSERT", "SELECT"))


def granted(role: str) -> set[tuple[str, str]]:
    return {
        (table, verb)
        for table, told in GRANTS[role].items()
        for verb in re.findall(r"SELECT|INSERT|UPDATE|DELETE", told)
    }


def test_each_privilege_is_needed(postgres, monkeypatch):
    """The whole job needs every privilege of web and worker but those of the witnesses' part, named above."""
    spy, whole = Spy(), type(postgres).engine

    def engine(self, role="migrate"):
        made = whole(self, role)
        spy.watch(role, made)
        return made

    monkeypatch.setattr(type(postgres), "engine", engine)
    by_role = ByRole(postgres)
    _signing_in(by_role)
    _agreeing(by_role)
    _exchanging(by_role)
    _reviewing(by_role)
    _sweeping(by_role, postgres)
    unused = {(role, *each) for role in ("web", "worker") for each in granted(role) - spy.needed[role]}
    assert unused == set(ELSEWHERE)
    assert all((Path(__file__).parent / name).exists() for name in ELSEWHERE.values())


def _signing_in(by_role) -> None:
    keys, clock = FakePartyKeys("trust"), by_role.job.clock
    signed_in(by_role.nobody, SignIn(keys, "council", clock, by_role.job.context.entropy).assertion())
    with by_role.nobody.store.begin() as unit:
        unit.replays.use(bytes(32), NOON, NOON)  # one of those at which old ids are forgotten
        unit.commit()
    with pytest.raises(NotSignedInError):
        access.user_of(by_role.nobody, "fst_" + "A" * 43)


def _agreeing(by_role) -> None:
    job = by_role.job
    agreements.propose(
        job.context,
        number="T-2",
        partner="trust",
        dataset="health-trust",
        valid_from=legal_date(NOON),
        valid_to=legal_date(NOON) + timedelta(days=30),
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    jws = agreements.of_partner(by_role.agent, job.registered, "T-2")["council_jws"]
    document = verify_proposal(jws, job.context.keys.identity)
    signed = countersign(document, job.partner.keys.sign)
    agreements.countersign(by_role.agent, job.registered, "T-2", signed)
    prekeys = job.partner.make_prekeys(1, job.clock() + timedelta(days=9))
    agents.publish_prekeys(by_role.agent, job.registered, prekeys)


def _exchanging(by_role) -> None:
    job, exchange = by_role.job, by_role.submit()
    by_role.drive(exchange)
    exchanges.cancel(by_role.user, job.analyst, exchange)
    exchange = by_role.submit("key-00000002")
    by_role.drive(exchange)
    agents.state(by_role.agent, job.registered)
    by_role.answered(exchange)
    by_role.drive(exchange)
    exchanges.show(by_role.user, job.analyst, exchange)
    results.read(by_role.user, job.analyst, exchange)
    until = legal_date(job.clock())
    holds.place(by_role.reviewer, job.reviewer, exchange, until=until, reason=HoldReason.COMPLAINT)
    approved(job, Act.LIFT_HOLD, exchange=exchange)
    holds.lift(by_role.reviewer, job.reviewer, exchange)
    holds.place(by_role.reviewer, job.reviewer, exchange, until=until, reason=HoldReason.COMPLAINT)
    with by_role.submitting.store.begin() as unit:
        found = Found(Rule.NEAR_OVERLAP, str(exchange), job.clock(), {})
        review_queue.found_at(by_role.submitting, unit, found)
        unit.commit()


def _reviewing(by_role) -> None:
    review_queue.watch(by_role.worker, Limits())
    first, *_ = review_queue.listing(by_role.reviewer, by_role.job.reviewer)
    review_queue.look_at(by_role.reviewer, by_role.job.reviewer, UUID(first["alert"]))
    review_queue.close(by_role.reviewer, by_role.job.reviewer, UUID(first["alert"]), Closing.EXPECTED)


def _sweeping(by_role, postgres) -> None:
    PostgresUses(postgres.engine("web")).count("read:x", NOON)
    by_role.job.clock.advance(days=4000)
    PostgresUses(postgres.engine("worker")).forget(by_role.job.clock())
    signins.log_denials(by_role.worker)
    holds.expire(by_role.worker)
    destroy_due(by_role.worker)
