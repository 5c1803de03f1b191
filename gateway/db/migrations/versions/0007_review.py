"""Failed sign-ins until they are logged, marks of sweeps, and the review queue."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_RULES = (
    "unusual-volume",
    "repeat-probing",
    "out-of-hours",
    "first-use",
    "near-overlap",
    "no-receipt",
    "failed-sign-ins",
)
_REASONS = (
    "unknown-token",
    "revoked",
    "bad-assertion",
    "stale-assertion",
    "replayed-assertion",
    "bad-access-token",
)


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        _one_of("sign_ins", "caller", ("user", "agent")),
        _one_of("sign_ins", "reason", _REASONS),
        sa.CheckConstraint("failed >= 0", name=op.f("ck_sign_ins_failed")),
        sa.PrimaryKeyConstraint("minute", "caller", "reason", name=op.f("pk_sign_ins")),
        schema="flagstone",
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
        schema="flagstone",
    )
    _alerts()


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entry", sa.Uuid(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _one_of("alerts", "rule", _RULES),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("rule", "about", "day", name=op.f("uq_alerts_rule")),
        schema="flagstone",
    )
    op.create_index(
        "ix_alerts_open",
        "alerts",
        ["arrival"],
        unique=False,
        schema="flagstone",
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=op.f(f"ck_{table}_{column}"))
