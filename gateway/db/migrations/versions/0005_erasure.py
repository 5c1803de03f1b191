"""The clocks of each exchange, and the holds that suspend them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SHIPPED = {"results": 90, "accounting": 2192}
"""Days of an exchange whose policy set was not kept: what shipped policies said until then."""


def upgrade() -> None:
    _tables()
    op.create_index("ix_submissions_exchange", "submissions", ["exchange"], schema="flagstone")
    for clock, shipped in _SHIPPED.items():
        _start(clock, shipped)


def _tables() -> None:
    op.create_table(
        "retentions",
        sa.Column("exchange", sa.Uuid(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("taken", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("clock IN ('results', 'accounting')", name=op.f("ck_retentions_clock")),
        sa.CheckConstraint("days >= 0", name=op.f("ck_retentions_days")),
        sa.CheckConstraint(
            "(destroyed_at IS NULL) = (entry IS NULL)", name=op.f("ck_retentions_destroyed_whole")
        ),
        sa.CheckConstraint(
            "certificate IS NULL OR destroyed_at IS NOT NULL", name=op.f("ck_retentions_certified_after")
        ),
        _of_an_exchange("retentions"),
        sa.PrimaryKeyConstraint("exchange", "clock", name=op.f("pk_retentions")),
        schema="flagstone",
    )
    for name, column, where in (
        ("due", "due", "destroyed_at IS NULL AND due IS NOT NULL"),
        ("uncertified", "exchange", "destroyed_at IS NOT NULL AND certificate IS NULL"),
        ("untaken", "exchange", "certificate IS NOT NULL AND NOT taken"),
    ):
        op.create_index(
            f"ix_retentions_{name}",
            "retentions",
            [column],
            schema="flagstone",
            postgresql_where=sa.text(where),
        )
    op.create_table(
        "holds",
        sa.Column("exchange", sa.Uuid(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('complaint', 'court-order', 'legal-claim', 'regulator', 'safeguarding-review', "
            "'subject-request')",
            name=op.f("ck_holds_reason"),
        ),
        _of_an_exchange("holds"),
        sa.PrimaryKeyConstraint("exchange", name=op.f("pk_holds")),
        schema="flagstone",
    )
    op.create_index("ix_holds_until", "holds", ["until"], schema="flagstone")


def _of_an_exchange(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["exchange"],
        ["flagstone.exchanges.id"],
        name=op.f(f"fk_{table}_exchange"),
        initially="DEFERRED",
        deferrable=True,
    )


def _start(clock: str, shipped: int) -> None:
    """Set a clock for the exchanges that are there: the fewest days of any policy set that was kept.

    When one ended was not written down; it was no later than its time to be answered ran out.
    """
    op.execute(
        sa.text(
            "INSERT INTO flagstone.retentions (exchange, clock, days, due) "
            "SELECT id, :clock, days, CASE WHEN status IN "
            "('cancelled', 'declined', 'expired', 'failed', 'released') "
            "THEN (LEAST(expires_at, now()) AT TIME ZONE 'Europe/London')::date + days END "
            "FROM flagstone.exchanges CROSS JOIN LATERAL (SELECT COALESCE(MIN((convert_from(document, 'UTF8')"
            "::jsonb #>> ARRAY['datasets', exchanges.dataset, :field])::int), :shipped) AS days "
            "FROM flagstone.policy_sets) AS kept"
        ).bindparams(clock=clock, field=f"{clock}_days", shipped=shipped)
    )
