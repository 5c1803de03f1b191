"""What each database role may do, and above all what it may not."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from fakes import NOON, a_partner, a_prekey, a_user, an_agreement, an_exchange
from sqlalchemy import text

from audit.entry import Entry
from gateway.db.engine import make_engine
from gateway.db.log_tables import LOG_TABLES
from gateway.db.roles import GRANTS, Roles, Urls, grant
from gateway.db.tables import metadata
from gateway.domain.errors import ConfigurationError, LogUnavailableError
from gateway.domain.exchange import Role, Status
from gateway.domain.principal import SIGNING_IN, Principal, partner
from gateway.domain.proposals import Act, ActReason, Proposal
from gateway.domain.sessions import Link, Session, Way
from gateway.ports import Submission
from gateway.review_ports import Wanted
from gateway.service.finding import catch_up_within
from gateway.service.sealing import TAGS_KIND

pytestmark = pytest.mark.postgres

APPLICATION = ("web", "worker", "review")
EVERYONE = ("migrate", *APPLICATION)
LOG = [table.name for table in LOG_TABLES]
REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def try_as(postgres):
    def attempt(role: str, statement: str) -> list[tuple]:
        url = getattr(postgres.urls, role).replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return attempt


def an_entry() -> Entry:
    return Entry(uuid4(), "log.exported", NOON, {})


@pytest.mark.parametrize("role", EVERYONE)
@pytest.mark.parametrize("table", LOG)
def test_nobody_alters_the_log(postgres, try_as, role, table):
    """No role, the owner included, can update, delete or truncate a table of the log; it stays as it was."""
    with postgres.store().begin() as unit:
        unit.log.append([an_entry()])
        unit.commit()
    column = metadata.tables[f"flagstone.{table}"].columns[0].name
    update = f'UPDATE {{}} SET "{column}" = "{column}"'  # noqa: S608
    for change in (update, "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(REFUSED):
            try_as(role, change.format(f"flagstone.{table}"))
    assert try_as("migrate", f"SELECT count(*) FROM flagstone.{table}") == [(1,)]  # noqa: S608


@pytest.mark.parametrize("role", APPLICATION)
def test_application_roles_have_no_powers(try_as, role):
    """No application role makes objects or roles, becomes another, unguards the log or reads the server."""
    for statement in (
        "CREATE TABLE flagstone.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMP TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER ROLE flagstone_migrate PASSWORD 'x'",
        "SET ROLE flagstone_migrate",
        "SELECT rolpassword FROM pg_authid",
        "SET session_replication_role = replica",
        "COPY flagstone.log_leaves TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
        "ALTER TABLE flagstone.log_leaves DISABLE TRIGGER ALL",
        "DROP TABLE flagstone.log_leaves",
        "DROP FUNCTION flagstone.refuse_change CASCADE",
        "CREATE INDEX ON flagstone.log_leaves (leaf)",
    ):
        with pytest.raises(REFUSED):
            try_as(role, statement)


@pytest.mark.parametrize("role", EVERYONE)
def test_no_role_reaches_the_other_databases(postgres, role):
    """Only the owner may connect to the maintenance database, where DBOS looks for its own."""
    url = getattr(postgres.urls, role).replace("+psycopg", "")
    maintenance = psycopg.conninfo.make_conninfo(url, dbname="postgres")
    if role == "migrate":
        psycopg.connect(maintenance).close()
    else:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(maintenance)


@pytest.mark.parametrize("role", APPLICATION)
def test_each_role_has_its_grants_and_no_more(postgres, try_as, role):
    """For every table and privilege the database says what `GRANTS` says, on some column at least."""
    for table in metadata.sorted_tables:
        granted = GRANTS[role].get(table.name, "")
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
            function = "any_column" if privilege in ("SELECT", "INSERT", "UPDATE", "REFERENCES") else "table"
            question = f"SELECT has_{function}_privilege('flagstone.{table.name}', '{privilege}')"
            assert try_as(role, question) == [(privilege in granted,)], (table.name, privilege)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("web", "UPDATE flagstone.agreements SET council_jws = ''"),
        ("web", "UPDATE flagstone.exchanges SET submitted_by = gen_random_uuid()"),
        ("web", "UPDATE flagstone.prekeys SET public = ''"),
        ("web", "UPDATE flagstone.successions SET confirmed_at = now()"),
        ("web", "DELETE FROM flagstone.successions"),
        ("worker", "INSERT INTO flagstone.successions SELECT * FROM flagstone.successions"),
        ("web", "SELECT * FROM dbos.workflow_status"),
        ("worker", "UPDATE flagstone.exchanges SET expires_at = now()"),
        ("worker", "SELECT name FROM flagstone.users"),
        ("web", "UPDATE flagstone.users SET token_hash = ''"),
        ("web", "INSERT INTO flagstone.users (token_hash) VALUES ('')"),
        ("web", "INSERT INTO flagstone.links (code_hash) VALUES ('')"),
        ("web", "UPDATE flagstone.sessions SET multi_factor = true"),
        ("web", "UPDATE flagstone.proposals SET proposed_by = gen_random_uuid()"),
        ("worker", "SELECT * FROM flagstone.sessions"),
        ("worker", "SELECT * FROM flagstone.proposals"),
        ("review", "SELECT * FROM flagstone.sessions"),
        ("web", "SELECT * FROM flagstone.log_index"),
        ("web", "SELECT * FROM flagstone.subject_tags"),
        ("worker", "SELECT * FROM flagstone.log_index"),
        ("worker", "SELECT * FROM flagstone.subject_tags"),
        ("review", "SELECT sealed FROM flagstone.vault"),
        ("review", "UPDATE flagstone.subject_tags SET sealed = ''"),
        ("review", "DELETE FROM flagstone.log_index"),
        ("review", "SELECT * FROM flagstone.exchanges"),
        ("review", "SELECT name FROM flagstone.users"),
        ("review", "SELECT * FROM dbos.workflow_status"),
    ],
)
def test_what_must_stay_closed_is_closed(try_as, role, statement):
    """Each role is kept from what another's work needs: signed documents, names, sealed bytes, job tables."""
    with pytest.raises(REFUSED):
        try_as(role, statement)


