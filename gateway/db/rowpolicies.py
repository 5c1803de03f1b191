"""Which rows the web role sees, and may change, for which caller: beneath the application's own checks.

A row is shown when one of its tags is among the caller's (`gateway.domain.principal`). No caller, no tags, no
row. The worker carries everybody's exchanges and is bound by its privileges alone; so is the owner, whose
dumps must be whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, text

from gateway.db.machine_tables import invitations, tls_certificates
from gateway.db.people_tables import links, proposals, session_tokens, sessions
from gateway.db.tables import (
    SCHEMA,
    agreements,
    alerts,
    cosigned,
    deliveries,
    exchanges,
    holds,
    keys_taken,
    mailbox,
    partners,
    prekeys,
    replays,
    retentions,
    sign_ins,
    submissions,
    successions,
    users,
    vault,
    witness_alarms,
    witnesses,
)

_CALLER: Final = f"(SELECT {SCHEMA}.caller())"  # a subquery: once for each statement, not for each row


def _for(*tags: str) -> str:
    """Shown to callers with one of these tags, SQL texts over the row's columns."""
    return f"ARRAY[{', '.join(tags)}]::text[] && {_CALLER}"


def _with_exchange(table: str, *conditions: str) -> str:
    """Shown where one of the conditions holds of the row's exchange, `e`."""
    held = " OR ".join(f"({condition})" for condition in conditions)
    return f"EXISTS (SELECT FROM {SCHEMA}.exchanges e WHERE e.id = {table}.exchange AND ({held}))"


@dataclass(frozen=True, slots=True)
class Rows:
    """Conditions for reading, for changing and removing, and for adding; without one, as for changing."""

    read: str
    change: str
    add: str | None = None


_SIGN_IN: Final = "'sign-in'"
_DECIDE: Final = ("'programme'", "'reviewer'", "'operator'")
_OF_TWO: Final = f"EXISTS (SELECT FROM {SCHEMA}.proposals p WHERE users.id IN (p.proposed_by, p.decided_by))"
_PARTNER: Final = "'partner:' || partner"
_ASKED: Final = "'partner:' || e.partner"
_ITS_CUSTODIAN: Final = "'custodian@' || e.partner"
_OWN: Final = "'programme:' || e.submitted_by, 'submission:' || e.submitted_by"

_NEVER: Final = "false"
_OF_ITS_EXCHANGE: Final = f"{_ASKED}, {_OWN}, 'reviewer'"
_AT_PARTNER: Final = "(kind IN ('request', 'answer', 'flags') OR kind ~ '^(accounting/)?openings/')"
"""Of an exchange's sealed bytes, what the request that brings an answer reads and leaves."""
_IN_EVIDENCE: Final = "(kind = 'answer' OR kind ~ '^(accounting/)?(openings|items/person|items/unit)/')"
"""What a receipt is made of and evidence opens: never flags, results, slots or withheld rows."""
_VAULT: Final = _with_exchange(
    "vault",
    _for(_OWN),
    f"{_AT_PARTNER} AND {_for(_ASKED)}",
    f"{_IN_EVIDENCE} AND {_for(repr('reviewer'))}",
)

