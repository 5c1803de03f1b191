"""Partners' machines: client certificates, open enrolments, and why a machine was turned away."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_REASONS = (
    "unknown-token",
    "revoked",
    "bad-assertion",
    "stale-assertion",
    "replayed-assertion",
    "bad-access-token",
    "bad-proof",
    "replayed-proof",
    "bad-code",
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


def upgrade() -> None:
    allowed = ", ".join(f"'{reason}'" for reason in _REASONS)
    op.drop_constraint(op.f("ck_sign_ins_reason"), "sign_ins", schema="flagstone")
    op.create_check_constraint(
        op.f("ck_sign_ins_reason"), "sign_ins", f"reason IN ({allowed})", schema="flagstone"
    )
    _certificates()
    _invitations()


def _certificates() -> None:
    op.create_table(
        "tls_certificates",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("thumbprint", sa.LargeBinary(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["flagstone.partners.slug"],
            name=op.f("fk_tls_certificates_partner"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("thumbprint", name=op.f("pk_tls_certificates")),
        schema="flagstone",
    )
    op.create_index(
        "ix_tls_certificates_partner", "tls_certificates", ["partner"], unique=False, schema="flagstone"
    )


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.CheckConstraint("octet_length(key) = 32", name=op.f("ck_invitations_key_size")),
        sa.CheckConstraint("failed >= 0", name=op.f("ck_invitations_failed")),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_invitations")),
        schema="flagstone",
    )
