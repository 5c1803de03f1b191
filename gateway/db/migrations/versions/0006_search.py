"""An index over the log's entries, so that a search costs what it finds; the reviewer's view of search tags."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "log_index",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("users", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("law", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("refusals", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_log_index")),
        schema="flagstone",
    )
    op.create_index("ix_log_index_at", "log_index", ["at"], schema="flagstone")
    for name in ("kind", "exchange", "dataset", "recipient"):
        op.create_index(f"ix_log_index_{name}", "log_index", [name, "index"], schema="flagstone")
    for name in ("users", "law", "refusals"):
        op.create_index(
            f"ix_log_index_{name}", "log_index", [name], schema="flagstone", postgresql_using="gin"
        )
    op.execute(
        "CREATE VIEW flagstone.subject_tags WITH (security_barrier) AS "
        "SELECT exchange, sealed FROM flagstone.vault WHERE kind = 'accounting/tags'"
    )