ROWS: Final[dict[str, Rows]] = {
    partners.name: Rows(
        _for(
            "'partner:' || slug",
            "'custodian@' || slug",
            "'sign-in'",
            "'programme'",
            "'submission'",
            "'reviewer'",
        ),
        _NEVER,
    ),
    successions.name: Rows(
        _for(_PARTNER, "'sign-in'", "'programme'", "'submission'", "'reviewer'"), _for(_PARTNER)
    ),
    keys_taken.name: Rows(_for(_PARTNER, "'programme'", "'submission'", "'reviewer'"), _for(_PARTNER)),
    tls_certificates.name: Rows(_for(_PARTNER, "'sign-in'"), _for(_PARTNER)),
    invitations.name: Rows(_for("'sign-in'"), _for("'sign-in'"), _NEVER),
    # the two persons of an act are looked up when it is done: both must still be in force
    users.name: Rows(f"{_for(_SIGN_IN)} OR ({_OF_TWO} AND {_for(*_DECIDE)})", _for(_SIGN_IN)),
    sessions.name: Rows(_for(_SIGN_IN), _for(_SIGN_IN)),
    session_tokens.name: Rows(_for(_SIGN_IN), _for(_SIGN_IN)),
    links.name: Rows(_for(_SIGN_IN), _for(_SIGN_IN), _NEVER),
    proposals.name: Rows(_for(*_DECIDE), _for(*_DECIDE)),
    agreements.name: Rows(_for(_PARTNER, "'submission'", "'reviewer'"), _for(_PARTNER), _NEVER),
    prekeys.name: Rows(_for(_PARTNER, "'submission'"), _for(_PARTNER, "'submission'"), _for(_PARTNER)),
    exchanges.name: Rows(
        _for(
            _PARTNER, "'custodian@' || partner", "'programme:' || submitted_by", "'submission'", "'reviewer'"
        ),
        _for(_PARTNER, "'programme:' || submitted_by"),
        _for("'submission:' || submitted_by"),
    ),
    vault.name: Rows(
        f"{_VAULT} OR (kind = 'probe' AND {_for(repr('submission'))})"
        f" OR (kind = 'answer' AND {_with_exchange('vault', _for(_ITS_CUSTODIAN))})",
        _VAULT,
    ),
    mailbox.name: Rows(
        f"{_for(_PARTNER)} OR {_with_exchange('mailbox', _for(_OWN))}",
        f"{_for(_PARTNER)} OR {_with_exchange('mailbox', _for(_OWN))}",
    ),
    submissions.name: Rows(_for("'submission:' || user_id"), _for("'submission:' || user_id")),
    retentions.name: Rows(
        _with_exchange("retentions", _for(_OF_ITS_EXCHANGE, _ITS_CUSTODIAN)),
        _with_exchange("retentions", _for(_OF_ITS_EXCHANGE)),
        _with_exchange("retentions", _for("'submission:' || e.submitted_by")),
    ),
    holds.name: Rows(_with_exchange("holds", _for(_OF_ITS_EXCHANGE, _ITS_CUSTODIAN)), _for("'reviewer'")),
    replays.name: Rows(_for("'sign-in'"), _for("'sign-in'")),
    witnesses.name: Rows(_for("'partner'", "'programme'", "'reviewer'"), _for(_PARTNER)),
    witness_alarms.name: Rows(_for(_PARTNER, "'reviewer'"), _for(_PARTNER)),
    cosigned.name: Rows(_for(_PARTNER, "'programme'", "'reviewer'"), _for(_PARTNER)),
    deliveries.name: Rows(
        _with_exchange("deliveries", _for(_OF_ITS_EXCHANGE)), _with_exchange("deliveries", _for(_ASKED))
    ),
    sign_ins.name: Rows(_for("'sign-in'"), _for("'sign-in'")),
    alerts.name: Rows(_for("'reviewer'"), _for("'reviewer'"), _for("'submission'")),
}

OPEN: Final = {
    "policy_sets": "law, and nothing else",
    "log_leaves": "whoever appends looks at where the log is; a leaf holds nothing of persons",
    "log_nodes": "hashes",
    "log_checkpoints": "published",
    "log_index": "the role `review` alone has a privilege on it",
    "marks": "the role `worker` alone has a privilege on it",
    "uses": "counts by opaque ids and keyed hashes, taken before anybody is signed in",
    "caller_key": "nobody but the owner has a privilege on it",
}
"""Tables without row policies, and why."""


def protect(connection: Connection, *, web: str, worker: str, worked: frozenset[str]) -> None:
    """Bring every table's row policies to what `ROWS` says; run by the owner.

    `web`, `worker`: the roles, quoted; `worked`: the tables that the worker has a privilege on. A policy's
    name holds the digest of its text, so that what is right already is neither touched nor locked.
    """
    wanted = {(table, name): sql for table, name, sql in _policies(web, worker, worked)}
    there = connection.execute(
        text("SELECT tablename, policyname FROM pg_policies WHERE schemaname = :schema"), {"schema": SCHEMA}
    )
    standing = {(row.tablename, row.policyname) for row in there}
    for table, name in sorted(standing - wanted.keys()):
        connection.exec_driver_sql(f'DROP POLICY "{name}" ON {SCHEMA}."{table}"')
    for key in sorted(wanted.keys() - standing):
        connection.exec_driver_sql(wanted[key])
    bare = connection.execute(
        text(
            "SELECT relname FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) "
            "AND relname = ANY(:tables) AND NOT relrowsecurity"
        ),
        {"schema": SCHEMA, "tables": list(ROWS)},
    )
    for table in bare.scalars().all():
        connection.exec_driver_sql(f"ALTER TABLE {SCHEMA}.{table} ENABLE ROW LEVEL SECURITY")


def _policies(web: str, worker: str, worked: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Table, name and statement of every policy."""
    for table, rows in ROWS.items():
        adding = rows.change if rows.add is None else rows.add
        yield _policy(table, "read", f"FOR SELECT TO {web} USING ({rows.read})")
        yield _policy(table, "add", f"FOR INSERT TO {web} WITH CHECK ({adding})")
        yield _policy(table, "change", f"FOR UPDATE TO {web} USING ({rows.change})")
        yield _policy(table, "remove", f"FOR DELETE TO {web} USING ({rows.change})")
        if table in worked:
            yield _policy(table, "work", f"TO {worker} USING (true)")


def _policy(table: str, what: str, rule: str) -> tuple[str, str, str]:
    name = f"{what}_{sha256(rule.encode()).hexdigest()[:16]}"
    return table, name, f'CREATE POLICY "{name}" ON {SCHEMA}.{table} {rule}'