def submitting(exchange) -> Principal:
    return Principal("submission", str(exchange.submitted_by))


@pytest.fixture
def enrolled(postgres):
    with postgres.store("migrate").begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.users.add(a_user())
        unit.log.append([an_entry()])
        unit.commit()
    return postgres


def test_web_can_do_its_work(enrolled):
    """Submission, delivery, countersignature and sign-in go through with the web role's privileges."""
    exchange = an_exchange()
    web, user = enrolled.store("web"), Principal("programme", str(exchange.submitted_by))
    with web.acting_for(partner("health")).begin() as unit:
        unit.agreements.countersign("A-1", "partner.signed.this", NOON)
        unit.agreements.revoke("A-1", NOON)
        unit.prekeys.publish([a_prekey()])
        assert unit.mailbox.waiting("health") == []
        unit.commit()
    with web.acting_for(SIGNING_IN).begin() as unit:
        assert unit.users.by_token(a_user().token_hash)
        unit.replays.use(b"j", NOON, NOON)
        unit.commit()
    with web.acting_for(user.submitting()).begin() as unit:
        assert unit.prekeys.claim("health", exchange.id, NOON) == a_prekey()
        unit.exchanges.add(exchange)
        unit.submissions.remember(Submission(exchange.submitted_by, b"k", b"d", exchange.id, b"{}"))
        unit.submissions.under_way(exchange.submitted_by, b"d")
        unit.vault.put(exchange.id, "list", b"sealed")
        unit.vault.drop(exchange.id, "list")
        unit.commit()
    with web.acting_for(user).begin() as unit:
        unit.exchanges.advance(exchange.id, Status.CANCELLED, frm=[Status.PREPARED])
        unit.mailbox.remove(exchange.id)
        unit.log.append([an_entry()])
        unit.commit()
    with enrolled.store("review").begin() as unit:
        assert unit.log.size() == 2


def test_web_signs_people_in(enrolled):
    """Enrolment, sessions with tokens, links that the operator made, and proposals go through as web."""
    link = Link(b"c", uuid4(), Way.LINK, NOON, NOON)
    user = a_user("Eve", token_hash=None, account=b"e" * 32)
    web = enrolled.store("web")
    with web.acting_for(SIGNING_IN).begin() as unit:
        unit.users.enrol(user)
        unit.users.assign(user.id, Role.CUSTODIAN, "health")
        assert unit.users.by_account(b"e" * 32) == unit.users.named("Eve")
        session = Session(
            uuid4(), b"s" * 32, user.id, Role.CUSTODIAN, Way.PROVIDER, False, NOON, NOON, NOON, None
        )
        unit.sessions.add(session)
        unit.sessions.add_token(session.id, b"t", NOON)
        unit.sessions.seen(session.id, NOON + timedelta(1))
        assert unit.sessions.end(session.id)
        unit.commit()
    with web.acting_for(Principal("reviewer", str(uuid4()))).begin() as unit:
        proposal = Proposal(uuid4(), Act.KEY_EXPORT, "", ActReason.MOVE, uuid4(), NOON, NOON)
        unit.proposals.add(proposal)
        unit.proposals.put(replace(unit.proposals.get(proposal.id), approved=False))
        assert unit.proposals.about("")
        unit.commit()
    with enrolled.store("migrate").begin() as unit:
        unit.links.add(replace(link, user=user.id), NOON)
        unit.commit()
    with web.acting_for(SIGNING_IN).begin() as unit:
        assert unit.links.take(b"c")
        unit.commit()


