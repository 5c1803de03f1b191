"""Partners' successions of keys, and by which of the council's identities each partner knows it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"


def _partner(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["partner"], ["flagstone.partners.slug"], name=op.f(name), initially="DEFERRED", deferrable=True
    )


def upgrade() -> None:
    op.create_table(
        "successions",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        _partner("fk_successions_partner"),
        sa.PrimaryKeyConstraint("partner", "sequence", name=op.f("pk_successions")),
        schema="flagstone",
    )
    op.create_table(
        "keys_taken",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("council", sa.Text(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _partner("fk_keys_taken_partner"),
        sa.PrimaryKeyConstraint("partner", "council", name=op.f("pk_keys_taken")),
        schema="flagstone",
    )
