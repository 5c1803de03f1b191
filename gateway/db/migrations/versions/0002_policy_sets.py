"""Policy sets by their digest, so that a decision can be replayed; exchanges by dataset, for the interval."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "policy_sets",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_policy_sets")),
        schema="flagstone",
    )
    op.create_index(
        "ix_exchanges_dataset",
        "exchanges",
        ["partner", "dataset", "submitted_at"],
        unique=False,
        schema="flagstone",
    )
