"""Sessions, their API tokens, one-time links, proposals; custodians, and users of a provider."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"

_ROLES = ("programme", "custodian", "reviewer", "operator")
_WAYS = ("provider", "link", "break-glass")
_RULES = (
    "unusual-volume",
    "repeat-probing",
    "out-of-hours",
    "first-use",
    "near-overlap",
    "no-receipt",
    "failed-sign-ins",
    "break-glass",
)
_DENIED = (
    "unknown-token",
    "revoked",
    "bad-assertion",
    "stale-assertion",
    "replayed-assertion",
    "bad-access-token",
    "unknown-session",
    "forged-request",
    "bad-sign-in",
    "bad-logout",
    "bad-link",
    "no-role",
    "several-roles",
    "no-organisation",
    "one-factor",
)
_ACTS = ("lift-hold", "destroy-early", "release-results", "key-export")
_REASONS = (
    "backup",
    "claim-settled",
    "court-order",
    "erasure-request",
    "mistake",
    "move",
    "regulator",
    "routine",
)


def upgrade() -> None:
    for table, column, values in (
        ("users", "role", _ROLES),
        ("alerts", "rule", _RULES),
        ("sign_ins", "caller", ("user", "agent", "browser")),
        ("sign_ins", "reason", _DENIED),
    ):
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, schema="flagstone")
        checked = f"{column} IN ({_listed(values)})"
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, checked, schema="flagstone")
    _users()
    _sessions()
    _links()
    _proposals()


def _users() -> None:
    op.alter_column("users", "token_hash", nullable=True, schema="flagstone")
    op.add_column("users", sa.Column("partner", sa.Text(), nullable=True), schema="flagstone")
    op.add_column("users", sa.Column("account", sa.LargeBinary(), nullable=True), schema="flagstone")
    op.create_foreign_key(
        op.f("fk_users_partner"),
        "users",
        "partners",
        ["partner"],
        ["slug"],
        source_schema="flagstone",
        referent_schema="flagstone",
    )
    op.create_unique_constraint(op.f("uq_users_account"), "users", ["account"], schema="flagstone")
    for name, checked in (
        ("account_size", "octet_length(account) = 32"),
        ("custodians_of_partners", "(role = 'custodian') = (partner IS NOT NULL)"),
    ):
        op.create_check_constraint(op.f(f"ck_users_{name}"), "users", checked, schema="flagstone")


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("multi_factor", sa.Boolean(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider_session", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("octet_length(secret_hash) = 32", name=op.f("ck_sessions_secret_hash_size")),
        sa.CheckConstraint(
            "octet_length(provider_session) = 32", name=op.f("ck_sessions_provider_session_size")
        ),
        _one_of("sessions", "role", _ROLES),
        _one_of("sessions", "way", _WAYS),
        _user("sessions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_sessions_secret_hash")),
        schema="flagstone",
    )
    for column in ("user", "provider_session", "ends_at", "seen_at"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column], schema="flagstone")
    op.create_table(
        "session_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["flagstone.sessions.id"],
            name=op.f("fk_session_tokens_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_session_tokens")),
        schema="flagstone",
    )
    op.create_index("ix_session_tokens_session", "session_tokens", ["session"], schema="flagstone")


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_ends_at", sa.DateTime(timezone=True), nullable=False),
        _one_of("links", "way", _WAYS),
        _user("links"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_links")),
        schema="flagstone",
    )


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _one_of("proposals", "act", _ACTS),
        _one_of("proposals", "reason", _REASONS),
        sa.CheckConstraint("decided_by <> proposed_by", name=op.f("ck_proposals_two_people")),
        sa.CheckConstraint("used_at IS NULL OR approved", name=op.f("ck_proposals_used_when_approved")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        schema="flagstone",
    )
    op.create_index("ix_proposals_about", "proposals", ["about"], schema="flagstone")


def _user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user"], ["flagstone.users.id"], name=op.f(f"fk_{table}_user"), ondelete="CASCADE"
    )


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({_listed(values)})", name=op.f(f"ck_{table}_{column}"))


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)
