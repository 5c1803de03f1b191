"""Why a machine was turned away: proofs of possession."""

from alembic import op

revision = "0011"
down_revision = "0007"

_REASONS = (
    "unknown-token",
    "revoked",
    "bad-assertion",
    "stale-assertion",
    "replayed-assertion",
    "bad-access-token",
    "bad-proof",
    "replayed-proof",
)


def upgrade() -> None:
    allowed = ", ".join(f"'{reason}'" for reason in _REASONS)
    op.drop_constraint(op.f("ck_sign_ins_reason"), "sign_ins", schema="flagstone")
    op.create_check_constraint(
        op.f("ck_sign_ins_reason"), "sign_ins", f"reason IN ({allowed})", schema="flagstone"
    )
