"""The database's roles and what each may do: no more than its work needs."""

from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from gateway.db.earlier import READERS, aside, set_aside
from gateway.db.log_tables import LOG_TABLES, log_index
from gateway.db.machine_tables import invitations, tls_certificates
from gateway.db.people_tables import links, proposals, session_tokens, sessions
from gateway.db.rowpolicies import protect
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
    marks,
    partners,
    prekeys,
    replays,
    retentions,
    sign_ins,
    subject_tags,
    submissions,
    successions,
    users,
    uses,
    vault,
    witness_alarms,
    witnesses,
)
from gateway.domain.errors import ConfigurationError

_quoted = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Roles:
    """Role names. `migrate` owns the tables and is the operator's: upgrades, enrolment, users, agreements."""

    migrate: str = "flagstone_migrate"
    web: str = "flagstone_web"
    worker: str = "flagstone_worker"
    review: str = "flagstone_review"


@dataclass(frozen=True, slots=True, repr=False)
class Urls:
    """A database URL for each role; they hold passwords, so they are never shown."""

    migrate: str
    web: str
    worker: str
    review: str

    def __repr__(self) -> str:
        return "Urls(...)"


RAISED: Final = ("raised_at", "entry", "salt")
REVIEWED: Final = ("looked_at", "looked_by", "closed_at", "closed_by", "reason")
"""What happens to an alert: the worker raises it, a reviewer looks at it and closes it through the API."""

_LOG: Final = {table.name: "SELECT, INSERT" for table in LOG_TABLES}

GRANTS: Final[dict[str, dict[str, str]]] = {
    # answers requests of users and agents: submission, mailbox, answers, countersignatures, sign-in
    "web": {
        partners.name: "SELECT",
        agreements.name: "SELECT, UPDATE (partner_jws, signed_at, revoked_at)",
        prekeys.name: "SELECT, INSERT, UPDATE (exchange), DELETE",
        successions.name: "SELECT, INSERT",
        keys_taken.name: "SELECT, INSERT",
        # enrols whom the provider signs in, and can give nobody a token that outlives a session
        users.name: "SELECT, INSERT (id, name, role, created_at, partner, account), UPDATE (role, partner)",
        sessions.name: "SELECT, INSERT, UPDATE (seen_at), DELETE",
        session_tokens.name: "SELECT, INSERT",
        links.name: "SELECT, DELETE",  # the operator's shell alone makes one
        proposals.name: "SELECT, INSERT, UPDATE (decided_by, decided_at, approved, used_at)",
        exchanges.name: "SELECT, INSERT, UPDATE (status)",
        vault.name: "SELECT, INSERT, UPDATE (sealed), DELETE",
        mailbox.name: "SELECT, DELETE",
        submissions.name: "SELECT, INSERT",
        retentions.name: "SELECT, INSERT, UPDATE (due, taken)",  # never `days`: nobody lengthens a clock
        holds.name: "SELECT, INSERT, UPDATE (until, reason), DELETE",
        replays.name: "SELECT, INSERT, UPDATE (until), DELETE",
        tls_certificates.name: "SELECT, INSERT, DELETE",
        invitations.name: "SELECT, UPDATE (failed, document, expires_at)",
        witnesses.name: "SELECT, INSERT, UPDATE (vkey, jws, announced_at)",
        witness_alarms.name: "SELECT, INSERT",
        cosigned.name: "SELECT, INSERT",
        deliveries.name: "SELECT, INSERT",
        sign_ins.name: "SELECT, INSERT, UPDATE (failed)",
        alerts.name: f"SELECT, INSERT, UPDATE ({', '.join(REVIEWED)})",
        uses.name: "SELECT, INSERT, UPDATE (used)",
        **_LOG,
    },
    # carries exchanges on and watches the log: dispatch, release, expiry, destruction, alerts; and `dbos`
    "worker": {
        partners.name: "SELECT",
        successions.name: "SELECT",
        keys_taken.name: "SELECT",
        agreements.name: "SELECT",
        exchanges.name: "SELECT, UPDATE (status)",
        vault.name: "SELECT, INSERT, UPDATE (sealed), DELETE",
        mailbox.name: "SELECT, INSERT, DELETE",
        witnesses.name: "SELECT",
        cosigned.name: "SELECT",
        deliveries.name: "SELECT",
        submissions.name: "SELECT (exchange), DELETE",
        retentions.name: "SELECT, UPDATE (due, destroyed_at, entry, certificate)",
        holds.name: "SELECT, DELETE",
        sign_ins.name: "SELECT, DELETE",
        marks.name: "SELECT, INSERT, UPDATE (text)",
        alerts.name: f"SELECT, INSERT, UPDATE ({', '.join(RAISED)}), DELETE",
        uses.name: "SELECT, DELETE",
        **_LOG,
    },
    # reads the log, logs its own reading and keeps the index that it searches; no exchange, no names, and of
    # sealed bytes the search tags alone
    "review": {**_LOG, log_index.name: "SELECT, INSERT", subject_tags.name: "SELECT"},
}
"""Privileges by role and table; `migrate` owns every table, and triggers keep it from altering the log.

Which rows the web role sees of a table is for `gateway.db.rowpolicies`.
"""


def grant(connection: Connection, roles: Roles) -> None:
    """Bring every privilege to what `GRANTS` says, and every row policy to its own; run by the owner.

    Raises:
        ConfigurationError: a role does not exist.
    """
    _require(connection, roles)
    (database,) = connection.execute(text("SELECT current_database()")).one()
    connection.execute(text(f"REVOKE ALL ON DATABASE {_quoted(database)} FROM PUBLIC"))
    connection.execute(text(f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC"))
    for number in set_aside(connection):
        for kind, names in READERS.items():
            role = _quoted(getattr(roles, kind))
            connection.execute(text(f"GRANT USAGE ON SCHEMA {aside(number)} TO {role}"))
            for name in names:
                connection.execute(text(f"GRANT SELECT ON {aside(number)}.{name} TO {role}"))
    for kind, tables in GRANTS.items():
        role = _quoted(getattr(roles, kind))
        connection.execute(text(f"GRANT CONNECT ON DATABASE {_quoted(database)} TO {role}"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role}"))
        connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM {role}"))
        for table, privileges in tables.items():
            connection.execute(text(f"GRANT {privileges} ON {SCHEMA}.{table} TO {role}"))
    web, worker = _quoted(roles.web), _quoted(roles.worker)
    connection.execute(text(f"GRANT EXECUTE ON FUNCTION {SCHEMA}.caller() TO {web}"))
    protect(connection, web=web, worker=worker, worked=frozenset(GRANTS["worker"]))


def _require(connection: Connection, roles: Roles) -> None:
    names = [getattr(roles, each.name) for each in fields(roles)]
    known = connection.execute(
        text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)"), {"names": names}
    )
    if len(set(known.scalars())) < len(names):
        raise ConfigurationError(
            "a role is missing, or two have one name",
            place="database roles",
            way_out="Make them as docs/database.md says",
        )