def test_the_worker_can_do_its_work(enrolled):
    """Dispatch, release and expiry go through with the worker's privileges, and job tables are its own."""
    exchange = an_exchange()
    with enrolled.store("web").acting_for(submitting(exchange)).begin() as unit:
        unit.exchanges.add(exchange)
        unit.commit()
    with enrolled.store("worker").begin() as unit:
        assert unit.partners.get("health")
        assert unit.agreements.get("A-1")
        assert unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED])
        unit.mailbox.post("health", exchange.id, b"bundle")
        unit.mailbox.remove(exchange.id)
        unit.vault.put(exchange.id, "list", b"sealed")
        unit.vault.put(exchange.id, "list", b"sealed again")
        unit.vault.drop(exchange.id, "list")
        unit.log.append([an_entry()])
        unit.commit()
    with enrolled.engine("worker").connect() as connection:
        for table in ("workflow_status", "operation_outputs", "notifications"):
            connection.execute(text(f"DELETE FROM dbos.{table}"))  # noqa: S608


def test_review_reads_the_log_and_logs_its_reading(enrolled):
    """A reviewer's role reads, proves and appends, and can do nothing else in the same unit."""
    with enrolled.store("review").begin() as unit:
        unit.log.append([an_entry()])
        unit.commit()
    with enrolled.store("review").begin() as unit:
        assert len(list(unit.log.leaves(0, 2))) == 2
        assert unit.log.inclusion(0, 2)
        with pytest.raises(ConfigurationError, match="role may not"):
            unit.exchanges.all()


def test_review_sees_search_tags_and_nothing_else_of_the_vault(enrolled, try_as):
    """What the web role leaves as search tags the reviewer's role reads, and no other sealed bytes."""
    exchange = an_exchange()
    with enrolled.store("web").acting_for(submitting(exchange)).begin() as unit:
        unit.exchanges.add(exchange)
        for kind in (TAGS_KIND, "accounting/openings/1", "result", "accounting/tags2"):
            unit.vault.put(exchange.id, kind, kind.encode())
        unit.commit()
    with enrolled.store("review").begin() as unit:
        assert unit.subject_tags.exchanges() == [exchange.id]
        assert unit.subject_tags.get(exchange.id) == TAGS_KIND.encode()
    assert try_as("review", "SELECT count(*) FROM flagstone.subject_tags") == [(1,)]


def test_review_keeps_the_index(enrolled):
    """The reviewer's role catches up with the log and finds in it, though it may change nothing there."""
    with enrolled.store("review").begin() as unit:
        catch_up_within(unit)
        assert unit.log_index.find(Wanted(kind="log."), before=None, limit=5) == [0]
        unit.commit()


def test_a_role_without_insert_cannot_append(enrolled):
    """When privileges are taken away, an append raises LogUnavailableError and the unit can't commit."""
    with enrolled.engine().begin() as connection:
        connection.execute(text("REVOKE INSERT ON flagstone.log_nodes FROM flagstone_web"))
    try:
        with enrolled.store("web").acting_for(SIGNING_IN).begin() as unit:
            unit.replays.use(b"j", NOON, NOON)
            with pytest.raises(LogUnavailableError):
                unit.log.append([an_entry()])
            with pytest.raises(LogUnavailableError):
                unit.commit()
    finally:
        with enrolled.engine().begin() as connection:
            grant(connection, Roles())


def test_granting_again_takes_strays_away(postgres, try_as):
    """A privilege that somebody gave by hand is gone after the next upgrade."""
    try_as("migrate", "GRANT ALL ON flagstone.log_leaves TO flagstone_review")
    with postgres.engine().begin() as connection:
        grant(connection, Roles())
    question = "SELECT has_table_privilege('flagstone.log_leaves', 'DELETE')"
    assert try_as("review", question) == [(False,)]


def test_a_missing_role_is_named_as_such(postgres):
    """Granting to a role that does not exist says what to do, before anything is changed."""
    with postgres.engine().begin() as connection, pytest.raises(ConfigurationError, match=r"database\.md"):
        grant(connection, Roles(web="nobody_made_this"))


def test_urls_are_never_shown():
    """The URLs hold passwords, so their repr shows none."""
    assert "secret" not in repr(Urls(*["postgresql://a:secret@/x"] * 4))


def test_an_engine_is_for_postgresql_only():
    """Another database's URL, or none, is refused when the engine is made; the text repeats no part of it."""
    for url in ("sqlite://", "mysql://u:secret@h/d", "not a url"):
        with pytest.raises(ConfigurationError) as refusal:
            make_engine(url)
        assert "secret" not in str(refusal.value)
