"""Witnesses, what they cosigned, their alarms; and from which size on the log covers a delivery."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _partner(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["partner"], ["flagstone.partners.slug"], name=op.f(name), initially="DEFERRED", deferrable=True
    )


def upgrade() -> None:
    op.create_table(
        "witnesses",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        _partner("fk_witnesses_partner"),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_witnesses")),
        sa.UniqueConstraint("vkey", name=op.f("uq_witnesses_vkey")),
        schema="flagstone",
    )
    op.create_table(
        "witness_alarms",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _partner("fk_witness_alarms_partner"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_witness_alarms")),
        schema="flagstone",
    )
    op.create_table(
        "cosigned",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", "partner", name=op.f("pk_cosigned")),
        schema="flagstone",
    )
    op.create_index(
        "ix_cosigned_partner", "cosigned", ["origin", "partner", "size"], unique=False, schema="flagstone"
    )
    op.create_table(
        "deliveries",
        sa.Column("exchange", sa.Uuid(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["flagstone.exchanges.id"],
            name=op.f("fk_deliveries_exchange"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("exchange", name=op.f("pk_deliveries")),
        schema="flagstone",
    )
